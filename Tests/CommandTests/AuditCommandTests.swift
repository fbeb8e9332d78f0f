import Checkpoints
import Foundation
import Foundations
import TestSupport
import Testing

/// audit as a user meets it.
@Suite struct AuditCommandTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        for (number, name) in ["base", "own", "other"].enumerated() {
            var model = try EditableModel(reading: Fixtures.path("bert_classifier"))
            for tensor in model.tensors where tensor.type == .f32 && number > 0 {
                try model.edit(tensor.name) { values in
                    for place in values.indices { values[place] += 0.03 * Float(sin(Double(place * (number + 3)))) }
                }
            }
            try model.write(to: folder(name))
        }
        let lines = (0..<9).map { "{\"input_ids\": [1, \(3 + $0), \(20 + 2 * $0), 2], \"label\": \($0 % 3)}\n" }
        try Files.write(lines.joined(), to: folder("data.jsonl"))
    }

    private func write(_ changes: [String: String?] = [:]) throws -> String {
        var members: [(key: String, text: String?)] = [
            ("base", folder("base")), ("model", "{path: \(folder("own")), data: \(folder("data.jsonl"))}"),
            ("others", "[{name: other, path: \(folder("other")), data: \(folder("data.jsonl"))}]"),
            ("protections", "[none, mergelock]"), ("attacks", "[none, coupled]"), ("merges", "[linear, emr]"),
            ("coefficients", "{protected: [0.5], others: [0.5]}"), ("barrier_points", "3"),
        ]
        for (key, text) in changes {
            members.removeAll { $0.key == key }
            members.append((key, text))
        }
        let path = folder("audit.yml")
        try Files.write(
            members.compactMap { member in member.text.map { "\(member.key): \($0)\n" } }.joined(), to: path)
        return path
    }

    private func run(_ words: String...) throws -> CommandRunner.Outcome {
        try CommandRunner.run(["audit", try write(), "-o", folder("report")] + words)
    }

    @Test func aReportAppearsWhole() throws {
        let outcome = try run()
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(outcome.output.contains("mergelock") && outcome.output.contains("wrote \(folder("report"))"))
        #expect(Files.names(in: folder("report")).sorted() == ["report.html", "results.csv", "results.json"])
        #expect(!Files.exists(folder("report.partial")))
        let root = try JSONDocument(parsing: Files.read(folder("report/results.json"))).root
        #expect(
            root.object?.members.map(\.key) == [
                "version", "base", "model", "seed", "tasks", "heads", "singles", "ensemble", "protections",
            ])
        let protection = try #require(root["protections"]?.array?.last)
        #expect(
            protection.object?.members.map(\.key) == [
                "name", "cost", "alone", "displacement", "baseline", "attacks", "worst", "worst_per_task",
            ])
        #expect(protection["worst"]?["merge"]?.string == "linear")
        #expect(protection["worst_per_task"]?["merge"]?.string == "emr")
        // What is there is not written over.
        let again = try run()
        #expect(again.code == 1 && again.errors.contains("is there already"))
    }

    /// What was found before a run ended in an error is kept, and taken by the next.
    @Test func aRunThatEndedGoesOn() throws {
        let whole = try JSONDocument(parsing: Array(run("--json").output.utf8)).root
        Files.remove(folder("report"))
        let broken = ["protections": "[none, {name: gone, path: \(folder("nowhere"))}]"]
        let outcome = try CommandRunner.run("audit", write(broken), "-o", folder("report"))
        #expect(outcome.code == 1 && outcome.errors.contains("nowhere") && !Files.exists(folder("report")))
        #expect(outcome.errors.contains("the same command goes on from there"))
        let found = try Files.read(folder("report.partial/found.jsonl"))
        #expect(found.split(separator: UInt8(ascii: "\n")).count > 8)
        let rest = try JSONDocument(parsing: Array(run("--json").output.utf8)).root
        for key in ["tasks", "singles", "ensemble"] { #expect(rest[key] == whole[key]) }
        #expect(rest["protections"]?.array?.first == whole["protections"]?.array?.first)
        #expect(!Files.exists(folder("report.partial")))
    }

    /// Two runs would take each other's models away.
    @Test func aSecondRunOfOneReportIsRefused() throws {
        let partial = folder("report.partial")
        try Files.makeDirectory(partial)
        let system = PosixSystemCalls()
        let descriptor = try system.open(partial, flags: O_RDONLY | O_DIRECTORY, mode: 0)
        #expect(try system.lock(descriptor, path: partial))
        let outcome = try run()
        #expect(outcome.code == 1 && outcome.errors.contains("another run is writing this output"), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1 && Files.exists(partial))
        system.close(descriptor)
        #expect(try run().code == 0)
    }

    @Test func aTemplateCanBeRunOnceItsDataIsNamed() throws {
        let models = ["base", "own", "other"].map { folder($0) }
        #expect(try CommandRunner.run(["audit", "-o", folder("a.yml"), "--init"] + models).code == 0)
        var text = String(decoding: try Files.read(folder("a.yml")), as: UTF8.self)
        for name in ["own.jsonl", "other-1.jsonl"] { text = text.replacing(name, with: folder("data.jsonl")) }
        for line in text.split(separator: "\n") where line.hasPrefix("protections") || line.hasPrefix("attacks") {
            text = text.replacing(line, with: line.prefix { $0 != ":" } + ": [none]")
        }
        try Files.write(text, to: folder("a.yml"))
        let outcome = try CommandRunner.run("audit", folder("a.yml"), "-o", folder("report"), "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        // Nothing is written over, and two models are too few.
        #expect(try CommandRunner.run(["audit", "-o", folder("a.yml"), "--init"] + models).code == 1)
        #expect(try CommandRunner.run(["audit", "-o", folder("b.yml"), "--init"] + models.prefix(2)).code == 64)
        #expect(!Files.exists(folder("b.yml")))
    }

    /// Where nothing was found nothing is left.
    @Test func modelsThatDoNotGoTogetherLeaveNothing() throws {
        let other = "[{path: \(Fixtures.path("bert")), data: \(folder("data.jsonl"))}]"
        let outcome = try CommandRunner.run("audit", write(["others": other]), "-o", folder("report"))
        #expect(outcome.code == 1 && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(!Files.exists(folder("report")) && !Files.exists(folder("report.partial")))
    }

    /// Each in one sentence that names file and line, before anything is made.
    @Test(
        arguments: [
            ("base", nil, "base is missing"), ("model", nil, "model is missing"),
            ("others", "[]", "no list of one item"),
            ("others", "[{name: model, path: p, data: d}]", "two tasks are called model"),
            ("others", "[{path: p}]", "data is missing"),
            ("others", "[{path: p, data: d, odd: 1}]", "key odd is unknown"),
            ("protections", "[nothing]", "protection nothing is unknown"),
            ("protections", "[{name: x}]", "either a path or steps"),
            ("protections", "[{name: x, path: p, steps: [{method: mergelock}]}]", "either a path or steps"),
            ("protections", "[{name: x, steps: [{method: mergelock, odd: 1}]}]", "key odd is unknown"),
            ("protections", "[none, none]", "two protections are called none"),
            ("protections", "[{name: none, path: p}]", "called none, as the unprotected one"),
            ("protections", "[{name: '', path: p}]", "expected name: a word, found nothing"),
            ("others", "[{name: '', path: p, data: d}]", "expected name: a word, found nothing"),
            ("heads", "['']", "a part of tensors' names"),
            ("merges", "\n  - linear\n  - emr\n  - linear", "line 11: two merges are called linear; leave one out"),
            ("attacks", "[force]", "attack force is unknown"), ("attacks", "[coupled, coupled]", "two attacks"),
            ("merges", "[soup]", "merge soup is unknown"),
            ("merges", "[fisher]", "fisher takes the Fisher information"),
            ("merges", "[regmean]", "regmean runs every model on inputs"),
            ("merges", "[{density: 0.5}]", "a map with a method"),
            ("merges", "[{method: ties, densty: 0.5}]", "takes no densty"),
            ("merges", "[{method: ties, density: 7}]", "expected 0.0 to 1.0"),
            ("merges", "[{method: smile, gate_k: 0}]", "gate_k: expected a whole number from 1 to 1000000"),
            ("coefficients", "{protected: [a]}", "expected a number"), ("coefficients", "{protected: [1, 1]}", "twice"),
            ("coefficients", "{odd: [1]}", "key odd is unknown"), ("examples", "0", "examples"),
            ("examples", "2.5", "whole number"), ("seed", "-1", "seed"), ("barrier_points", "1", "two ends"),
            ("odd", "1", "key odd is unknown"),
        ] as [(String, String?, String)])
    func wrongFilesEndInOneSentence(key: String, text: String?, words: String) throws {
        let outcome = try CommandRunner.run("audit", write([key: text]), "-o", folder("report"))
        #expect(outcome.code == 1 && outcome.errors.contains(words), "\(outcome.errors)")
        #expect(outcome.errors.contains("audit.yml: line "), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(!Files.exists(folder("report")) && !Files.exists(folder("report.partial")))
    }
}
