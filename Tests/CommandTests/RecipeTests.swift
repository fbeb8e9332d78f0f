import Checkpoints
import Protections
import TestSupport
import Testing

/// `protect --recipe`: the same as options say, and every key known.
@Suite struct RecipeTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        _ = try CommandRunner.run("keygen", "-o", folder("key"))
        try EditableModel.base(of: Fixtures.path("llama")).write(to: folder("base"))
    }

    private func protect(_ recipe: String, _ more: String...) throws -> CommandRunner.Outcome {
        try Files.write(recipe, to: folder("recipe.yml"))
        Files.remove(folder("p"))
        return try CommandRunner.run(
            [
                "protect", Fixtures.path("llama"), "-o", folder("p"), "--recipe", folder("recipe.yml"), "--key",
                folder("key"),
            ]
                + more)
    }

    @Test func stepsHaveSitesAndLayersOfTheirOwn() throws {
        let recipe = """
            # Three steps.
            base: \(folder("base"))
            nonce: "000102030405060708090a0b0c0d0e0f"
            steps:
              - method: mergeguard
                masked: 0.2
                layers: [1]
              - method: mergelock
                sampler: orthogonal
                sites: [vo, qk]
                layers: 0
              - method: lossless
                condition: 16
                sites: mlp
            """
        let outcome = try protect(recipe)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let manifest = try Manifest.read(from: Checkpoint(opening: folder("p")))
        #expect(manifest.nonce?.hexadecimal == "000102030405060708090a0b0c0d0e0f")
        let steps = manifest.steps.all
        #expect(steps.map(\.method) == [.mergeguard, .mergelock, .lossless])
        #expect(steps.map(\.layers) == [[1], [0], nil])
        #expect(steps[0].parameters == [.masked: 0.2, .beta: 1] && steps[1].sampler == .orthogonal)
        #expect(steps[1].siteKinds == [.valueOutput, .queryKey] && steps[2].siteKinds == [.mlp])
        #expect(steps[2].condition == 16)
        #expect(!manifest.changed.isEmpty && manifest.changed.allSatisfy { $0.contains("layers.1.") })
    }

    @Test(arguments: [
        ("steps:\n  - method: mergelock\n    strenght: 1", "line 3: key strenght is unknown; known are "),
        ("steps:\n  - method: mergelock\n    strength: 1", "line 3: the method mergelock takes no strength"),
        ("steps:\n  - method: mergelock\n  - sampler: dq", "line 3: a step is a map with a method"),
        ("steps: []", "line 1: steps is no list of one step at least"),
        ("base: x", "line 1: steps are missing"),
        ("steps:\n  - method: merge", "line 2: expected method: mergelock, lossless"),
        ("steps:\n  - method: lossless\n    sampler: dq", "line 3: expected sampler of lossless: exact"),
        ("steps:\n  - method: mergelock\n    layers: 3-1", "line 3: expected layers: such as 0-11,23"),
        ("steps:\n  - method: mergelock\n    method: full", "stands there twice"),
        ("step: 1", "line 1: key step is unknown; known are "), ("- 1", "line 1: expected a map of "),
        ("steps:\n  - method: mergelock\n    condition: ten", "line 3: expected condition: a number"),
    ])
    func whatIsUnknownIsNamed(recipe: String, message: String) throws {
        let outcome = try protect(recipe)
        #expect(outcome.code == 1 && outcome.errors.contains(message), "\(outcome.errors)")
        #expect(!Files.names(in: folder.path).contains("p"))
    }

    @Test func recipeAndOptionsDoNotMix() throws {
        let recipe = "steps:\n  - method: lossless\n"
        for words in [["--method", "lossless"], ["--sampler", "dq"], ["--layers", "0"], ["--beta", "1"]] {
            try Files.write(recipe, to: folder("recipe.yml"))
            let outcome = try CommandRunner.run(
                ["protect", Fixtures.path("llama"), "-o", folder("p"), "--recipe", folder("recipe.yml"), "--key", "k"]
                    + words)
            #expect(outcome.code == 64)
        }
        #expect(try CommandRunner.run("protect", Fixtures.path("llama"), "-o", folder("p"), "--key", "k").code == 64)
        #expect(
            try CommandRunner.run("protect", "m", "-o", "p", "--key", "k", "--recipe", folder("none.yml")).code == 1)
    }
}
