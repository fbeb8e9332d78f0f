import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Every family, protected by every method: the outputs stay, as our forward pass computes them, which ReferenceTests holds against
/// transformers.
@Suite struct FamilyTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    struct Choice: Sendable, CustomTestStringConvertible {
        let method: ProtectionMethod
        let sampler: Sampler?
        var condition: Double?
        var testDescription: String { "\(method.rawValue) \(sampler?.rawValue ?? "")" }
    }

    static let choices = [
        Choice(method: .mergelock, sampler: .diagonalOrthogonal), Choice(method: .mergelock, sampler: .conditioned),
        Choice(method: .mergelock, sampler: .orthogonal), Choice(method: .lossless, sampler: nil),
    ]

    /// Relative change of the outputs in f64, with what verification says.
    private func verify(_ original: Checkpoint, _ choice: Choice, inputs: ModelInputs) throws -> FunctionalReport {
        var options = ProtectionOptions(repeatable: choice.method)
        options.sampler = choice.sampler
        options.condition = choice.condition
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(
            original, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)), options: options)
        return try FunctionalVerification(threads: 1, precision: .f64)
            .verify(original, Checkpoint(opening: folder("p")), inputs: inputs)
    }

    @Test(arguments: Fixtures.recorded)
    func outputsStay(name: String) throws {
        let inputs = try RecordedReference(name).inputs
        var model = try EditableModel(reading: Fixtures.path(name))
        let isWide = model.tensors.contains { $0.type == .f32 }
        guard isWide else { return }
        try model.convert(to: .f64) { value in withUnsafeBytes(of: Double(value)) { Array($0) } }
        try model.write(to: folder("f64"))
        let (narrow, wide) = (try Checkpoint(opening: Fixtures.path(name)), try Checkpoint(opening: folder("f64")))
        let others = [
            Choice(method: .mergelock, sampler: .gaussian, condition: 100),
            Choice(method: .params, sampler: .diagonal),
        ]
        for choice in Self.choices.filter({ $0.sampler != .orthogonal }) + others {
            let single = try verify(narrow, choice, inputs: inputs)
            #expect(single.holds && single.drift.relativeError < 2e-6, "\(choice.testDescription): \(single.drift)")
            let double = try verify(wide, choice, inputs: inputs)
            #expect(double.holds && double.drift.relativeError < 1e-12, "\(choice.testDescription): \(double.drift)")
        }
    }

    @Test(arguments: Fixtures.recorded)
    func randomInputsFit(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
        _ = try model.single(RandomInputs.make(for: model.architecture))
    }

    /// Models with few outputs, each a small sample of rounding.
    @Test(arguments: ["clip", "roberta", "vit", "opt_post"], choices.dropLast())
    func roundingIsNoFault(name: String, choice: Choice) throws {
        let original = try Checkpoint(opening: Fixtures.path(name))
        for byte in 0..<10 as Range<UInt8> {
            var options = ProtectionOptions(repeatable: choice.method)
            options.sampler = choice.sampler
            Files.remove(folder("p"))
            _ = try Protector.unsynchronized.protect(
                original, to: folder("p"), key: SecretKey(bytes: [UInt8](repeating: byte, count: 32)), options: options)
            let report = try FunctionalVerification(threads: 1).verify(original, Checkpoint(opening: folder("p")))
            #expect(report.holds, "\(report.drift) beside \(report.floor)")
        }
    }

    /// Root mean squares of drift and floor over some keys and noises.
    private func sixteenBits(
        _ name: String, _ type: ElementType, _ choice: Choice, draws: Int
    ) throws -> (ratio: Double, predicted: Double) {
        let inputs = try RecordedReference(name).inputs
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.round(to: type)
        Files.remove(folder("h"))
        try model.write(to: folder("h"))
        let original = try Checkpoint(opening: folder("h"))
        var (drift, floor, predicted) = (0.0, 0.0, 1.0)
        for draw in 0..<draws {
            var options = ProtectionOptions(repeatable: choice.method)
            options.sampler = choice.sampler
            Files.remove(folder("p"))
            let report = try Protector.unsynchronized.protect(
                original, to: folder("p"), key: SecretKey(bytes: [UInt8](repeating: UInt8(draw), count: 32)),
                options: options)
            predicted = report.manifest.roundingMultiple
            let found = try FunctionalVerification(threads: 1, precision: .f64, draws: 1, seed: UInt64(draw))
                .verify(original, Checkpoint(opening: folder("p")), inputs: inputs)
            drift += found.drift.relativeError * found.drift.relativeError
            floor += found.floor.relativeError * found.floor.relativeError
        }
        return ((drift / floor).squareRoot(), predicted)
    }

    /// A tiny model's drift is one draw of few numbers: single families scatter around what holds for the median of all.
    @Test(arguments: choices, [ElementType.bf16, .f16])
    func roundingIsAllThatIsLost(choice: Choice, type: ElementType) throws {
        var ratios: [Double] = []
        for name in Fixtures.recorded where !name.hasSuffix("16") {
            // Where bits move alone, no draw differs from another.
            let (ratio, predicted) = try sixteenBits(name, type, choice, draws: choice.method == .lossless ? 1 : 4)
            if choice.method == .lossless { #expect(ratio < 1e-9, "\(name)") }
            #expect(ratio < 2 * predicted, "\(name)")
            ratios.append(ratio / predicted)
        }
        let median = ratios.sorted()[ratios.count / 2]
        #expect(median < 1.1, "\(ratios)")
        // The prediction for conditioned matrices is that of the sites that cost most; under rotary embeddings half of them cost nothing.
        if choice.method == .mergelock { #expect(median > (choice.sampler == .conditioned ? 0.75 : 0.9)) }
    }
}
