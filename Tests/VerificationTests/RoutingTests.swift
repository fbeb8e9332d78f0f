import Architectures
import Checkpoints
import ForwardPass
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Mixtures of experts in 16 bits: rounding turns some of their routers' decisions, and no sound model may fail for that.
@Suite struct RoutingTests {
    static let families = [
        "deepseek_v2", "deepseek_v2_grouped", "deepseek_v3", "deepseek_v3_plain", "deepseek_v3_yarn", "dots1",
        "ernie4_5_moe", "flex_olmo", "glm4_moe", "glm4_moe_qk", "gpt_oss", "granitemoe", "granitemoeshared",
        "llama4_text", "minimax_m2", "mixtral", "olmoe", "olmoe_clipped", "qwen2_moe", "qwen3_moe",
    ]

    /// Those of which random inputs often reach the experts that faults are planted into: what no input reaches changes no output, and
    /// what a few of them do may lie within the rounding of all.
    static let reached = families.filter {
        !["deepseek_v2", "dots1", "ernie4_5_moe", "flex_olmo", "glm4_moe_qk"].contains($0)
    }

    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func model(_ name: String, _ type: ElementType) throws -> EditableModel {
        var model = try EditableModel(reading: Fixtures.path(name))
        if type != .f32 { try model.round(to: type) }
        return model
    }

    private func protect(_ original: Checkpoint, _ sampler: Sampler, draw: Int) throws {
        var options = ProtectionOptions(repeatable: .mergelock)
        options.sampler = sampler
        Files.remove(folder("p"))
        let key = (0..<32).map { UInt8(truncatingIfNeeded: draw * 37 + $0) }
        _ = try Protector.unsynchronized.protect(
            original, to: folder("p"), key: SecretKey(bytes: key), options: options)
    }

    @Test(arguments: families, [ElementType.bf16, .f16])
    func soundModelsHold(name: String, type: ElementType) throws {
        let original = try Checkpoint(opening: try model(name, type).write(to: folder("o")))
        for (sampler, draws) in [(Sampler.diagonalOrthogonal, 0..<5), (.orthogonal, 0..<2), (.conditioned, 0..<2)] {
            for draw in draws {
                try protect(original, sampler, draw: draw)
                let report = try FunctionalVerification(threads: 1)
                    .verify(original, Checkpoint(opening: folder("p")))
                #expect(report.holds, "\(sampler) \(draw): \(String(describing: report.comparison.firstFault))")
                let routing = try #require(report.comparison.routing)
                #expect(routing.overturned == 0 && routing.turned <= routing.decisions / 8)
            }
        }
    }

    @Test(arguments: reached, ExpertFault.allCases)
    func plantedFaultsFail(name: String, fault: ExpertFault) throws {
        for (type, number) in [(ElementType.bf16, 0), (.bf16, 1), (.f16, 2)] {
            let original = try Checkpoint(opening: try model(name, type).write(to: folder("o\(number)")))
            try protect(original, .diagonalOrthogonal, draw: number)
            var changed = try EditableModel(reading: folder("p"))
            try fault.plant(in: &changed, Architecture.resolve(original), number: number)
            let other = try Checkpoint(opening: changed.write(to: folder("c\(number)")))
            let report = try FunctionalVerification(threads: 1).verify(original, other)
            #expect(!report.holds && report.comparison.firstFault != nil, "\(type)")
        }
    }

    /// Two experts whose router rows differ by one bit: any noise turns their order. Returns how the model compares with one in which
    /// a row is scaled by a factor.
    private func twins(scaled factor: Float) throws -> FunctionalReport {
        var model = try model("mixtral", .f32)
        let name = "model.layers.0.block_sparse_moe.gate.weight"
        try model.edit(name) { values in
            let width = values.count / 4
            for i in 0..<width { values[width + i] = i.isMultiple(of: 2) ? values[i].nextUp : values[i].nextDown }
        }
        let original = try Checkpoint(opening: model.write(to: folder("o")))
        try model.edit(name) { values in
            let width = values.count / 4
            for i in 0..<width { values.swapAt(i, width + i) }
            for i in 0..<width { values[i] *= factor }
        }
        return try FunctionalVerification(threads: 1)
            .verify(original, Checkpoint(opening: model.write(to: folder("c"))))
    }

    @Test func tiesAreDecidedAsTheOriginalDecides() throws {
        let report = try twins(scaled: 1)
        #expect(report.holds, "\(report.comparison)")
        let routing = try #require(report.comparison.routing)
        #expect(routing.turned > 0 && routing.overturned == 0 && routing.turnedByRounding > 0)
        #expect(try JSONValue(encoding: report)["routing"]?["turned"]?.int == routing.turned)
    }

    /// A router that is wrong gains no room by it: the margin is held against the original's noise.
    @Test(arguments: [Float(1.0001), 1.01, 2])
    func decisionsBeyondRoundingAreFaults(factor: Float) throws {
        let report = try twins(scaled: factor)
        #expect(!report.holds && report.comparison.firstFault?.block == "layers.0.experts")
        let routing = try #require(report.comparison.routing)
        #expect(factor < 2 || routing.overturned > 0)
    }

    @Test func modelsWithoutRoutersHaveNoRouting() throws {
        let original = try Checkpoint(opening: Fixtures.path("llama"))
        let report = try FunctionalVerification(threads: 1).verify(original, original)
        #expect(report.comparison.routing == nil && report.holds)
    }
}
