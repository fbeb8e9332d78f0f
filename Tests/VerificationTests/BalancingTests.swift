import Architectures
import Checkpoints
import Evaluation
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Channels that were rescaled by powers of two, as quantisation recipes leave them, are balanced before they are mixed.
@Suite struct BalancingTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Without rotary embeddings, with, in part, with biases, stored the other way round, and with a rotated key that all heads share.
    static let names = ["bert", "gpt2", "llama", "qwen2", "phi", "deepseek_v3"]

    struct Weights: Sendable, CustomTestStringConvertible {
        let type: ElementType
        let reach: Int
        var testDescription: String { "\(type.rawValue) 2^±\(reach)" }
    }

    static let weights = [ElementType.bf16, .f16, .f32].flatMap { type in
        [6, 12].map { Weights(type: type, reach: $0) }
    }

    private func write(_ name: String, _ weights: Weights) throws -> Checkpoint {
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.rescaleChannels(of: Fixtures.path(name), reach: weights.reach)
        if weights.type != .f32 { try model.round(to: weights.type) }
        Files.remove(folder("m"))
        return try Checkpoint(opening: try model.write(to: folder("m")))
    }

    private func options(_ sampler: Sampler, threads: Int? = nil) -> ProtectionOptions {
        var options = ProtectionOptions(method: .mergelock)
        options.sampler = sampler
        options.threads = threads
        options.nonce = ProtectionNonce(hexadecimal: String(repeating: "0", count: 32))
        return options
    }

    private func key(_ number: Int) -> SecretKey { SecretKey(bytes: [UInt8](repeating: UInt8(number), count: 32)) }

    /// Root mean squares over some keys, as a tiny model's drift is one draw of few numbers.
    private func drift(
        _ original: Checkpoint, _ name: String, _ sampler: Sampler, draws: Int
    ) throws -> (
        ratio: Double, predicted: Double
    ) {
        let inputs = try RecordedReference(name).inputs
        var (drift, floor, predicted) = (0.0, 0.0, 1.0)
        for draw in 0..<draws {
            Files.remove(folder("p"))
            let report = try Protector.unsynchronized.protect(
                original, to: folder("p"), key: key(draw), options: options(sampler))
            predicted = report.manifest.roundingMultiple
            let found = try FunctionalVerification(threads: 1, precision: .f64, seed: UInt64(draw))
                .verify(original, Checkpoint(opening: folder("p")), inputs: inputs)
            drift += found.drift.relativeError * found.drift.relativeError
            floor += found.floor.relativeError * found.floor.relativeError
        }
        return ((drift / floor).squareRoot(), predicted)
    }

    @Test(arguments: names, weights)
    func driftStaysAtTheFloor(name: String, weights: Weights) throws {
        let original = try write(name, weights)
        for sampler in [Sampler.diagonalOrthogonal, .orthogonal] + (weights.reach == 6 ? [.conditioned] : []) {
            let (ratio, predicted) = try drift(original, name, sampler, draws: 6)
            #expect(ratio < 1.2 * predicted, "\(sampler): \(ratio) of \(predicted)")
            if sampler != .conditioned { #expect(predicted < 1.1) }
        }
    }

    /// The members of a rotary pair that turns slowly, rescaled against each other: no element of the torus balances them.
    @Test(arguments: [3, 6], [Sampler.diagonalOrthogonal, .orthogonal])
    func unbalancedPairs(exponent: Int, sampler: Sampler) throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        for name in model.tensors.map(\.name) where name.contains("q_proj") || name.contains("k_proj") {
            let sign = name.contains("k_proj") ? 1 : -1
            try model.edit(name) { values in
                for place in values.indices {
                    let channel = place / 48 % 12
                    guard channel % 6 >= 3 else { continue }
                    values[place] *= Float(
                        sign: .plus, exponent: (channel < 6 ? sign : -sign) * exponent, significand: 1)
                }
            }
        }
        try model.round(to: .bf16)
        let original = try Checkpoint(opening: try model.write(to: folder("m")))
        let (ratio, predicted) = try drift(original, "llama", sampler, draws: 6)
        #expect(ratio < 1.2 && predicted < 1.1, "\(ratio) of \(predicted)")
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key(5))
        #expect(
            try Restoration(original: original, restored: Checkpoint(opening: folder("r"))).largestError < 0x1p-6)
    }

    /// Balanced sides come back to rounding, channel by channel, and only with the table that the manifest keeps.
    @Test(arguments: names, weights.filter { $0.reach == 12 })
    func comesBackToRounding(name: String, weights: Weights) throws {
        let original = try write(name, weights)
        _ = try Protector.unsynchronized.protect(
            original, to: folder("p"), key: key(1), options: options(.diagonalOrthogonal))
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key(1))
        let restored = try Checkpoint(opening: folder("r"))
        let roundoff = try #require(weights.type.unitRoundoff)
        #expect(try Restoration(original: original, restored: restored).largestError < 4 * roundoff)
        // What is rounded in f16's subnormal range is rounded absolutely; elsewhere every channel counts by itself.
        if weights.type != .f16 { #expect(try largestChannelError(name, original, restored) < 4 * roundoff) }

        let model = try EditableModel(reading: folder("p"))
        let manifest = try Checkpoint(opening: folder("p")).document(named: Manifest.fileName)
        var fields = try #require(manifest?.root.object)
        #expect(fields["balance"] != nil)
        fields["balance"] = nil
        Files.remove(folder("p"))
        try model.write(to: folder("p"))
        try Files.write(JSONValue.object(fields).serialized(), to: folder("p") + "/" + Manifest.fileName)
        Files.remove(folder("r"))
        #expect(throws: ProtectionError.self) {
            try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key(1))
        }
        _ = try Protector.unsynchronized.restore(
            Checkpoint(opening: folder("p")), to: folder("r"), key: key(1), acceptsChanges: true)
        let error = try Restoration(original: original, restored: Checkpoint(opening: folder("r"))).largestError
        #expect(error > 0.5)
    }

    /// The largest relative error in norm of a channel's weights in one tensor.
    private func largestChannelError(_ name: String, _ original: Checkpoint, _ restored: Checkpoint) throws -> Double {
        var worst = 0.0
        var seen: Set<String> = []
        for slice in try Architecture.resolve(original).sites.filter({ $0.kind != .mlp }).flatMap(\.slices)
        where seen.insert(slice.tensor).inserted {
            let tensor = try #require(original.tensors[slice.tensor])
            let (rows, columns) = tensor.matrixShape
            guard rows > 1, columns > 1 else { continue }
            let channels = slice.axis == 0 ? rows : columns
            var (errors, norms) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
            for place in 0..<rows * columns {
                let channel = slice.axis == 0 ? place / columns : place % columns
                let (a, b) = (value(original, tensor, place), value(restored, tensor, place))
                errors[channel] += (a - b) * (a - b)
                norms[channel] += a * a
            }
            for (error, norm) in zip(errors, norms) where norm > 0 { worst = max(worst, (error / norm).squareRoot()) }
        }
        return worst
    }

    private func value(_ checkpoint: Checkpoint, _ tensor: TensorRecord, _ place: Int) -> Double {
        let bytes = checkpoint.bytes(of: tensor)
        return tensor.type == .f32
            ? Double(bytes.loadUnaligned(fromByteOffset: 4 * place, as: Float.self))
            : Double(Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * place, as: UInt16.self)) << 16))
    }

    @Test func bytesDoNotDependOnThreads() throws {
        let original = try write("phi", Weights(type: .f16, reach: 12))
        for threads in [1, 2, 5] {
            _ = try Protector.unsynchronized.protect(
                original, to: folder("t\(threads)"), key: key(1), options: options(.orthogonal, threads: threads))
        }
        #expect(try Files.tree(folder("t1")) == Files.tree(folder("t2")))
        #expect(try Files.tree(folder("t1")) == Files.tree(folder("t5")))
    }

    /// Ordinary weights are mixed as they are, and that is foretold to cost nothing.
    @Test(arguments: Fixtures.recorded)
    func ordinaryWeightsAreLeftAsTheyAre(name: String) throws {
        let original = try Checkpoint(opening: Fixtures.path(name))
        let sites = try Architecture.resolve(original).sites
        for sampler in [Sampler.diagonalOrthogonal, .orthogonal] {
            let prediction = try PredictedRounding(
                sites, in: original,
                steps: ProtectionSteps(
                    ProtectionStep(
                        method: .mergelock, sampler: sampler, condition: sampler.defaultCondition,
                        siteKinds: Set(Site.Kind.allCases))))
            #expect(prediction.exponents.isEmpty)
            #expect(prediction.multiple < 1.15, "\(prediction.multiple)")
            #expect(prediction.multiples.count == sites.count)
        }
    }
}
