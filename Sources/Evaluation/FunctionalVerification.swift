import Architectures
import Checkpoints
import Synchronization
import Transformers

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
        let a = try Model(original, threads: threads)
        // The protected weights in the original's architecture: what is compared is the weights.
        let b = Model(architecture: a.architecture, weights: Weights(protected), threads: threads)
        let moved = try Self.movedTensors(original, protected, threads: a.threads)
        let inDouble = usesDouble(original)
        let tolerance = try tolerance(original, protected, a.architecture, inDouble: inDouble)
        let comparison = try Comparison.run(
            a, b, try inputs ?? Self.randomInputs(a.architecture, original), inDouble: inDouble, moved: moved,
            groups: Self.groups(a.architecture, moved: moved), tolerance: tolerance,
            draws: draws ?? Self.draws(original),
            seed: seed, progress: progress)
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

    /// Tensors of `a` that `b` lacks or has otherwise, to the bit.
    static func movedTensors(_ a: Checkpoint, _ b: Checkpoint, threads: Int) throws -> Set<String> {
        let tensors = Array(a.tensors.values)
        let moved = Mutex(Set<String>())
        try WorkerThreads.forEach(tensors.count, threads: threads) { number, _ in
            let tensor = tensors[number]
            defer { a.releasePages(of: tensor) }
            guard let twin = b.tensors[tensor.name], same(a.bytes(of: tensor), b.bytes(of: twin)) else {
                moved.withLock { _ = $0.insert(tensor.name) }
                return
            }
            b.releasePages(of: twin)
        }
        return moved.withLock { $0 }
    }

    /// What is predicted of conditioning widens the tolerance, where the weights bear it out; factor 2 leaves room for chance, as
    /// floor and drift are one draw each. Arithmetic adds its own rounding, far below that of 16-bit weights.
    private func tolerance(
        _ original: Checkpoint, _ protected: Checkpoint, _ architecture: Architecture, inDouble: Bool
    ) throws -> Comparison.Tolerance {
        let manifest = try RoundingAllowance.manifest(of: protected)
        let multiple = try RoundingAllowance(manifest, architecture, original, threads: threads)
            .multiple(original, protected)
        return .init(multiple: 2 * min(multiple, 100), absolute: inDouble ? 1e-12 : 1e-5)
    }
}
