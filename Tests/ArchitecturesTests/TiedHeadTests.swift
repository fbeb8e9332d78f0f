import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Heads and embeddings that are stored although config.json ties them: transformers 5 ties what is equal and keeps what differs.
@Suite struct TiedHeadTests {
    private func head(_ model: Architecture) -> String? {
        if case .language(let head) = model.head { head.head.weight } else { nil }
    }

    /// The same whether it is equal or not, as the two then hold the same numbers.
    @Test(arguments: [false, true])
    func aStoredHeadIsUsed(differs: Bool) throws {
        let model = try ChangedFixture("llama_tied").resolve { model in
            var copy = model.tensors[try model.index("model.embed_tokens.weight")]
            copy.name = "lm_head.weight"
            if differs { copy.bytes[2] ^= 1 }
            model.tensors.append(copy)
        }
        #expect(head(model) == "lm_head.weight")
        #expect(!model.hasTiedHead)
    }

    @Test func anAbsentHeadIsTheEmbedding() throws {
        #expect(head(try ChangedFixture("llama_tied").resolve()) == "model.embed_tokens.weight")
    }

    /// What is tied may be stored as the head alone, for a class that has one and ties it.
    @Test func aHeadAloneIsTheEmbedding() throws {
        let fixture = try ChangedFixture("llama_tied")
        let rename = { (model: inout EditableModel) in model.rename([("model.embed_tokens.", "lm_head.")]) }
        let model = try fixture.resolve(rename)
        #expect(model.hasTiedHead && head(model) == "lm_head.weight")
        #expect(model.roles["lm_head.weight"]?.name == "token_embedding")
        let missing = ArchitectureError.missingTensor(
            path: fixture.path, tensor: "model.embed_tokens.weight", family: "llama")
        for change in [
            ("architectures", JSONValue.array([.string("LlamaModel")])), ("tie_word_embeddings", .bool(false)),
        ] {
            let found = try fixture.error {
                rename(&$0)
                $0.config[change.0] = change.1
            }
            #expect(found == missing)
        }
    }

    /// Encoder and decoder would each have a table of their own.
    @Test(arguments: ["t5", "bart"])
    func embeddingsThatDifferAreRefused(name: String) throws {
        let fixture = try ChangedFixture(name)
        func add(_ model: inout EditableModel, differs: Bool) throws {
            let place = try #require(model.tensors.firstIndex { $0.name.hasSuffix("shared.weight") })
            var copy = model.tensors[place]
            copy.name = copy.name.replacing("shared", with: "encoder.embed_tokens")
            if differs { copy.bytes[2] ^= 1 }
            model.tensors.append(copy)
        }
        _ = try fixture.resolve { try add(&$0, differs: false) }
        guard case .ambiguousTensor(_, let tensor, let other)? = try fixture.error({ try add(&$0, differs: true) })
        else {
            Issue.record("not refused")
            return
        }
        #expect(tensor.hasSuffix("encoder.embed_tokens.weight") && other.hasSuffix("shared.weight"))
    }

    /// transformers keeps this classifier in CLIPForImageClassification alone, whose type is clip.
    @Test func aClassifierOnClipsVisionTowerIsUnknown() throws {
        let found = try ChangedFixture("clip_vision").error { model in
            model.config["architectures"] = .array([.string("CLIPForImageClassification")])
            model.tensors.append(
                .init(
                    name: "classifier.weight", type: .f32, shape: [2, 48],
                    bytes: [UInt8](repeating: 0, count: 4 * 2 * 48)
                ))
        }
        guard case .unknownTensor(_, "classifier.weight", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }
}
