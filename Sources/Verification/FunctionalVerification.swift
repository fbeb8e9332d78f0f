import Architectures
import Checkpoints
import ForwardPass

/// Proves by evaluation that two checkpoints compute the same function: both read the same inputs, layer by layer in step, and what
/// sets them apart is held against what rounding the original's weights once more would do.
public struct FunctionalVerification: Sendable {
    public enum Precision: String, Sendable, CaseIterable {
        case f32, f64
        /// f64 where weights are stored in f32 or f64, whose rounding f32 arithmetic would hide, or the model is small.
        case automatic = "auto"
    }

    private static let smallModel = 1 << 30
    private static let tinyModel = 1 << 24

    private let threads: Int?
    private let precision: Precision
    private let draws: Int?
    private let seed: UInt64

    /// - Parameters:
    ///   - draws: how often the noise of the rounding floor is drawn; nil for as often as the model's size asks for.
    ///   - seed: chooses the noise.
    public init(threads: Int? = nil, precision: Precision = .automatic, draws: Int? = nil, seed: UInt64 = 1) {
        self.threads = threads
        self.precision = precision
        self.draws = draws
        self.seed = seed
    }

    /// - Parameter inputs: random ones when nil.
    public func verify(
        _ original: Checkpoint, _ protected: Checkpoint, inputs: ModelInputs? = nil,
        progress: ((Double) -> Void)? = nil
    ) throws -> FunctionalReport {
        try verify(ModelPair(original, protected, threads: threads), inputs: inputs, progress: progress)
    }

    /// - Parameter inputs: random ones when nil.
    public func verify(
        _ pair: ModelPair, inputs: ModelInputs? = nil, progress: ((Double) -> Void)? = nil
    ) throws -> FunctionalReport {
        let (original, architecture) = (pair.original, pair.architecture)
        // Several runs read each tensor in turn, and none keeps it: memory does not grow with the model.
        func weights(_ checkpoint: Checkpoint) -> Weights { Weights(checkpoint, releasingPages: true) }
        let a = Model(architecture: architecture, weights: weights(original), threads: threads)
        // The protected weights in the original's architecture: what is compared is the weights. But for a head that was the table.
        let b = Model(architecture: try pair.protectedArchitecture, weights: weights(pair.protected), threads: threads)
        let inDouble = usesDouble(original)
        // What is predicted of conditioning widens the tolerance, where the weights bear it out; factor 2 leaves room for chance, as
        // floor and drift are one draw each. Arithmetic adds its own rounding, far below that of 16-bit weights.
        let multiple = pair.allowance.multiple(original, pair.sketch, pair.outer.placement)
        let tolerance = Comparison.DriftTolerance(multiple: 2 * min(multiple, 100), absolute: inDouble ? 1e-12 : 1e-5)
        let comparison = try Comparison.run(
            a, b, try inputs ?? Self.randomInputs(architecture, original), inDouble: inDouble, moved: pair.moved,
            groups: Self.groups(architecture, moved: pair.moved), arrangement: pair.arrangement, tolerance: tolerance,
            draws: draws ?? Self.draws(original), seed: seed, progress: progress)
        return FunctionalReport(comparison: comparison, tolerance: tolerance, inDouble: inDouble)
    }

    private func usesDouble(_ checkpoint: Checkpoint) -> Bool {
        switch precision {
        case .f32: false
        case .f64: true
        case .automatic:
            checkpoint.tensorBytes < Self.smallModel
                || checkpoint.tensors.values.contains { $0.type == .f32 || $0.type == .f64 }
        }
    }

    /// A small model's noise scatters from draw to draw, and draws of it cost little.
    private static func draws(_ checkpoint: Checkpoint) -> Int { checkpoint.tensorBytes < tinyModel ? 4 : 1 }

    /// A large model has so many channels that few positions say as much; a mixture of experts needs some for each expert.
    private static func randomInputs(_ architecture: Architecture, _ checkpoint: Checkpoint) throws -> ModelInputs {
        let isSparse = architecture.stacks.flatMap(\.layers).flatMap(\.sublayers).contains { sublayer in
            if case .experts = sublayer.operation { true } else { false }
        }
        guard checkpoint.tensorBytes >= smallModel, !isSparse else { return try RandomInputs.make(for: architecture) }
        return try RandomInputs.make(for: architecture, sequences: 2, length: 16)
    }
}
