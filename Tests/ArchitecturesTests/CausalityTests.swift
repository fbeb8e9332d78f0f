import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Which positions attention sees: what `is_decoder` and `is_causal` of config.json say, as transformers 5 reads them.
@Suite struct CausalityTests {
    private func isCausal(_ name: String, _ settings: JSONObject) throws -> [Bool] {
        try ChangedFixture(name).resolve { model in
            for member in settings.members { model.config[member.key] = member.value }
        }.attention.map(\.mask.isCausal)
    }

    @Test(arguments: ["bert", "bert_masked_lm", "electra"])
    func decodersAmongEncoders(name: String) throws {
        let all = { (isCausal: Bool, count: Int) in Array(repeating: isCausal, count: count) }
        let plain = try isCausal(name, [:])
        #expect(plain == all(false, plain.count))
        #expect(try isCausal(name, ["is_decoder": .bool(true)]) == all(true, plain.count))
        #expect(try isCausal(name, ["is_decoder": .bool(true), "is_causal": .bool(false)]) == plain)
        #expect(try isCausal(name, ["is_causal": .bool(false)]) == plain)
    }

    @Test(arguments: ["llama", "gpt2", "gpt_neox", "bloom", "opt", "t5_gated"])
    func causalityThatIsSaidTwiceIsTheSame(name: String) throws {
        let plain = try isCausal(name, [:])
        #expect(plain.contains(true))
        guard name != "t5_gated" else { return }
        #expect(try isCausal(name, ["is_causal": .bool(true)]) == plain)
        #expect(try isCausal(name, ["is_causal": .bool(false)]) == plain.map { _ in false })
    }

    /// transformers makes masks of chunks without asking.
    @Test func chunksStayCausal() throws {
        let blocks = try ChangedFixture("llama4_text").resolve { $0.config["is_causal"] = .bool(false) }.attention
        #expect(blocks.contains { $0.mask.isCausal })
        for block in blocks { #expect(block.mask.isCausal == (block.mask.chunk != nil)) }
    }

    @Test(arguments: [
        ("bert", true), ("vit", true), ("modernbert", true), ("bart", true), ("bart", false), ("t5", false),
        ("whisper", false),
        ("stablelm", false), ("clip_text", false), ("gpt_neo", false), ("gemma3_text_bidirectional", false),
        ("gemma3_text_bidirectional", true),
    ])
    func whatKernelsDisagreeOnIsRefused(name: String, value: Bool) throws {
        let found = try ChangedFixture(name).configError { $0["is_causal"] = .bool(value) }
        guard case .refusedFeature(_, "is_causal", "\(value)", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    /// transformers counts their positions from another number when they generate.
    @Test func decodersThatGenerateOtherwiseAreRefused() throws {
        let found = try ChangedFixture("roberta_masked_lm").configError { $0["is_decoder"] = .bool(true) }
        guard case .refusedFeature(_, "is_decoder", "true", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    @Test func itIsABoolean() throws {
        let fixture = try ChangedFixture("llama")
        #expect(
            try fixture.configError { $0["is_causal"] = .string("no") }
                == .invalidConfigValue(path: fixture.path, key: "is_causal", found: "\"no\"", expected: "true or false")
        )
    }
}
