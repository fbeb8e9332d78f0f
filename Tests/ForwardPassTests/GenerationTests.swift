import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra
import TestSupport
import Testing

/// Greedy generation with a cache of keys and values, against evaluating the whole sequence anew for every token.
@Suite struct GenerationTests {
    private static let generative: [String] = Fixtures.recorded.filter { name in
        guard let model = try? Model(Checkpoint(opening: Fixtures.path(name))),
            case .language = model.architecture.head, let decoder = model.architecture.stacks.last
        else { return false }
        return decoder.isCausal
    }

    @Test(arguments: generative)
    func cacheChangesNothing(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
        let inputs = try RecordedReference(name).inputs.example(0)
        let readsEncoder = model.architecture.stacks.last?.readsEncoder == true
        var whole = inputs
        var expected: [Int] = []
        for _ in 0..<8 {
            let logits = try #require(try model.single(whole).values.first)
            let last = (0..<logits.columns).map { logits[logits.rows - 1, $0] }
            let best = try #require(last.indices.max { last[$0] < last[$1] })
            expected.append(best)
            if readsEncoder { whole.decoderTokens[0].append(best) } else { whole.tokens[0].append(best) }
        }
        #expect(try model.generate(inputs, count: 8) == expected)
    }

    @Test func coversTheFamilies() {
        #expect(Self.generative.count > 40 && Self.generative.contains("whisper") && Self.generative.contains("t5"))
    }

    @Test func stopsAtTheEnd() throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("llama")), threads: 1)
        let inputs = try RecordedReference("llama").inputs.example(0)
        let tokens = try model.generate(inputs, count: 8)
        let end = tokens[2]
        let place = try #require(tokens.firstIndex(of: end))
        #expect(try model.generate(inputs, count: 8, end: end) == Array(tokens[...place]))
        #expect(try model.generate(inputs, count: 0) == [])
    }

    @Test func encodersGenerateNothing() throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("bert_masked_lm")), threads: 1)
        #expect(throws: ForwardError.self) { try model.generate(ModelInputs(tokens: [[1, 2]]), count: 1) }
    }
}
