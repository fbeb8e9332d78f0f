import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// A fixture, changed in memory, written and resolved.
struct ChangedFixture {
    private let folder: TemporaryDirectory
    private let original: EditableModel

    init(_ name: String) throws {
        folder = try TemporaryDirectory()
        original = try EditableModel(reading: Fixtures.path(name))
    }

    /// Where changed models lie; error cases carry it.
    var path: String { folder("m") }
    var tensors: [EditableModel.Tensor] { original.tensors }

    func resolve(_ change: (inout EditableModel) throws -> Void = { _ in }) throws -> Architecture {
        var model = original
        try change(&model)
        Files.remove(path)
        try model.write(to: path)
        return try Architecture.resolve(try Checkpoint(opening: path))
    }

    /// What resolving the changed model throws, nil when nothing.
    func error(_ change: (inout EditableModel) throws -> Void) throws -> ArchitectureError? {
        do {
            _ = try resolve(change)
            return nil
        } catch let error as ArchitectureError { return error }
    }

    func configError(_ change: (inout JSONObject) -> Void) throws -> ArchitectureError? {
        try error { change(&$0.config) }
    }
}
