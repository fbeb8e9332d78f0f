import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Symmetries
import Synchronization

/// A metric of the inputs of the base's maps: the symmetric root of C = (Σ xᵀx)/n + ridge over what they read on calibration data.
struct ActivationMetric: Sendable {
    /// The mean of the diagonal times this is added to it.
    private static let ridge = 1e-3
    /// By tensor, inputs x inputs; maps that read the same rows share one.
    private let roots: [String: Matrix<Double>]

    init(_ base: Checkpoint, on inputs: ModelInputs, threads: Int) throws {
        let architecture = try Architecture.resolve(base)
        let wanted = Set(architecture.sites.flatMap(\.slices).filter { $0.part.isReader }.map(\.tensor))
        let model = Model(architecture: architecture, weights: Weights(base), threads: threads)
        var roots: [String: Matrix<Double>] = [:]
        try model.grams(of: wanted, on: inputs) { readers in
            let root = try Self.root(readers.gram, readers.count, of: readers.tensors.first ?? "")
            for tensor in readers.tensors { roots[tensor] = root }
        }
        self.roots = roots
    }

    private static func root(_ gram: Matrix<Double>, _ count: Int, of tensor: String) throws -> Matrix<Double> {
        let trace = (0..<gram.rows).reduce(0) { $0 + gram[$1, $1] } / Double(count)
        guard trace.isFinite, trace > 0 else { throw AlignmentError.noActivations(tensor: tensor) }
        let (values, vectors) = try (gram * (1 / Double(count))).symmetricEigen()
        let least = ridge * trace / Double(gram.rows)
        let scaled = Matrix<Double>(
            rows: vectors.rows, columns: vectors.columns,
            elements: vectors.elements.enumerated().map { place, value in
                value * (max(values[place / vectors.columns], 0) + least).squareRoot()
            })
        return vectors.transposed * scaled
    }

    /// Rows of a slice, times C^½ where they are a map of what was looked at.
    func weighted(_ rows: Matrix<Double>, of slice: Site.Slice) -> Matrix<Double> {
        guard slice.part.isReader, slice.width == 1, slice.across == nil, let root = roots[slice.tensor],
            root.rows == rows.columns
        else { return rows }
        return rows * root
    }
}

extension Site.Part {
    /// Whether it is a map of what its block reads.
    fileprivate var isReader: Bool {
        switch self {
        case .query, .key, .value, .gate, .up: true
        case .output, .outputGate, .down, .queryGain, .keyGain, .sinks, .router, .residual: false
        }
    }
}
