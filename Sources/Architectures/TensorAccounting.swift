import Checkpoints
import OrderedCollections

/// The closed world: each tensor of the checkpoint is declared, each declared tensor is there, all shapes agree.
struct TensorAccounting {
    let path: String
    private(set) var roles: OrderedDictionary<String, Architecture.TensorRole> = [:]
    /// Stored names by canonical ones, which have no prefix.
    private var storedNames: [String: String] = [:]

    init(
        checkpoint: Checkpoint, description: ModelDescription, layers: Int, dimensions: [String: Int],
        reader: ConfigReader
    ) throws(ArchitectureError) {
        path = checkpoint.path
        let records = try Self.modernNames(of: checkpoint, description)
        let prefix = Self.prefix(of: records, description)
        var claimed: [String: Architecture.TensorRole] = [:]

        var present: [(template: ModelDescription.Tensor, isRequired: Bool)] = []
        for template in description.tensors {
            if let isRequired = try reader.isRequired(template.presence) { present.append((template, isRequired)) }
        }
        // Required ones first: an absurd number of layers then ends at the first tensor that is not there.
        let ordered = present.filter(\.isRequired) + present.filter { !$0.isRequired }
        for (template, isRequired) in ordered {
            for index in 0..<(template.isPerLayer ? layers : 1) {
                let canonical = Self.fill(template.name, index)
                let name = template.isPrefixed ? prefix + canonical : canonical
                guard let record = records[name] else {
                    guard isRequired else { continue }
                    throw .missingTensor(path: path, tensor: name, family: description.family)
                }
                try Self.checkShape(record, template, dimensions, path: path)
                if template.role != "buffer", !record.type.isComputable {
                    throw .notFloatingPoint(path: path, tensor: record.name, found: record.type.rawValue)
                }
                claimed[record.name] = .init(name: template.role, layer: template.isPerLayer ? index : nil)
                storedNames[canonical] = record.name
            }
        }
        for name in checkpoint.tensors.keys {
            guard let role = claimed[name] else { throw stray(name, description) }
            roles[name] = role
        }
    }

    /// The stored name of a canonical one.
    func stored(_ template: String, layer: Int) -> String? { storedNames[Self.fill(template, layer)] }

    static func fill(_ template: String, _ layer: Int) -> String {
        template.replacing("{layer}", with: "\(layer)")
    }

    /// What to say of a tensor that nothing declares: perhaps one that is there already under another prefix.
    private func stray(_ name: String, _ description: ModelDescription) -> ArchitectureError {
        let rest = description.prefixes.first { !$0.isEmpty && name.hasPrefix($0) }
            .map { String(name.dropFirst($0.count)) }
        for canonical in [name, rest ?? name] {
            if let twin = storedNames[canonical] { return .ambiguousTensor(path: path, tensor: name, other: twin) }
        }
        return .unknownTensor(path: path, tensor: name, family: description.family)
    }

    /// Records by their names, with old endings such as `.gamma` replaced.
    private static func modernNames(
        of checkpoint: Checkpoint, _ description: ModelDescription
    ) throws(ArchitectureError) -> [String: TensorRecord] {
        var names: [String: TensorRecord] = [:]
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

    /// The prefix under which most of the required tensors are stored.
    private static func prefix(of records: [String: TensorRecord], _ description: ModelDescription) -> String {
        let names = description.tensors.filter { $0.presence == .required && $0.isPrefixed }.map { fill($0.name, 0) }
        let counted = description.prefixes.map { prefix in
            (prefix: prefix, count: names.count { records[prefix + $0] != nil })
        }
        return counted.max { $0.count < $1.count }?.prefix ?? ""
    }

    private static func checkShape(
        _ record: TensorRecord, _ template: ModelDescription.Tensor, _ dimensions: [String: Int], path: String
    ) throws(ArchitectureError) {
        guard let shape = template.shape else { return }
        var expected: [Int] = []
        for (axis, expression) in shape.enumerated() {
            guard let expression else {
                expected.append(axis < record.shape.count ? record.shape[axis] : 1)
                continue
            }
            guard let extent = expression.value(in: dimensions) else {
                throw .invalidConfigValue(
                    path: path, key: expression.text, found: "beyond every number",
                    expected: "the extent of \(record.name)")
            }
            expected.append(extent)
        }
        guard expected == record.shape else {
            throw .shapeMismatch(path: path, tensor: record.name, expected: expected, found: record.shape)
        }
    }
}
