import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Foundations
import LinearAlgebra
import TestSupport
import Testing

/// verify, evaluate, generate and families as a user meets them.
@Suite struct EvaluationCommandTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static let sequences = [[3, 14, 15, 9, 2, 6], [5, 35, 8], [9, 7, 9, 3, 23, 8, 4, 6]]

    private func lines(_ name: String, _ lines: [String]) throws -> String {
        try Files.write(lines.joined(separator: "\n") + "\n", to: folder(name))
        return folder(name)
    }

    /// The number behind a result's name.
    private func value(_ outcome: CommandRunner.Outcome) throws -> Double {
        #expect(outcome.code == 0, "\(outcome.errors)")
        return try #require(
            try JSONDocument(parsing: Array(outcome.output.utf8)).root["value"]?.double)
    }

    /// −log softmax(row)[target].
    private func surprise(_ scores: Matrix<Double>, _ row: Int, _ target: Int) -> Double {
        let values = (0..<scores.columns).map { scores[row, $0] }
        return log(values.reduce(0.0) { $0 + exp($1) }) - values[target]
    }

    @Test func languageModelsAreScoredOnEveryNextToken() throws {
        let path = Fixtures.path("llama")
        let data = try lines("data.jsonl", Self.sequences.map { "{\"input_ids\": \($0)}" })
        let outputs = try Model(Checkpoint(opening: path)).double(ModelInputs(tokens: Self.sequences)).values
        var (losses, hits): ([Double], Int) = ([], 0)
        for (tokens, scores) in zip(Self.sequences, outputs) {
            for (row, target) in tokens.dropFirst().enumerated() {
                losses.append(surprise(scores, row, target))
                let best = (0..<scores.columns).max { scores[row, $0] < scores[row, $1] }
                hits += best == target ? 1 : 0
            }
        }
        let mean = losses.reduce(0, +) / Double(losses.count)
        func run(_ metric: String) throws -> Double {
            try value(try CommandRunner.run("evaluate", path, "--data", data, "--metric", metric, "--double", "--json"))
        }
        #expect((try run("loss") / mean - 1).magnitude < 1e-12)
        #expect((try run("perplexity") / exp(mean) - 1).magnitude < 1e-12)
        #expect(try run("accuracy") == Double(hits) / Double(losses.count))
        // More than is evaluated at once.
        let many = try lines("many.jsonl", (0..<300).flatMap { _ in Self.sequences.map(\.description) })
        let repeated = try CommandRunner.run("evaluate", path, "--data", many, "--metric", "loss", "--double", "--json")
        #expect((try value(repeated) / mean - 1).magnitude < 1e-12)
        let single = try CommandRunner.run("evaluate", path, "--data", data, "--metric", "loss", "--json")
        #expect((try value(single) / mean - 1).magnitude < 1e-5)
    }

    @Test func classifiersAreScoredOnLabels() throws {
        let path = Fixtures.path("roberta")
        let outputs = try Model(Checkpoint(opening: path)).double(ModelInputs(tokens: Self.sequences)).values
        let labels = [0, 1, 2]
        let data = try lines(
            "data.jsonl", zip(Self.sequences, labels).map { "{\"input_ids\": \($0), \"label\": \($1)}" })
        let losses = zip(outputs, labels).map { surprise($0, 0, $1) }
        let hits = zip(outputs, labels).filter { scores, label in
            (0..<scores.columns).max { scores[0, $0] < scores[0, $1] } == label
        }.count
        let loss = try CommandRunner.run(
            "evaluate", path, "--data", data, "--metric", "loss", "--double", "--json")
        #expect((try value(loss) / (losses.reduce(0, +) / 3) - 1).magnitude < 1e-12)
        let accuracy = try CommandRunner.run("evaluate", path, "--data", data, "--metric", "accuracy", "--json")
        #expect(try value(accuracy) == Double(hits) / 3)
    }

    /// Pixels and labels from a safetensors file: labels set to what the model prefers, all but one.
    @Test func imagesAreScoredOnLabels() throws {
        let path = Fixtures.path("deit")
        let inputs = try RecordedReference("deit").inputs
        let outputs = try Model(Checkpoint(opening: path)).double(inputs).values
        var labels = outputs.map { scores in
            (0..<scores.columns).max { scores[0, $0] < scores[0, $1] } ?? 0
        }
        labels[0] = (labels[0] + 1) % outputs[0].columns
        let pixels = inputs.pixels.flatMap(\.values).withUnsafeBytes { Array($0) }
        let classes = labels.withUnsafeBytes { Array($0) }
        let header = SafetensorsHeader.bytes(
            for: [
                TensorSpec(name: "pixel_values", type: .f32, shape: [labels.count] + inputs.pixels[0].shape),
                TensorSpec(name: "labels", type: .i64, shape: [labels.count]),
            ], metadata: nil)
        try Files.write(header + pixels + classes, to: folder("data.safetensors"))
        let outcome = try CommandRunner.run(
            "evaluate", path, "--data", folder("data.safetensors"), "--metric", "accuracy", "--json")
        #expect(try value(outcome) == Double(labels.count - 1) / Double(labels.count))
    }

    @Test func whatCannotBeScoredIsSaid() throws {
        let data = try lines("data.jsonl", ["[1, 2, 3]"])
        let labelled = try lines("labelled.jsonl", ["{\"input_ids\": [1, 2, 3], \"label\": 3}"])
        let short = try lines("short.jsonl", ["[1]"])
        for (model, data, metric, expected) in [
            ("bert", data, "loss", "neither classes nor next tokens"), ("roberta", data, "accuracy", "no label"),
            ("roberta", labelled, "accuracy", "label 3 lies outside"), ("llama", short, "loss", "at least two tokens"),
            ("llama", folder("none.jsonl"), "loss", "cannot be read"),
        ] {
            let outcome = try CommandRunner.run("evaluate", Fixtures.path(model), "--data", data, "--metric", metric)
            #expect(outcome.code == 1 && outcome.errors.contains(expected), "\(outcome.errors)")
            #expect(outcome.output.isEmpty && outcome.errors.filter { $0 == "\n" }.count == 1)
        }
    }

    @Test func generationGoesOnFromThePrompt() throws {
        let outcome = try CommandRunner.run("generate", Fixtures.path("gpt2"), "--prompt", "1,2,3", "--count", "5")
        let expected = try Model(Checkpoint(opening: Fixtures.path("gpt2")))
            .generate(ModelInputs(tokens: [[1, 2, 3]]), count: 5)
        #expect(outcome.code == 0 && outcome.output == expected.map(String.init).joined(separator: ",") + "\n")
        #expect(try CommandRunner.run("generate", Fixtures.path("gpt2"), "--prompt", "1,,3").code == 64)
        let encoder = try CommandRunner.run("generate", Fixtures.path("bert"), "--prompt", "1")
        #expect(encoder.code == 1)
    }

    @Test func verificationReadsTokens() throws {
        let path = Fixtures.path("bert")
        var model = try EditableModel(reading: path)
        // A word that the given tokens do not use: weights tell, outputs on these tokens do not.
        try model.edit("embeddings.word_embeddings.weight") { $0[60 * 48] += 1 }
        try model.write(to: folder("m"))
        let data = try lines("data.jsonl", Self.sequences.map(\.description))
        let outcome = try CommandRunner.run("verify", path, folder("m"), "--tokens", data, "--json")
        let report = try JSONDocument(parsing: Array(outcome.output.utf8)).root
        #expect(outcome.code == 2 && report["same_function"]?.bool == false)
        #expect(report["outputs"]?["same_function"]?.bool == true)
        #expect(report["outputs"]?["drift"]?["relative_error"]?.double == 0)
        #expect(report["outputs"]?["drift"]?["largest_similarity_change"]?.double == 0)
        #expect(report["outputs"]?["layers"]?.array?.count == 4)
        let weights = try CommandRunner.run("verify", path, folder("m"), "--weights-only", "--json")
        #expect(try JSONDocument(parsing: Array(weights.output.utf8)).root["outputs"]?.isNull == true)
        for words in [["--tokens", data, "--inputs", data], ["--weights-only", "--tokens", data]] {
            #expect(try CommandRunner.run(["verify", path, folder("m")] + words).code == 64)
        }
    }

    @Test func familiesAreListed() throws {
        let outcome = try CommandRunner.run("families")
        #expect(outcome.code == 0)
        for name in ["llama", "deepseek_v3", "gpt_oss", "whisper", "siglip"] { #expect(outcome.output.contains(name)) }
    }
}
