import Checkpoints
import Glibc
import OrderedCollections

/// The closed world: each tensor of the checkpoint is claimed by some part of the description, each required one is there,
/// all shapes agree.
final class Claims {
    let path: String
    private let checkpoint: Checkpoint
    private let family: String
    private let records: [String: TensorRecord]
    let prefix: String
    private var claimed: [String: Architecture.TensorRole] = [:]
    /// Stored names of the tensors of opaque parts.
    private var opaque: [String: [String]] = [:]
    /// Stored names by canonical ones, which have no prefix.
    private var storedNames: [String: String] = [:]
    /// Only counting how many required tensors are there: nothing is thrown.
    let isProbe: Bool
    private(set) var hits = 0
    /// What a user should know of this checkpoint, in sentences.
    private(set) var notes: [String] = []

    init(
        checkpoint: Checkpoint, description: ModelDescription, records: [String: TensorRecord], prefix: String,
        isProbe: Bool
    ) {
        path = checkpoint.path
        self.checkpoint = checkpoint
        family = description.family
        self.prefix = prefix
        self.isProbe = isProbe
        self.records = records
    }

    /// A tensor as a part of the model: its canonical name, and what it must be.
    struct Demand {
        let name: String
        let role: String
        let layer: Int?
        /// Nil where the shape is not checked; a nil axis may have any extent.
        let shape: [Int?]?
        var isPrefixed = true
        var isRead = true
    }

    /// The stored name. Roles of a tensor that several parts share are joined: `query_key_value`.
    func require(_ demand: Demand) throws(ArchitectureError) -> String {
        if let name = try find(demand) { return name }
        if isProbe { return "" }
        throw missing(demand)
    }

    func missing(_ demand: Demand) -> ArchitectureError {
        .missingTensor(path: path, tensor: stored(demand), family: family)
    }

    /// The stored name, or nil when the checkpoint has no such tensor.
    func find(_ demand: Demand) throws(ArchitectureError) -> String? {
        guard let record = records[stored(demand)] else { return nil }
        hits += 1
        if isProbe { return record.name }
        if let shape = demand.shape {
            let expected = shape.enumerated().map { axis, extent in
                extent ?? (axis < record.shape.count ? record.shape[axis] : 1)
            }
            guard expected == record.shape else {
                throw .shapeMismatch(path: path, tensor: record.name, expected: expected, found: record.shape)
            }
        }
        if demand.role != "buffer", !record.type.isComputable {
            throw .notFloatingPoint(path: path, tensor: record.name, found: record.type.rawValue)
        }
        if claimed[record.name] == nil {
            claimed[record.name] = .init(name: demand.role, layer: demand.layer, isRead: demand.isRead)
        }
        storedNames[demand.name] = record.name
        return record.name
    }

    func note(_ sentence: String) { if !isProbe { notes.append(sentence) } }

    /// Claims every tensor whose stored name begins so. Returns how many there are.
    func claimAll(under path: String, role: String, layer: Int?, isPrefixed: Bool = true) -> Int {
        let path = isPrefixed ? prefix + path : path
        var count = 0
        for name in checkpoint.tensors.keys where name.hasPrefix(path) && claimed[name] == nil {
            claimed[name] = .init(name: role, layer: layer, isRead: false)
            count += 1
        }
        return count
    }

    /// Claims every tensor whose stored name begins so for an opaque part. Returns how many there are.
    func claimAll(under path: String, part: String, layer: Int?, isPrefixed: Bool = true) -> Int {
        let path = isPrefixed ? prefix + path : path
        let names = checkpoint.tensors.keys.filter { $0.hasPrefix(path) && claimed[$0] == nil }
        for name in names { claimed[name] = .init(name: "opaque", layer: layer) }
        opaque[part, default: []] += names
        hits += names.isEmpty ? 0 : 1
        return names.count
    }

    func tensors(ofPart part: String) -> [String] { opaque[part] ?? [] }

    /// Whether two stored tensors hold the same bytes.
    func areEqual(_ first: String, _ second: String) -> Bool {
        guard let a = checkpoint.tensors[first], let b = checkpoint.tensors[second], a.type == b.type else {
            return false
        }
        let (first, second) = (checkpoint.bytes(of: a), checkpoint.bytes(of: b))
        guard first.count == second.count, let x = first.baseAddress, let y = second.baseAddress else {
            return first.count == second.count
        }
        return memcmp(x, y, first.count) == 0
    }

    /// Extents of a tensor that is there.
    func shape(ofStored name: String) -> [Int]? { records[name]?.shape }

    func shape(ofTensor name: String, isPrefixed: Bool) -> [Int]? { records[isPrefixed ? prefix + name : name]?.shape }

    func contains(_ name: String) -> Bool { records[prefix + name] != nil || records[name] != nil }

    /// The name under which the checkpoint would hold it.
    func stored(_ demand: Demand) -> String { demand.isPrefixed ? prefix + demand.name : demand.name }

    /// Every tensor's role, in the checkpoint's order; throws for one that nobody has claimed.
    func roles(
        of checkpoint: Checkpoint, _ description: ModelDescription
    ) throws(ArchitectureError) -> OrderedDictionary<String, Architecture.TensorRole> {
        var roles: OrderedDictionary<String, Architecture.TensorRole> = [:]
        for name in checkpoint.tensors.keys {
            guard let role = claimed[name] else { throw stray(name, description) }
            roles[name] = role
        }
        return roles
    }

    /// What to say of a tensor that nothing declares: perhaps one that is there already under another prefix.
    private func stray(_ name: String, _ description: ModelDescription) -> ArchitectureError {
        let rest = description.prefixes.first { !$0.isEmpty && name.hasPrefix($0) }
            .map { String(name.dropFirst($0.count)) }
        for canonical in [name, rest ?? name] {
            if let twin = storedNames[canonical] { return .ambiguousTensor(path: path, tensor: name, other: twin) }
        }
        return .unknownTensor(path: path, tensor: name, family: family)
    }

    /// Records by their names, with old endings such as `.gamma` replaced.
    static func modernNames(
        of checkpoint: Checkpoint, _ description: ModelDescription
    ) throws(ArchitectureError) -> [String: TensorRecord] {
        var names = [String: TensorRecord](minimumCapacity: checkpoint.tensors.count)
        for record in checkpoint.tensors.values {
            var name = record.name
            for alias in description.aliases where name.hasSuffix(alias.from) {
                name = name.dropLast(alias.from.count) + alias.to
            }
            if let twin = names.updateValue(record, forKey: name) {
                throw .ambiguousTensor(path: checkpoint.path, tensor: record.name, other: twin.name)
            }
        }
        return names
    }
}
