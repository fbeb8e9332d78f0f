import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import LinearAlgebra
import Symmetries
import TestSupport
import Testing

/// Config files changed at random, the same for every run: whatever they say, a model is refused with one sentence or evaluated.
@Suite struct ConfigFuzzTests {
    private static let changes = 24

    /// Kinds of rotary scaling with all their settings, to be changed in their turn.
    private static let scalings: [JSONObject] = [
        ["rope_type": .string("dynamic"), "factor": .int(2)],
        [
            "rope_type": .string("llama3"), "factor": .int(8), "low_freq_factor": .int(1), "high_freq_factor": .int(4),
            "original_max_position_embeddings": .int(16),
        ],
        [
            "rope_type": .string("yarn"), "factor": .int(4), "original_max_position_embeddings": .int(8),
            "beta_fast": .int(2), "beta_slow": .double(0.5), "mscale": .int(1), "mscale_all_dim": .double(0.7),
        ],
        [
            "rope_type": .string("longrope"), "factor": .int(4), "original_max_position_embeddings": .int(8),
            "short_factor": .array(Array(repeating: .int(1), count: 4)),
            "long_factor": .array(Array(repeating: .int(2), count: 4)),
        ],
    ]

    private func evaluate(_ path: String) throws {
        let checkpoint = try Checkpoint(opening: path)
        let architecture = try Architecture.resolve(checkpoint)
        _ = (architecture.allSites.count, architecture.limits.count)
        _ = try JSONValue(encoding: Inspection(checkpoint)).serialized()
        guard architecture.isEvaluable else { return }
        let model = try Model(checkpoint, threads: 1)
        _ = try model.single(RandomInputs.make(for: model.architecture, sequences: 2, length: 9))
    }

    @Test func changedConfigsAreRefusedOrEvaluated() throws {
        let folder = try TemporaryDirectory()
        var stream = KeyedRandomStream(secret: [], info: "configs")
        var refused = 0
        for name in Fixtures.recorded + Fixtures.undescribed {
            let model = try EditableModel(reading: Fixtures.path(name))
            let path = try model.write(to: folder(name))
            var bases = [model.config]
            if model.config["rope_parameters"] != nil {
                for scaling in Self.scalings {
                    var config = model.config
                    config["rope_parameters"] = .object(scaling)
                    bases.append(config)
                }
            }
            for number in 0..<Self.changes {
                let base = bases[number % bases.count]
                let mutations = ConfigMutations.all(of: base)
                let mutation = mutations[stream.nextIndex(below: mutations.count)]
                try Files.write(JSONValue.object(mutation.apply(to: base)).serialized(), to: path + "/config.json")
                do { try evaluate(path) } catch {
                    refused += 1
                    let text = "\(error)"
                    let isKnown = error is ArchitectureError || error is ForwardError || error is CheckpointError
                    #expect(
                        isKnown && !text.contains("\n") && !text.contains("built-in"), "\(name) \(mutation): \(text)")
                }
            }
        }
        #expect(refused > Self.changes * Fixtures.recorded.count / 4)
    }
}
