import Evaluation

extension RecordedReference {
    /// What is on record of a fixture.
    public init(_ name: String) throws { try self.init(reading: Fixtures.root + "/references/\(name).safetensors") }
}
