import Alignment
import Auditing
import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Foundations
import Merging
import Protections
import TestSupport
import Testing

/// An audit's figures against the same found step by step, with models that are written.
@Suite struct AuditorTests {
    private let folder: TemporaryDirectory
    private let names = ["base", "own", "other", "third"]

    init() throws {
        folder = try TemporaryDirectory()
        try Files.makeDirectory(folder("work"))
        for (number, name) in names.enumerated() {
            var model = try EditableModel(reading: Fixtures.path("bert_classifier"))
            for tensor in model.tensors where tensor.type == .f32 && number > 0 {
                // Heads are the experts' own, bodies a little off the base's.
                let size: Float = tensor.name.contains("classifier") ? 0.4 : 0.04
                try model.edit(tensor.name) { values in
                    for place in values.indices {
                        values[place] += size * Float(sin(Double(place * (number + 2) + number)))
                    }
                }
            }
            try model.write(to: folder(name))
            let lines = (0..<12).map { line in
                let tokens = (0..<6).map { "\(3 + (line * 7 + $0 * 5 + number) % 50)" }.joined(separator: ", ")
                return "{\"input_ids\": [\(tokens)], \"label\": \((line + number) % 3)}"
            }
            try Files.write(lines.joined(separator: "\n") + "\n", to: folder("\(name).jsonl"))
        }
    }

    private func configuration(
        others: [String] = ["other"], protections: [AuditConfiguration.Protection],
        attacks: [AuditConfiguration.Attack] = [.none],
        merges: [AuditConfiguration.Merge] = [.init(.taskArithmetic)]
    ) -> AuditConfiguration {
        func expert(_ name: String) -> AuditConfiguration.Expert {
            .init(name, model: folder(name), data: folder("\(name).jsonl"))
        }
        var configuration = AuditConfiguration(
            base: folder("base"), model: expert("own"), others: others.map(expert), protections: protections,
            attacks: attacks, merges: merges)
        configuration.examples = 10
        configuration.protectedCoefficients = [0.5, 1]
        configuration.otherCoefficients = [0.25]
        configuration.barrierPoints = 3
        return configuration
    }

    private func run(_ configuration: AuditConfiguration) throws -> AuditResults {
        try Auditor(configuration, in: folder("work"), threads: 2).run()
    }

    private static let lock = AuditConfiguration.Protection("mergelock", .steps([StepOptions(method: .mergelock)]))
    /// Residual streams among what it permutes, so that heads go with their bodies alone.
    private static let permuting = AuditConfiguration.Protection("full", .steps([StepOptions(method: .full)]))
    private static let none = AuditConfiguration.Protection("none", .none)

    /// How a written body does on a task, with the head of its expert put into it.
    private func scores(_ body: String, head: String, task: String) throws -> ModelEvaluation.Scores {
        let (heads, shell) = (try EditableModel(reading: head), try EditableModel(reading: folder(task)))
        var model = try EditableModel(reading: body)
        for tensor in heads.tensors where tensor.name.contains("classifier") || tensor.name.contains("pooler") {
            model.tensors[try model.index(tensor.name)] = tensor
        }
        model.config = shell.config
        let path = folder("joined")
        Files.remove(path)
        let examples = try ModelEvaluation.examples(reading: folder("\(task).jsonl")).prefix(10)
        return try ModelEvaluation(model: Model(Checkpoint(opening: model.write(to: path)))).scores(Array(examples))
    }

    private func merge(_ method: MergeMethod, _ weights: [(String, Double)], base: String?) throws -> String {
        let path = folder("merged")
        Files.remove(path)
        try Merger(
            MergeConfiguration(
                method, weights.map { .init($0.0, settings: ["weight": .value($0.1)]) }, base: base)
        ).merge(to: path)
        return path
    }

    @Test func mergesAreScoredWithEveryTasksOwnHead() throws {
        let results = try run(configuration(protections: [Self.none]))
        #expect(results.heads.count == 4 && results.tasks.map(\.name) == ["own", "other"])
        let merge = try #require(results.protections.first?.attacks.first?.merges.first)
        #expect(merge.candidates.map(\.protected) == [0.5, 1] && merge.candidates.map(\.others) == [0.25, 0.25])
        for candidate in merge.candidates {
            let path = try self.merge(
                .taskArithmetic, [(folder("own"), candidate.protected ?? 0), (folder("other"), 0.25)],
                base: folder("base"))
            let expected = try ["own", "other"].map { try scores(path, head: folder($0), task: $0) }
            #expect(candidate.scores.accuracies == expected.map(\.accuracy))
            #expect(candidate.scores.losses == expected.map(\.loss))
            let shares = zip(expected, results.tasks).map { $0.accuracy / $1.accuracy }
            #expect((candidate.scores.utility - (shares[0] + shares[1]) / 2).magnitude < 1e-12)
        }
        #expect(merge.candidates[0].scores.losses != merge.candidates[1].scores.losses)
    }

    @Test func whatNeedsNoMergeIsScoredToo() throws {
        let results = try run(configuration(protections: [Self.none]))
        #expect(results.singles.map(\.name) == ["own", "other", "base", "base + 0.25 x other"])
        let shifted = try merge(.taskArithmetic, [(folder("other"), 0.25)], base: folder("base"))
        for (single, body) in zip(results.singles, [folder("own"), folder("other"), folder("base"), shifted]) {
            let expected = try ["own", "other"].map { try scores(body, head: folder($0), task: $0) }
            #expect(single.scores.losses == expected.map(\.loss), "\(single.name)")
        }
        #expect(
            results.tasks.map(\.loss) == [results.singles[0].scores.losses[0], results.singles[1].scores.losses[1]])
        let protection = try #require(results.protections.first)
        let alone = [protection.alone.utility] + results.singles.dropFirst().map(\.scores.utility)
        #expect(protection.baseline.utility == alone.max())
        #expect(
            protection.worst?.advantage == (protection.worst?.candidate.scores.utility ?? 0)
                - protection.baseline.utility)
        #expect(protection.cost == nil && protection.displacement == 0)
    }

    /// The logarithm of the mean of probabilities, example by example.
    @Test func theEnsembleIsTheMeanOfProbabilities() throws {
        let results = try run(configuration(protections: [Self.none]))
        let examples = try ModelEvaluation.examples(reading: folder("own.jsonl")).prefix(10)
        var loss = 0.0
        for example in examples {
            var sums: [Double] = []
            for body in ["own", "other"] {
                _ = try scores(folder(body), head: folder("own"), task: "own")
                let scores = try Model(Checkpoint(opening: folder("joined"))).single(example.inputs).values[0].elements
                let powers = scores.map { exp(Double($0)) }
                let parts = powers.map { $0 / powers.reduce(0, +) }
                sums = sums.isEmpty ? parts : zip(sums, parts).map { $0 + $1 }
            }
            loss -= log(sums[example.label ?? 0] / 2)
        }
        #expect((results.ensemble.losses[0] - loss / 10).magnitude < 1e-6)
    }

    @Test func attacksAndBarriersAreMeasured() throws {
        let results = try run(configuration(protections: [Self.none, Self.lock], attacks: [.none, .align(.coupled)]))
        let (open, locked) = (results.protections[0], results.protections[1])
        #expect(open.attacks.map(\.name) == ["none"] && locked.attacks.map(\.name) == ["none", "coupled"])
        let cost = try #require(locked.cost)
        #expect(
            cost.sameFunctionByWeights == true && cost.outputChange < 1e-4 && cost.seconds > 0 && cost.copySeconds > 0)
        #expect(locked.displacement > 0.3 && locked.attacks[1].displacement < 0.2)
        #expect((locked.alone.losses[0] - open.alone.losses[0]).magnitude < 1e-4)
        // What was aligned merges as if it had never been locked.
        let (before, after) = (open.attacks[0].merges[0], locked.attacks[1].merges[0])
        for (a, b) in zip(before.candidates, after.candidates) {
            #expect((a.scores.losses[0] - b.scores.losses[0]).magnitude < 0.05)
        }
        #expect(
            (before.candidates[0].scores.losses[0] - locked.attacks[0].merges[0].candidates[0].scores.losses[0])
                .magnitude > 0.001)
        // Half of the way, by hand.
        let barrier = try #require(open.attacks[0].barriers.first)
        #expect(barrier.alphas == [0, 0.5, 1] && barrier.other == "other")
        let path = try merge(.linear, [(folder("own"), 0.5), (folder("other"), 0.5)], base: nil)
        let middle = try ["own", "other"].map { try scores(path, head: folder($0), task: $0).loss }
        #expect((barrier.losses[1] - (middle[0] + middle[1]) / 2).magnitude < 1e-12)
        #expect(barrier.height == max(0, barrier.losses[1] - (barrier.losses[0] + barrier.losses[2]) / 2))
    }

    /// Two merges for two tasks, and none of them the other's.
    @Test func aMethodThatRebuildsOneTaskIsAskedForEach() throws {
        let results = try run(configuration(protections: [Self.none], merges: [.init(.emr)]))
        let candidate = try #require(results.protections[0].attacks[0].merges[0].candidates.first)
        #expect(candidate.protected == nil && candidate.others == nil)
        for (task, name) in ["own", "other"].enumerated() {
            Files.remove(folder("merged"))
            try Merger(
                MergeConfiguration(
                    .emr, [.init(folder("own")), .init(folder("other"))], base: folder("base"),
                    settings: ["task": .value(Double(task + 1))])
            ).merge(to: folder("merged"))
            let expected = try scores(folder("merged"), head: folder(name), task: name)
            #expect(candidate.scores.losses[task] == expected.loss)
        }
    }

    /// One body for all tasks, whose linear maps route: whole differences of one model are its own maps, to the bit.
    @Test(arguments: [0.0, 1]) func aRoutedModelIsOneForAllTasks(averages: Double) throws {
        // Nothing was changed in the other.
        Files.remove(folder("other"))
        try EditableModel(reading: folder("base")).write(to: folder("other"))
        let parameters = ["k": 0, "top_k": 1, "average_experts": averages]
        let results = try run(
            configuration(protections: [Self.none], merges: [.init(.smile, parameters), .init(.smile, ["k": 1])]))
        let merges = results.protections[0].attacks[0].merges
        #expect(merges.map(\.name) == ["smile (average_experts \(Int(averages)), k 0, top_k 1)", "smile (k 1)"])
        #expect(merges.allSatisfy { $0.isPerTask && $0.failure == nil && $0.candidates.count == 1 })
        #expect(results.protections[0].worst == nil && results.protections[0].worstPerTask != nil)
        // Every map of the base is left by none: the other's gate has no direction.
        let own = try EditableModel(reading: folder("own"))
        var mixed = try EditableModel(reading: folder("base"))
        for tensor in own.tensors where tensor.type == .f32 {
            let isMap = tensor.name.contains("encoder") && !tensor.name.contains("LayerNorm")
            let others = try own.values(tensor.name)
            try mixed.edit(tensor.name) { values in
                let share: Float = isMap ? 1 : averages == 0 ? 0 : 0.5
                for i in values.indices {
                    values[i] = share == 1 ? others[i] : values[i] + share * (others[i] - values[i])
                }
            }
        }
        try mixed.write(to: folder("mixed"))
        for (task, name) in ["own", "other"].enumerated() {
            let expected = try scores(folder("mixed"), head: folder(name), task: name)
            let found = merges.map { $0.candidates[0].scores.losses[task] }
            #expect((found[0] - expected.loss).magnitude <= (averages == 0 ? 0 : 1e-6), "\(name)")
            #expect((found[1] - expected.loss).magnitude > 1e-5, "\(name)")
        }
    }

    @Test func coefficientsAreThoseThatTheMethodTakes() {
        func trials(_ merge: AuditConfiguration.Merge) -> [String] {
            MergeTrial.all(of: merge, configuration(protections: [Self.none])).map(\.text)
        }
        #expect(trials(.init(.ties, ["density": 0.5])) == ["0.5/0.25", "1.0/0.25"])
        #expect(trials(.init(.slerp)) == ["\(1 - 0.25 / 0.75)/\(0.25 / 0.75)", "0.8/0.2"])
        #expect(trials(.init(.slerp, ["t": 0.5])) == ["-/-"])
        #expect(trials(.init(.magMax)) == ["0.5/0.5", "1.0/1.0"] && trials(.init(.keepOne)) == ["1.0/0.25"])
        #expect(trials(.init(.karcher)) == ["-/-"] && trials(.init(.smile)) == ["-/-"])
    }

    /// Parameters that differ are told apart, however small they are.
    @Test func mergesAreNamedByTheirParameters() {
        let names = [1e-9, 2e-9, 0.2, 1].map { AuditConfiguration.Merge(.nearSwap, ["t": $0]).name }
        #expect(names == ["nearswap (t 1e-09)", "nearswap (t 2e-09)", "nearswap (t 0.2)", "nearswap (t 1)"])
    }

    /// A merge that does not go is said, and the others go on.
    @Test func failuresAreReported() throws {
        let results = try run(
            configuration(
                others: ["other", "third"], protections: [Self.none],
                merges: [.init(.slerp), .init(.taskArithmetic), .init(.emr)]))
        let merges = results.protections[0].attacks[0].merges
        #expect(merges[0].candidates.isEmpty && merges[0].failure?.contains("slerp") == true)
        #expect(merges[1].failure == nil && merges[1].candidates.count == 2 && results.tasks.count == 3)
        #expect(results.protections[0].attacks[0].barriers.map(\.other) == ["other", "third"])
    }

    /// So is a merged model whose scores are no numbers.
    @Test func scoresThatAreNoNumbersAreReported() throws {
        var configuration = configuration(
            protections: [Self.lock], attacks: [.none, .circuits], merges: [.init(.taskArithmetic), .init(.keepOne)])
        configuration.protectedCoefficients = [1e25]
        let attacks = try run(configuration).protections[0].attacks
        try #require(attacks.count == 2 && attacks.allSatisfy { !$0.merges.isEmpty })
        for merge in attacks.compactMap(\.merges.first) {
            #expect(merge.candidates.isEmpty && merge.failure?.contains("not finite") == true, "\(merge)")
        }
        #expect(attacks[0].merges[1].failure == nil && attacks[0].merges[1].candidates.count == 1)
    }

    /// A published head lies where the published streams do: on its own body it does what it did before.
    @Test func publishedHeadsGoWithPublishedBodies() throws {
        var configuration = configuration(protections: [Self.permuting])
        (configuration.protectedCoefficients, configuration.otherCoefficients) = ([1], [0])
        let results = try run(configuration)
        let protection = results.protections[0]
        let candidate = try #require(protection.attacks[0].merges[0].candidates.first)
        for loss in [protection.alone.losses[0], candidate.scores.losses[0]] {
            #expect((loss - results.tasks[0].loss).magnitude < 1e-4)
        }
        // Another expert's head reads it in the wrong places.
        #expect((protection.alone.losses[1] - results.singles[0].scores.losses[1]).magnitude > 1e-3)
    }

    /// Language models are one model on every task, also where turning stored a tied head apart.
    @Test func languageModelsAreScoredWhole() throws {
        for (number, name) in ["base", "own", "other"].enumerated() {
            let model = try EditableModel.base(of: Fixtures.path("llama_tied"), off: 0.2, seed: UInt8(number))
            Files.remove(folder(name))
            try model.write(to: folder(name))
            // What it would say itself.
            let tokens = [number + 3, 5]
            let said = try Model(Checkpoint(opening: folder(name))).generate(ModelInputs(tokens: [tokens]), count: 6)
            try Files.write("{\"input_ids\": \(tokens + said)}\n", to: folder("\(name).jsonl"))
        }
        var turning = StepOptions(method: .full)
        turning.residual = .rotation
        var configuration = configuration(
            protections: [Self.none, .init("turned", .steps([turning]))],
            attacks: [.none, .align(.coupled), .circuits], merges: [.init(.linear)])
        (configuration.heads, configuration.examples) = (nil, 1)
        let results = try run(configuration)
        #expect(results.heads.isEmpty && results.tasks.map(\.unit) == ["next tokens", "next tokens"])
        for (a, b) in zip(results.protections[0].alone.losses, results.protections[1].alone.losses) {
            #expect((a - b).magnitude < 1e-3)
        }
        // Whoever merges it stores the others' heads apart as well: an attacker who aligned it merges it like an unprotected one.
        let unprotected = try #require(results.protections[0].attacks[0].merges[0].candidates.first)
        let merges = try results.protections[1].attacks.map { try #require($0.merges.first) }
        #expect(merges.allSatisfy { $0.failure == nil && $0.candidates.count == 2 })
        let distances = try merges.map { merge in
            let losses = try #require(merge.candidates.first).scores.losses
            return zip(losses, unprotected.scores.losses).reduce(0) { $0 + ($1.0 - $1.1).magnitude }
        }
        #expect(distances[1] < distances[0] / 4, "\(distances)")
    }

    /// On inputs that are given, and as models written and merged by hand.
    @Test func mergesThatRunModelsTakeTheCalibrationData() throws {
        var configuration = configuration(
            protections: [Self.none], merges: [.init(.regMean, ["weight": 1])])
        #expect(throws: AuditError.missingEvidence(method: "regmean", .calibration)) { try run(configuration) }
        let lines = (0..<20).map { line in
            "{\"input_ids\": [\((0..<9).map { "\(3 + (line * 5 + $0 * 7) % 50)" }.joined(separator: ", "))]}"
        }
        let data = folder("calibration.jsonl")
        try Files.write(lines.joined(separator: "\n") + "\n", to: data)
        configuration.calibration = data
        let merge = try run(configuration).protections[0].attacks[0].merges[0]
        let candidate = try #require(merge.candidates.first, "\(merge.failure ?? "")")
        try Merger(
            MergeConfiguration(
                .regMean, ["own", "other"].map { .init(folder($0), evidence: data) }, base: folder("base"))
        ).merge(to: folder("merged"))
        let expected = try ["own", "other"].map { try scores(folder("merged"), head: folder($0), task: $0).loss }
        #expect(candidate.scores.losses == expected)
    }

    /// From the published model to the other.
    @Test func pairsGoFromThePublishedModelToTheOther() throws {
        let results = try run(configuration(protections: [Self.none], merges: [.init(.slerp)]))
        let candidate = try #require(results.protections[0].attacks[0].merges[0].candidates.last)
        try Merger(
            MergeConfiguration(
                .slerp, [.init(folder("other"))], base: folder("own"), settings: ["t": .value(candidate.others ?? 0)])
        ).merge(to: folder("merged"))
        let expected = try ["own", "other"].map { try scores(folder("merged"), head: folder($0), task: $0).loss }
        #expect(candidate.scores.losses == expected)
    }

    /// So is an attack that does not go, beside those that do.
    @Test func attacksThatFailAreReported() throws {
        let results = try run(
            configuration(
                protections: [Self.lock], attacks: [.align(.coupledActivations), .circuits, .none]))
        let attacks = results.protections[0].attacks
        #expect(
            attacks[0].failure?.contains("--calibration") == false
                && attacks[0].failure?.contains("activations") == true)
        #expect(attacks[0].merges.isEmpty && attacks[0].barriers.isEmpty)
        #expect(attacks[1].merges.map(\.name) == ["circuits"] && attacks[1].merges[0].candidates.count == 2)
        #expect(attacks[2].failure == nil && attacks[2].merges[0].candidates.count == 2)
        #expect(results.protections[0].worst != nil)
    }

    /// Circuits, merged and written by hand: their figures, with heads that lie where the published model's streams do.
    @Test func circuitsAreScoredAsTheyComeOut() throws {
        let results = try run(configuration(protections: [Self.permuting], attacks: [.circuits]))
        let candidate = try #require(results.protections[0].attacks[0].merges[0].candidates.first)
        // Nothing of the lock is left to tell them from the unprotected models' circuits.
        let (own, other) = (try Checkpoint(opening: folder("own")), try Checkpoint(opening: folder("other")))
        try CircuitMerger().merge(
            own, with: [other], base: Checkpoint(opening: folder("base")), weight: 0.5, writing: folder("circuits"))
        for (task, name) in ["own", "other"].enumerated() {
            let expected = try scores(folder("circuits"), head: folder(name), task: name)
            #expect((candidate.scores.losses[task] - expected.loss).magnitude < 0.02, "\(name)")
        }
    }

    @Test func publishedModelsOfOtherShapesAreRefused() throws {
        let stranger = AuditConfiguration.Protection("stranger", .published(Fixtures.path("bert")))
        #expect(throws: AuditError.self) { try run(configuration(protections: [stranger])) }
        let same = AuditConfiguration.Protection("same", .published(folder("own")))
        let results = try run(configuration(protections: [Self.none, same]))
        #expect(results.protections[1].cost == nil && results.protections[1].displacement == 0)
        #expect(results.protections[0].attacks[0].merges == results.protections[1].attacks[0].merges)
    }

    /// A run that was stopped, in the middle of a line too, goes on with what it had, and finds the same.
    @Test func whatWasFoundIsNotFoundAgain() throws {
        let configuration = configuration(protections: [Self.lock], attacks: [.none, .align(.coupled)])
        let first = try run(configuration)
        let path = folder("work/found.jsonl")
        let lines = try #require(FileManager.default.contents(atPath: path)).split(separator: UInt8(ascii: "\n"))
        #expect(try run(configuration) == first)
        #expect(try #require(FileManager.default.contents(atPath: path)).split(separator: UInt8(ascii: "\n")) == lines)
        let torn = Data(
            lines.prefix(lines.count - 2).joined(separator: Data("\n".utf8)) + Data("\n".utf8)
                + lines[lines.count - 2].prefix(40))
        try torn.write(to: URL(fileURLWithPath: path))
        let again = try run(configuration)
        #expect(again.protections[0].attacks.map(\.merges) == first.protections[0].attacks.map(\.merges))
        let after = try #require(FileManager.default.contents(atPath: path)).split(separator: UInt8(ascii: "\n"))
        #expect(after.count == lines.count + 1)
        // A task by another name is told by that.
        var renamed = AuditConfiguration(
            base: configuration.base, model: .init("renamed", model: folder("own"), data: folder("own.jsonl")),
            others: configuration.others, protections: [Self.none], attacks: [.none], merges: configuration.merges)
        renamed.examples = 10
        (renamed.protectedCoefficients, renamed.otherCoefficients) = (
            configuration.protectedCoefficients, configuration.otherCoefficients
        )
        renamed.barrierPoints = configuration.barrierPoints
        #expect(try run(renamed).tasks.map(\.name) == ["renamed", "other"])
        // Other examples are other findings.
        var changed = configuration
        changed.examples = 5
        #expect(try run(changed).tasks.map(\.examples) == [5, 5])
    }

    @Test func modelsThatDoNotGoTogetherAreRefused() throws {
        func error(_ configuration: AuditConfiguration) -> AuditError? {
            do {
                _ = try run(configuration)
                return nil
            } catch { return error as? AuditError }
        }
        let plain = configuration(protections: [Self.none])
        var longer = try EditableModel(reading: folder("other"))
        let place = try longer.index("bert.embeddings.position_embeddings.weight")
        longer.config["max_position_embeddings"] = .int(40)
        longer.tensors[place].shape = [40, 32]
        longer.tensors[place].bytes += [UInt8](repeating: 0, count: 8 * 32 * 4)
        try longer.write(to: folder("longer"))
        try Files.write(Files.read(folder("other.jsonl")), to: folder("longer.jsonl"))
        #expect(
            error(configuration(others: ["longer"], protections: [Self.none]))
                == .otherShape(
                    path: folder("longer"), tensor: longer.tensors[place].name, found: [40, 32], first: folder("own"),
                    expected: [32, 32]))
        var heads = plain
        heads.heads = ["nowhere"]
        #expect(error(heads) == .noHead(part: "nowhere", path: folder("own")))
        heads.heads = ["bert", "classifier"]
        #expect(error(heads) == .noBody(path: folder("own")))
        #expect(error(configuration(protections: [.init("none", .published(folder("own")))])) == .reservedName)
        #expect(error(configuration(protections: [])) == .nothingToTry("protections"))
        #expect(error(configuration(protections: [Self.none], attacks: [])) == .nothingToTry("attacks"))
        #expect(error(configuration(protections: [Self.none], merges: [])) == .nothingToTry("merges"))
        #expect(error(configuration(others: [], protections: [Self.none])) == .nothingToTry("others to merge with"))
        let stranger = AuditConfiguration(
            base: Fixtures.path("distilbert_classifier"), model: plain.model, others: plain.others,
            protections: plain.protections, attacks: plain.attacks, merges: plain.merges)
        guard case .otherArchitecture = error(stranger) else {
            Issue.record("another architecture was taken")
            return
        }
    }
}
