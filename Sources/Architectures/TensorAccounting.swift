import Checkpoints
import OrderedCollections

/// The closed world: each tensor of the checkpoint is declared, each declared tensor is there, all shapes agree.
struct TensorAccounting {
    let path: String
    private(set) var roles: OrderedDictionary<String, Architecture.TensorRole> = [:]
    private var storedNames: [String: String] = [:]

    init(
        checkpoint: Checkpoint, description: ModelDescription, layers: Int, dimensions: [String: Int],
        reader: ConfigReader
    ) throws(ArchitectureError) {
        path = checkpoint.path
        let prefix = Self.prefix(of: checkpoint, description)
        let canonical = try Self.canonicalNames(of: checkpoint, description, prefix: prefix)
        for tensor in checkpoint.tensors.keys { roles[tensor] = .init(name: "unknown", layer: nil) }

        var unclaimed = canonical
        for template in description.tensors {
            let presence = try Self.presence(of: template, reader)
            guard let presence else { continue }
            for layer in template.isPerLayer ? Array(0..<layers).map(Optional.some) : [nil] {
                let name = layer.map { Self.fill(template.name, $0) } ?? template.name
                let key = Key(name: name, isPrefixed: template.isPrefixed || prefix.isEmpty)
                for (match, record) in Self.matches(key, in: unclaimed, isPattern: template.name.hasSuffix("*")) {
                    unclaimed[match] = nil
                    try Self.checkShape(record, template, dimensions, path: path)
                    if !["buffer", "task_head"].contains(template.role), !record.type.isComputable {
                        throw .notFloatingPoint(path: path, tensor: record.name, found: record.type.rawValue)
                    }
                    roles[record.name] = .init(name: template.role, layer: layer)
                    storedNames[match.name] = record.name
                }
                if presence == .required, storedNames[name] == nil {
                    throw .missingTensor(path: path, tensor: name, family: description.family)
                }
            }
        }
        if let stray = checkpoint.tensors.values.first(where: { record in
            unclaimed.values.contains { $0.name == record.name }
        }) {
            throw .unknownTensor(path: path, tensor: stray.name, family: description.family)
        }
    }

    /// The stored name of a canonical one.
    func stored(_ template: String, layer: Int) -> String? { storedNames[Self.fill(template, layer)] }

    static func fill(_ template: String, _ layer: Int) -> String {
        template.replacing("{layer}", with: "\(layer)")
    }

    /// A canonical name, and whether the model's prefix stood before it.
    private struct Key: Hashable {
        let name: String
        let isPrefixed: Bool
    }

    /// The first of the family's prefixes with which some required tensor is stored.
    private static func prefix(of checkpoint: Checkpoint, _ description: ModelDescription) -> String {
        description.prefixes.first { prefix in
            !prefix.isEmpty && checkpoint.tensors.keys.contains { $0.hasPrefix(prefix) }
        } ?? ""
    }

    private static func canonicalNames(
        of checkpoint: Checkpoint, _ description: ModelDescription, prefix: String
    ) throws(ArchitectureError) -> [Key: TensorRecord] {
        var names: [Key: TensorRecord] = [:]
        for record in checkpoint.tensors.values {
            let isPrefixed = record.name.hasPrefix(prefix)
            var name = isPrefixed ? String(record.name.dropFirst(prefix.count)) : record.name
            for alias in description.aliases where name.hasSuffix(alias.from) {
                name = name.dropLast(alias.from.count) + alias.to
            }
            let key = Key(name: name, isPrefixed: isPrefixed)
            guard names.updateValue(record, forKey: key) == nil else {
                throw .ambiguousTensor(path: checkpoint.path, tensor: name)
            }
        }
        return names
    }

    private static func matches(
        _ key: Key, in names: [Key: TensorRecord], isPattern: Bool
    ) -> [(Key, TensorRecord)] {
        guard isPattern else { return names[key].map { [(key, $0)] } ?? [] }
        let start = key.name.dropLast()
        return names.filter { $0.key.name.hasPrefix(start) && $0.key.isPrefixed == key.isPrefixed }
            .sorted { $0.key.name < $1.key.name }
    }

    /// Nil for a tensor that this configuration does not have.
    private static func presence(
        of template: ModelDescription.Tensor, _ reader: ConfigReader
    ) throws(ArchitectureError) -> ModelDescription.Presence? {
        guard case .whenFlag(let flag) = template.presence else { return template.presence }
        return try reader.flag(flag) ? .required : nil
    }

    private static func checkShape(
        _ record: TensorRecord, _ template: ModelDescription.Tensor, _ dimensions: [String: Int], path: String
    ) throws(ArchitectureError) {
        guard let shape = template.shape else { return }
        var expected: [Int] = []
        for (axis, text) in shape.enumerated() {
            let found = axis < record.shape.count ? record.shape[axis] : 0
            if text == "*" {
                expected.append(found)
            } else {
                expected.append(DimensionExpression(text: text).value(in: dimensions) ?? -1)
            }
        }
        guard expected == record.shape else {
            throw .shapeMismatch(path: path, tensor: record.name, expected: expected, found: record.shape)
        }
    }
}
