import ArgumentParser
import Checkpoints

/// Element types such as `f32,bf16`.
struct TypeList: ExpressibleByArgument {
    private static let names: KeyValuePairs<String, ElementType> = ["f32": .f32, "bf16": .bf16, "f16": .f16]

    let types: [ElementType]

    init?(argument: String) {
        var types: [ElementType] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let known = Self.names.first(where: { $0.key == name }) else { return nil }
            types.append(known.value)
        }
        self.types = types
    }

    static var allValueStrings: [String] { names.map(\.key) }
}

/// What is measured of models, in each of some types.
///
/// - Parameters:
///   - types: nil for those that the weights are stored in. Any other is made by rounding each weight once, to nearest even.
///   - folder: where copies are made and removed.
func measuring<Row>(
    _ models: [Checkpoint], in types: TypeList?, copies folder: String,
    _ measure: (_ models: [Checkpoint], _ type: String) throws -> [Row]
) throws -> [Row] {
    guard let types else { return try measure(models, "as stored") }
    return try types.types.flatMap { type in
        let name = type.rawValue.lowercased()
        let copies = models.indices.map { "\(folder)/\(name)-\($0)" }
        defer { copies.forEach { FileTree.remove($0) } }
        let stored = try zip(models, copies).map { model, copy in
            if model.tensors.values.allSatisfy({ !$0.type.isComputable || $0.type == type }) { return model }
            try CheckpointWriter().write(.converting(model, to: type), to: copy)
            return try Checkpoint(opening: copy)
        }
        return try measure(stored, name)
    }
}
