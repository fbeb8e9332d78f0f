import Architectures
import Checkpoints
import Evaluation
import Protections
import TestSupport
import Testing

/// What `inspect` foretells is what protection does.
@Suite struct InspectionTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    @Test(arguments: ["bert", "llama", "qwen3", "olmo", "clip", "mixtral", "deepseek_v3", "gpt_oss", "llama4_text"])
    func foretellsProtection(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let inspection = try Inspection(source)
        for method in inspection.methods where method.needs.isEmpty {
            var options = ProtectionOptions(repeatable: try #require(ProtectionMethod(rawValue: method.name)))
            options.sampler = method.sampler
            let output = folder("\(method.name)-\(method.sampler?.rawValue ?? "")")
            let report = try Protector.unsynchronized.protect(
                source, to: output, key: SecretKey(bytes: [UInt8](0..<32)), options: options)
            #expect(report.manifest.roundingMultiple == method.roundingMultiple)
            #expect(report.manifest.siteCount == method.sites)
            let (before, after) = (try EditableModel(reading: source.path), try EditableModel(reading: output))
            let moved = zip(before.tensors, after.tensors).filter { $0.bytes != $1.bytes }.map(\.0)
            #expect(moved.reduce(0) { $0 + $1.bytes.count } == method.bytes)
        }
    }

    /// What methods take is foretold of all that need no data, and says more of more weights.
    @Test func methodsTakeTimeAndMemory() throws {
        let source = try Checkpoint(opening: Fixtures.path("mixtral"))
        #expect(try Inspection(source).methods.allSatisfy { $0.forecast == nil })
        let methods = try Inspection(source, threads: 2, forecastsFrom: 0.5).methods
        let first = try #require(methods.first?.forecast)
        #expect(first.seconds > 0.25 && first.seconds < 60 && first.peakBytes > source.tensorBytes)
        #expect(methods.filter { $0.name == "decoy" }.allSatisfy { $0.forecast == nil })
        for method in methods {
            guard let forecast = method.forecast else { continue }
            #expect(forecast.seconds.isFinite && forecast.seconds > 0.25 && forecast.peakBytes < 4 << 30)
        }
    }

    /// Weights of which no trial can be made, or that lose bits by powers of two, stop no inspection.
    @Test func forecastsStopNoInspection() throws {
        var model = try EditableModel(reading: Fixtures.path("llama_f16"))
        for tensor in model.tensors where tensor.name.hasSuffix("proj.weight") {
            // Odd multiples of the smallest number of f16.
            try model.editFloats(tensor.name) { for place in $0.indices { $0[place] = 0x3p-24 } }
        }
        try model.write(to: folder("small"))
        let small = try Inspection(Checkpoint(opening: folder("small")), forecastsFrom: 0).methods
        let lossless = try #require(small.first { $0.name == "lossless" }?.forecast)
        #expect(lossless.seconds > 0)
        let report = try Protector.unsynchronized.protect(
            Checkpoint(opening: folder("small")), to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .lossless))
        #expect(report.scalesWereDropped)
        for name in ["llava", "nemotron_h", "clip", "t5", "vit"] {
            let methods = try Inspection(Checkpoint(opening: Fixtures.path(name)), forecastsFrom: 0).methods
            #expect(methods.contains { $0.forecast != nil }, "\(name)")
        }
    }

    /// Groups of one kind are told apart, and their dimensions add up.
    @Test func sitesByGroup() throws {
        let source = try Checkpoint(opening: Fixtures.path("clip"))
        let inspection = try Inspection(source)
        #expect(inspection.sites.filter { $0.kind == "vo" }.map(\.group) == ["GL(6)", "GL(8)"])
        let all = try Architecture.resolve(source).allSites
        #expect(inspection.sites.reduce(0) { $0 + $1.count } == all.count)
        #expect(
            inspection.sites.reduce(0) { $0 + $1.parameters } == all.reduce(0) { $0 + $1.group.parameterCount })
        #expect(
            inspection.limits == [
                "quick_gelu without a gate: channels are permuted, never scaled",
                "norms that subtract the mean: the residual stream is permuted, without signs",
                "a norm with gains that goes on in the stream: the residual stream is permuted, not turned",
            ])
    }
}
