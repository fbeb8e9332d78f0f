import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Rewriting
import Symmetries
import Synchronization

/// What turning a model's residual streams by dense matrices costs in products alone, to be held against the time that it takes.
///
/// A tensor of n weights that meets a stream of width d becomes a product with the d x d matrix R, of 2·n·d floating-point operations.
/// What else a protection does (drawing R, widening, rounding, reading and writing) is not counted.
package struct RotationWork: Sendable {
    /// How long products are timed.
    private static let trial = Duration.milliseconds(200)

    /// A width, the axis on which it lies, and the operations there.
    package struct Part: Sendable, Equatable {
        package let width: Int
        package let axis: Int
        package var operations: Double
    }

    package let parts: [Part]
    /// 16-bit weights are turned in f32, others in f64.
    package let isSingle: Bool

    package var operations: Double { parts.reduce(0) { $0 + $1.operations } }

    /// Nil where no stream may be turned.
    package init?(_ checkpoint: Checkpoint, _ architecture: Architecture) {
        var parts: [Part] = []
        var seen: Set<String> = []
        var isSingle = true
        for site in architecture.residualStreams.compactMap({ $0.site(.rotation) }) {
            let width = site.group.dimension
            for slice in site.slices where seen.insert(slice.tensor).inserted {
                let table = site.untied.flatMap { $0.head == slice.tensor ? $0.table : nil } ?? slice.tensor
                guard let tensor = checkpoint.tensors[table] else { continue }
                isSingle = isSingle && tensor.type.bitWidth == 16
                let own = 2 * Double(tensor.elementCount) * Double(width)
                if let place = parts.firstIndex(where: { $0.width == width && $0.axis == slice.axis }) {
                    parts[place].operations += own
                } else {
                    parts.append(Part(width: width, axis: slice.axis, operations: own))
                }
            }
        }
        guard !parts.isEmpty else { return nil }
        (self.parts, self.isSingle) = (parts, isSingle)
    }

    /// Seconds that the same products take by themselves, on operands that stay in memory, in as many threads: as long as each shape
    /// takes at its rate.
    package func rawSeconds(threads: Int?) throws -> Double {
        try parts.reduce(0) { sum, part in
            try sum + part.operations
                / (isSingle
                    ? Self.rate(Float.self, part, threads: threads) : Self.rate(Double.self, part, threads: threads))
        }
    }

    /// Operations per second of a shape's products, one BLAS thread in each of the threads: the best of three trials.
    private static func rate<Real: RealScalar>(_ type: Real.Type, _ part: Part, threads: Int?) throws -> Double {
        BLASThreads.use(1)
        let (d, threads) = (part.width, WorkerThreads.count(threads))
        let turning = matrix(d, d, type)
        let operand =
            part.axis == 1 ? matrix(DenseRotation.rows(width: d), d, type) : matrix(d, DenseRotation.columns, type)
        let own = 2 * Double(operand.rows * operand.columns) * Double(d)
        let clock = ContinuousClock()
        var best = 0.0
        for _ in 0..<3 {
            let products = Mutex(0)
            let started = clock.now
            try WorkerThreads.forEach(threads, threads: threads) { _, _ in
                var (result, count) = (Matrix<Real>(rows: operand.rows, columns: operand.columns, repeating: 0), 0)
                while count == 0 || clock.now - started < trial {
                    try multiply(operand, turning, part, into: &result)
                    count += 1
                }
                products.withLock { $0 += count }
            }
            let time = (clock.now - started).components
            let seconds = Double(time.seconds) + 1e-18 * Double(time.attoseconds)
            best = max(best, own * Double(products.withLock { $0 }) / max(seconds, 1e-9))
        }
        return best
    }

    private static func multiply<Real: RealScalar>(
        _ operand: Matrix<Real>, _ turning: Matrix<Real>, _ part: Part, into result: inout Matrix<Real>
    ) throws {
        try turning.withView { turning in
            try operand.withView { operand in
                try result.withMutableView { result in
                    if part.axis == 1 {
                        try Products.multiply(operand, by: turning, rightTransposed: true, into: result)
                    } else {
                        try Products.multiply(turning, by: operand, into: result)
                    }
                }
            }
        }
    }

    private static func matrix<Real: RealScalar>(_ rows: Int, _ columns: Int, _ type: Real.Type) -> Matrix<Real> {
        Matrix(
            rows: rows, columns: columns,
            elements: (0..<rows * columns).map { Real(Double($0 * 7919 % 2003) / 1001.5 - 1) })
    }
}
