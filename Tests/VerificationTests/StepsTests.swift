import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Methods that act one after the other, as steps of one manifest.
@Suite struct StepsTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    struct Chain: Sendable, CustomTestStringConvertible {
        let methods: [ProtectionMethod]
        var residual = ResidualTransform.permutation
        var testDescription: String { methods.map(\.name).joined(separator: "+") + " \(residual.rawValue)" }

        func options(condition: Double? = nil) -> ProtectionOptions {
            let steps = methods.map { method in
                var step = StepOptions(method: method)
                if method.siteKinds.contains(.residual) { step.residual = residual }
                if !method.isExact { step.condition = condition }
                return step
            }
            var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
            options.nonce = .zero
            return options
        }
    }

    private static let chains = [
        Chain(methods: [.mergelock, .params]), Chain(methods: [.lossless, .mergelock]),
        Chain(methods: [.params, .lossless, .full], residual: .none), Chain(methods: [.full, .full]),
    ]

    private func protect(_ source: Checkpoint, _ options: ProtectionOptions) throws -> Checkpoint {
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        return try Checkpoint(opening: folder("p"))
    }

    @Test(
        arguments: [
            "bert", "llama", "llama_bf16", "gpt2", "qwen3", "mixtral", "deepseek_v3", "mt5", "falcon_new",
            "phi3_partial",
            "gpt_oss", "olmo2", "cohere", "clip", "granitemoe", "gemma3",
        ], chains)
    func chainsKeepTheFunctionAndAreUndone(name: String, chain: Chain) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let locked = try protect(source, chain.options(condition: 10))
        let manifest = try Manifest.read(from: locked)
        #expect(manifest.steps.all.map(\.method) == chain.methods)
        let report = try AlgebraicVerification(threads: 1).verify(source, locked)
        #expect(report.holds, "\(report.problems) \(report.failures.prefix(2))")
        #expect(report.displacement > 0.1)
        if try Architecture.resolve(source).isEvaluable {
            let outputs = try FunctionalVerification(threads: 1).verify(source, locked)
            #expect(outputs.holds, "\(outputs.drift) beside \(outputs.floor)")
        }
        Files.remove(folder("r"))
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.holds == true && restored.proof?.isBitForBit == false)
        let back = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("r")))
        let roundoff = name.hasSuffix("bf16") ? 0.004 : 1e-7
        #expect(back.displacement < roundoff * Double(4 + manifest.roundingMultiple), "\(back.displacement)")
    }

    @Test(arguments: ["bert", "llama", "mixtral", "qwen3", "gpt2"])
    func exactChainsComeBackBitForBit(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let once = try Files.tree(protect(source, Chain(methods: [.lossless]).options()).path)
        let locked = try protect(source, Chain(methods: [.lossless, .lossless]).options())
        #expect(try Files.tree(locked.path) != once)
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.isBitForBit == true)
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path(name)))
    }

    /// The residual stream may be turned by one of several.
    @Test func oneStepTurnsTheStream() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        let locked = try protect(source, Chain(methods: [.params, .full], residual: .hadamard).options(condition: 10))
        #expect(try AlgebraicVerification(threads: 1).verify(source, locked).holds)
        let outputs = try FunctionalVerification(threads: 1).verify(source, locked)
        #expect(outputs.holds, "\(outputs.drift)")
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.holds == true)
        #expect(throws: ProtectionError.turnedTwice(transform: "hadamard")) {
            try protect(source, Chain(methods: [.full, .full], residual: .hadamard).options(condition: 10))
        }
    }

    /// What stands behind a factor mixes what it made unlike, which is foretold and refused in 16 bits.
    @Test func theOrderCosts() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama_bf16"))
        #expect(throws: ProtectionError.self) {
            try protect(source, Chain(methods: [.params, .mergelock]).options())
        }
        let locked = try protect(source, Chain(methods: [.mergelock, .params]).options())
        #expect(try Manifest.read(from: locked).roundingMultiple < 1.2)
    }

    @Test func aManifestOfStepsIsHeldToThem() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        let locked = try protect(source, Chain(methods: [.mergelock, .params]).options(condition: 10))
        let path = locked.path + "/" + Manifest.fileName
        let root = try #require(try locked.document(named: Manifest.fileName)).root
        #expect(root["format"]?.string == "mergeproof-protection/5" && root["method"] == nil)
        let steps = try #require(root["steps"]?.array)
        func change(_ steps: [JSONValue]) throws -> Checkpoint {
            var object = try #require(root.object)
            object["steps"] = .array(steps)
            try Files.write(JSONValue.object(object).serialized(indented: true), to: path)
            return try Checkpoint(opening: locked.path)
        }
        for wrong in [[], [steps[0], .string("params")]] {
            #expect(throws: ProtectionError.self) { try Manifest.read(from: change(wrong)) }
        }
        #expect(throws: ProtectionError.changed(path: locked.path, [.manifest])) {
            try Protector.unsynchronized.restore(change(steps.reversed()), to: folder("r"), key: key)
        }
        #expect(!Files.names(in: folder.path).contains("r"))
    }
}
