import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import LinearAlgebra
import TestSupport
import Testing

/// Our forward pass against what Hugging Face transformers computed under configurations that the recorded models were not saved with.
@Suite struct VariantTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        let name: String
        let model: String
        let config: JSONObject
        var testDescription: String { name }
        var record: String { Fixtures.root + "/variants/\(name).safetensors" }
    }

    static let variants: [Variant] = {
        let document = (try? Files.read(Fixtures.root + "/variants.json")).flatMap { try? JSONDocument(parsing: $0) }
        return (document?.root.object?.members ?? []).compactMap { member in
            guard let model = member.value["model"]?.string, let config = member.value["config"]?.object else {
                return nil
            }
            return Variant(name: member.key, model: model, config: config)
        }
    }()

    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func model(_ variant: Variant) throws -> Model {
        var model = try EditableModel(reading: Fixtures.path(variant.model))
        for member in variant.config.members { model.config[member.key] = member.value.isNull ? nil : member.value }
        return try Model(Checkpoint(opening: try model.write(to: folder("m"))), threads: 1)
    }

    @Test func everyVariantIsListed() { #expect(Self.variants.count >= 25) }

    @Test(arguments: variants)
    func outputsAreThoseOfTransformers(variant: Variant) throws {
        let reference = try RecordedReference(reading: variant.record)
        let output = try model(variant).double(reference.inputs).values.flatMap(\.elements)
        let error = relativeError(output, reference.double.flatMap(\.self))
        #expect(error < (variant.name.hasPrefix("bloom") ? 1e-9 : 1e-12), "\(error)")
    }

    @Test(arguments: variants)
    func continuationsAreThoseOfTransformers(variant: Variant) throws {
        let file = try Checkpoint(opening: variant.record)
        func tokens(_ name: String) -> [Int]? {
            file.tensors[name].map { record in file.bytes(of: record).bindMemory(to: Int64.self).map { Int($0) } }
        }
        guard let prompt = tokens("prompt"), let expected = tokens("generated") else { return }
        #expect(try model(variant).generate(ModelInputs(tokens: [prompt]), count: expected.count) == expected)
    }

    /// The encoder's tokens end nowhere, or the decoder is not in step: transformers fails there, too.
    @Test(arguments: ["bart_classifier", "t5_classifier"])
    func classifiersThatReadTheEndNeedOne(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
        let words = [5, 6, 7, 8]
        #expect(throws: ForwardError.noEndOfText(sequence: 1, token: 2)) {
            try model.single(ModelInputs(tokens: [words + [2], words + [9]]))
        }
        #expect(throws: ForwardError.decoderDoesNotFit(tokens: 5, decoder: 2)) {
            try model.single(ModelInputs(tokens: [words + [2]], decoderTokens: [[2, 5]]))
        }
    }
}
