import Checkpoints
import LinearAlgebra

extension EditableModel {
    /// A base from which a model could have been trained: every weight a little off, by up to a share of itself.
    ///
    /// - Parameters:
    ///   - path: of the model.
    ///   - share: how far, in both directions.
    public static func base(of path: String, off share: Double = 0.05, seed: UInt8 = 5) throws -> EditableModel {
        var model = try EditableModel(reading: path)
        var stream = KeyedRandomStream(secret: [seed], info: "base")
        for tensor in model.tensors where tensor.type.isComputable {
            try model.editFloats(tensor.name) { values in
                for place in values.indices { values[place] *= 1 + 2 * share * (stream.nextUnit() - 0.5) }
            }
        }
        return model
    }

    /// A fixture in some type, and a base that it could come from, in the directories `own` and `base` of a folder.
    public static func withBase(
        _ fixture: String, _ type: ElementType, in folder: TemporaryDirectory
    ) throws -> (own: Checkpoint, base: Checkpoint) {
        var own = try EditableModel(reading: Fixtures.path(fixture))
        try own.round(to: type)
        for name in ["own", "base"] { Files.remove(folder(name)) }
        try own.write(to: folder("own"))
        try base(of: folder("own")).write(to: folder("base"))
        return (try Checkpoint(opening: folder("own")), try Checkpoint(opening: folder("base")))
    }
}
