import Evaluation

extension RecordedReference {
    /// What is on record of a fixture.
    package init(_ name: String) throws { try self.init(reading: Fixtures.root + "/references/\(name).safetensors") }
}
