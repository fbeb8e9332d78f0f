import Checkpoints
import Protections
import Rewriting
import Symmetries
import TestSupport
import Testing

/// What protect and restore refuse, each with its exact error and nothing left behind.
@Suite struct RefusalTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func refuses(
        _ expected: ProtectionError, _ source: String, _ method: ProtectionMethod = .mergelock,
        _ change: (inout ProtectionOptions) -> Void = { _ in }
    ) throws {
        var options = ProtectionOptions(repeatable: method)
        change(&options)
        try refuses(expected, source, options)
    }

    private func refuses(
        _ expected: some Error & Equatable & CustomStringConvertible, _ source: String, _ options: ProtectionOptions
    ) throws {
        #expect(throws: expected) {
            try Protector().protect(Checkpoint(opening: source), to: folder("p"), key: key, options: options)
        }
        #expect(!Files.names(in: folder.path).contains { $0 == "p" || $0.hasSuffix("partial") })
        #expect(!expected.description.contains("\n"))
    }

    @Test(arguments: ["model.embed_tokens.weight", "model.layers.1.self_attn.o_proj.weight"], [Float.nan, .infinity])
    func nonFiniteWeightsAreCounted(tensor: String, value: Float) throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        try model.edit(tensor) {
            $0[3] = value
            $0[100] = -value
        }
        try model.write(to: folder("m"))
        let error = RewritingError.nonFinite(tensor: tensor, count: 2)
        try refuses(error, folder("m"), ProtectionOptions(repeatable: .lossless))
        var options = ProtectionOptions(repeatable: .mergelock)
        try refuses(error, folder("m"), options)
        options.allowsNonFinite = true
        _ = try Protector().protect(Checkpoint(opening: folder("m")), to: folder("p"), key: key, options: options)
    }

    @Test func overflowOfHalfPrecisionIsAnError() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        // Neither side can take from the other.
        for tensor in ["v_proj", "o_proj"] {
            try model.edit("model.layers.0.self_attn.\(tensor).weight") { values in
                for i in values.indices { values[i] = 60000 * (i % 2 == 0 ? 1 : -1) }
            }
        }
        try model.convert(to: .f16) { value in withUnsafeBytes(of: Float16(value).bitPattern) { Array($0) } }
        try model.write(to: folder("m"))
        // Both overflow; which is met first, threads decide.
        let found = #expect(throws: RewritingError.self) {
            try Protector().protect(
                Checkpoint(opening: folder("m")), to: folder("p"), key: key,
                options: ProtectionOptions(repeatable: .mergelock))
        }
        #expect(
            ["v_proj", "o_proj"].contains { name in
                found == .overflow(tensor: "model.layers.0.self_attn.\(name).weight", type: "F16")
            })
        #expect(!Files.names(in: folder.path).contains { $0 == "p" || $0.hasSuffix("partial") })
    }

    /// Who asks for the residual stream alone is told why it stays; who asks for more gets the rest.
    @Test func residualStreamsThatStay() throws {
        let reasons: [(String, String, (inout ProtectionOptions) -> Void)] = [
            ("llama", "the residual stream is to stay as it is", { $0.residual = .none }),
            ("llama", "all layers share the residual stream, and only some are to be acted on", { $0.layers = [0] }),
            ("bert", "the model's outputs are its hidden states: its residual stream stays", { _ in }),
        ]
        for (name, reason, change) in reasons {
            let source = Fixtures.path(name)
            try refuses(.noResidualSite(path: source, reason: reason), source, .full) { options in
                options.siteKinds = [.residual]
                change(&options)
            }
            var options = ProtectionOptions(repeatable: .full)
            change(&options)
            Files.remove(folder("p"))
            let report = try Protector().protect(
                Checkpoint(opening: source), to: folder("p"), key: key, options: options)
            #expect(!report.manifest.steps.siteKinds.contains(.residual))
            Files.remove(folder("p"))
        }
    }

    /// What stands behind the model in modules.json reads its hidden states.
    @Test func modulesKeepTheResidualStream() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        model.config["architectures"] = .array([.string("LlamaForCausalLM")])
        try model.write(to: folder("m"))
        try Files.write("[]", to: folder("m") + "/modules.json")
        try refuses(
            .noResidualSite(
                path: folder("m"),
                reason: "modules.json names modules that read the model's hidden states: the residual stream stays"),
            folder("m"), .full
        ) { $0.siteKinds = [.residual] }
    }

    @Test func costlyMatricesTakeTheUsersWordInSixteenBits() throws {
        try refuses(
            .conditionTooLarge(
                condition: 1000,
                multiple: Group.generalLinear(12).expectedRoundingMultiple(.gaussian, condition: 1000), type: "BF16"),
            Fixtures.path("llama_bf16")
        ) { $0.sampler = .gaussian }
        var options = ProtectionOptions(repeatable: .mergelock)
        options.sampler = .gaussian
        options.condition = 1000
        _ = try Protector().protect(
            Checkpoint(opening: Fixtures.path("llama_bf16")), to: folder("p"), key: key, options: options)
    }

    @Test func conditionsBelowOneMakeNoSense() throws {
        try refuses(.invalidCondition(0.5), Fixtures.path("bert")) { $0.condition = 0.5 }
        try refuses(.invalidCondition(.infinity), Fixtures.path("bert")) { $0.condition = .infinity }
    }

    @Test func layersMustExist() throws {
        try refuses(.layerOutOfRange(layer: 7, stacks: ["0 to 1"]), Fixtures.path("bert")) { $0.layers = [0, 7] }
    }

    @Test func losslessHasNoOtherSampler() throws {
        try refuses(
            .samplerNotApplicable(method: "lossless", sampler: "gaussian", known: ["exact"]), Fixtures.path("bert"),
            .lossless
        ) {
            $0.sampler = .gaussian
        }
    }

    @Test func noSiteIsNoProtection() throws {
        // Under a bias by distance a head's number means something.
        try refuses(.noSites(path: Fixtures.path("bloom"), method: "mergelock"), Fixtures.path("bloom")) {
            $0.siteKinds = [.heads]
        }
    }

    @Test func aProtectedModelIsNotProtectedAgain() throws {
        _ = try Protector().protect(
            Checkpoint(opening: Fixtures.path("bert")), to: folder("once"), key: key,
            options: ProtectionOptions(repeatable: .lossless))
        try refuses(.alreadyProtected(path: folder("once")), folder("once"))
    }

    @Test func onlyTheRightKeyRestores() throws {
        _ = try Protector().protect(
            Checkpoint(opening: Fixtures.path("bert")), to: folder("once"), key: key,
            options: ProtectionOptions(repeatable: .lossless))
        let wrong = SecretKey(bytes: [UInt8](repeating: 7, count: 32))
        func identifier(_ key: SecretKey) -> String {
            Derivation(
                key: key, nonce: .zero,
                steps: ProtectionSteps(ProtectionStep(method: .lossless, sampler: .exact, condition: 4))
            ).keyIdentifier
        }
        #expect(throws: ProtectionError.wrongKey(expected: identifier(key), found: identifier(wrong))) {
            try Protector().restore(Checkpoint(opening: folder("once")), to: folder("r"), key: wrong)
        }
        #expect(throws: ProtectionError.notProtected(path: Fixtures.path("bert"))) {
            try Protector().restore(Checkpoint(opening: Fixtures.path("bert")), to: folder("r"), key: key)
        }
        #expect(!Files.exists(folder("r")))
    }

    @Test(arguments: [
        ("\"method\": \"lossless\"", "\"method\": \"magic\"", "method"),
        ("\"condition\": 4.0", "\"condition\": 0.1", "condition"),
        ("\"sites\": [", "\"sites\": [\"soul\", ", "sites"),
    ])
    func aDamagedManifestIsNamedByField(from: String, to: String, field: String) throws {
        try tamper(from, to)
        #expect(throws: ProtectionError.manifest(path: folder("once"), field: field)) {
            try Protector().restore(Checkpoint(opening: folder("once")), to: folder("r"), key: key)
        }
    }

    @Test func aManifestOfAnotherModelDisagrees() throws {
        try tamper("\"site_count\": 18", "\"site_count\": 11")
        #expect(
            throws: ProtectionError.manifestDisagrees(
                path: folder("once"), field: "site_count", expected: "18", found: "11")
        ) {
            try Protector().restore(
                Checkpoint(opening: folder("once")), to: folder("r"), key: key, acceptsChanges: true)
        }
    }

    private func tamper(_ from: String, _ to: String) throws {
        _ = try Protector().protect(
            Checkpoint(opening: Fixtures.path("bert")), to: folder("once"), key: key,
            options: ProtectionOptions(repeatable: .lossless))
        let path = folder("once") + "/" + Manifest.fileName
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        try Files.write(text.replacing(from, with: to), to: path)
    }
}
