import Architectures
import Checkpoints
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

    private let threads: Int?
    private let precision: Precision
    private let seed: UInt64

    /// - Parameter seed: chooses the noise of the rounding floor.
    public init(threads: Int? = nil, precision: Precision = .automatic, seed: UInt64 = 1) {
        self.threads = threads
        self.precision = precision
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
        let moved = Self.movedTensors(original, protected)
        let inDouble = usesDouble(original)
        let tolerance = try Self.tolerance(original, protected, a.architecture, inDouble: inDouble)
        let comparison = try Comparison.run(
            a, b, try inputs ?? RandomInputs.make(for: a.architecture), inDouble: inDouble, moved: moved,
            groups: Self.groups(a.architecture, moved: moved), tolerance: tolerance, seed: seed, progress: progress)
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

    static func movedTensors(_ a: Checkpoint, _ b: Checkpoint) -> Set<String> {
        var moved: Set<String> = []
        for tensor in a.tensors.values {
            guard let twin = b.tensors[tensor.name], same(a.bytes(of: tensor), b.bytes(of: twin)) else {
                moved.insert(tensor.name)
                continue
            }
        }
        return moved
    }

    /// What is predicted of conditioning widens the tolerance, where the weights bear it out; factor 2 leaves room for chance, as
    /// floor and drift are one draw each. Arithmetic adds its own rounding, far below that of 16-bit weights.
    private static func tolerance(
        _ original: Checkpoint, _ protected: Checkpoint, _ architecture: Architecture, inDouble: Bool
    ) throws -> Comparison.Tolerance {
        let manifest = try RoundingAllowance.manifest(of: protected)
        let multiple = try RoundingAllowance(manifest, architecture, original).multiple(original, protected)
        return .init(multiple: 2 * min(multiple, 100), absolute: inDouble ? 1e-12 : 1e-5)
    }
}
