import Checkpoints
import TestSupport
import Testing

/// merge as a user meets it.
@Suite struct MergeCommandTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func run(_ yaml: String, _ words: String...) throws -> CommandRunner.Outcome {
        try Files.write(yaml, to: folder("merge.yml"))
        return try CommandRunner.run(["merge", folder("merge.yml"), "-o", folder("out")] + words)
    }

    @Test func oneModelComesOutAsItWas() throws {
        let source = Fixtures.path("bert")
        let outcome = try run("merge_method: passthrough\nmodels: [{model: \(source)}]")
        #expect(outcome.code == 0 && outcome.output.hasPrefix("merged 1 model by passthrough into \(folder("out")) ("))
        #expect(try Files.tree(folder("out")) == Files.tree(source))
        // What is there is not written over.
        let again = try run("merge_method: passthrough\nmodels: [{model: \(source)}]")
        #expect(again.code == 1 && again.errors.contains("exists"))
    }

    /// Each in one sentence with its file and, where it is YAML's, the line; and nothing is written.
    @Test func badInputEndsInOneSentence() throws {
        let source = Fixtures.path("llama")
        let (linear, other) = ("merge_method: linear\nmodels:\n  - model: ", Fixtures.path("bert"))
        for (yaml, words) in [
            ("merge_method: linear\nmodel: []", ["merge.yml: line 2: key model is unknown"]),
            ("merge_method: [", ["merge.yml: line"]),
            ("", ["merge.yml: line 1"]),
            (linear + source, ["parameter weight of linear is missing for \(source), tensor"]),
            (linear + "nowhere\n    parameters: {weight: 1}", ["nowhere: no such file or directory"]),
            (
                linear + "\(source)\n    parameters: {weight: 1}\n  - model: \(other)\n    parameters: {weight: 1}",
                ["\(other): architecture bert"]
            ),
            (
                "merge_method: task_arithmetic\nmodels: [{model: \(source), parameters: {weight: 1}}]",
                ["task_arithmetic needs the base model"]
            ),
            (linear + "\(source)\ntokenizer_source: []", ["line 4: expected"]),
            (
                linear + "\(source)\n    parameters: {weight: 1}\ntokenizer_source: union",
                ["\(source)/tokenizer.json is missing"]
            ),
        ] {
            let outcome = try run(yaml)
            #expect(outcome.code == 1 && outcome.output.isEmpty, "\(yaml)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
            #expect(!Files.exists(folder("out")))
        }
        #expect(try CommandRunner.run("merge", folder("none.yml"), "-o", folder("out")).code == 1)
    }

    /// What is left is as if the model had not been there, where its term stands on its own.
    @Test func aModelIsTakenOutAgain() throws {
        let (base, one) = (Fixtures.path("llama"), folder("one"))
        var model = try EditableModel(reading: base)
        for tensor in model.tensors { try model.editFloats(tensor.name) { for i in $0.indices { $0[i] += 0.25 } } }
        try model.write(to: one)
        let yaml = """
            merge_method: mdm_oc
            base_model: \(base)
            models: [{model: \(one), parameters: {weight: 1}}]
            """
        #expect(try run(yaml, "--without", one).code == 0)
        #expect(try Files.tree(folder("out")) == Files.tree(base))
        Files.remove(folder("out"))
        let outcome = try run(yaml, "--without", "two")
        #expect(outcome.code == 1 && outcome.errors.contains("model two is none of those"))
        #expect(outcome.errors.contains(one) && outcome.errors.split(separator: "\n").count == 1)
    }
}
