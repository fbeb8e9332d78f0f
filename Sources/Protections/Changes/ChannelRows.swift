import Checkpoints
import Foundations
import LinearAlgebra
import Synchronization

/// The channels of one stored map as rows, in f64, whichever axis they lie on.
struct ChannelRows {
    /// Channels that are taken together.
    enum Block: Sendable {
        /// As a subspace.
        case joint([Int])
        /// As the real and the imaginary part of one complex row.
        case pair(Int, Int)

        fileprivate var channels: [Int] {
            switch self {
            case .joint(let channels): channels
            case .pair(let x, let y): [x, y]
            }
        }
    }

    /// Channels x inputs.
    private(set) var matrix: Matrix<Double>
    private let axis: Int

    init(_ tensor: TensorRecord, in checkpoint: Checkpoint, axis: Int) {
        let stored = Matrix(
            rows: tensor.matrixShape.rows, columns: tensor.matrixShape.columns,
            elements: tensor.type.doubles(in: checkpoint.content(of: tensor).bytes))
        matrix = axis == 0 ? stored : stored.transposed
        self.axis = axis
        checkpoint.releasePages(of: tensor)
    }

    func store(_ tensor: TensorRecord, into target: UnsafeMutableRawBufferPointer) {
        let stored = axis == 0 ? matrix : matrix.transposed
        stored.elements.withUnsafeBufferPointer { values in
            guard let from = values.baseAddress, let to = target.baseAddress else { return }
            tensor.type.narrow(from, into: to, values.count)
        }
    }

    /// Takes the share `strength` of each block's correlation with the base's away, as `Decorrelation` has it.
    ///
    /// - Parameter inverse: C⁻¹, inputs x inputs.
    mutating func decorrelate(
        from base: ChannelRows, inverse: Matrix<Double>, blocks: [Block], strength: Double, threads: Int?
    ) throws {
        guard inverse.rows == matrix.columns else {
            throw LinearAlgebraError.dimensionMismatch(
                operation: "decorrelation", expected: "\(matrix.columns) inputs", found: "\(inverse.rows)")
        }
        let (own, before) = (matrix, base.matrix)
        let found = Mutex<[(channel: Int, row: [Double])]>([])
        // Enough rows at a time for an efficient product.
        var groups: [[Block]] = [[]]
        for block in blocks {
            if groups[groups.count - 1].reduce(0, { $0 + $1.channels.count }) >= 64 { groups.append([]) }
            groups[groups.count - 1].append(block)
        }
        let jobs = groups
        try WorkerThreads.forEach(jobs.count, threads: WorkerThreads.count(threads)) { number, _ in
            let channels = jobs[number].flatMap(\.channels)
            let (w, w0) = (own.rows(channels), before.rows(channels))
            let whitened = w0 * inverse
            var (changed, start) = (w, 0)
            for block in jobs[number] {
                let range = start..<start + block.channels.count
                start = range.upperBound
                switch block {
                case .joint: Self.takeJoint(&changed, w, w0, whitened, range, strength)
                case .pair: Self.takePair(&changed, w, w0, whitened, range.lowerBound, strength)
                }
            }
            let rows = channels.indices.map { (channels[$0], changed.row($0)) }
            found.withLock { $0 += rows.map { (channel: $0.0, row: $0.1) } }
        }
        for (channel, row) in found.withLock(\.self) {
            for (column, value) in row.enumerated() { matrix[channel, column] = value }
        }
    }

    private static func takeJoint(
        _ changed: inout Matrix<Double>, _ w: Matrix<Double>, _ w0: Matrix<Double>, _ whitened: Matrix<Double>,
        _ range: Range<Int>, _ strength: Double
    ) {
        let rows = Array(range)
        let (own, base, white) = (w.rows(rows), w0.rows(rows), whitened.rows(rows))
        // A head that the base does not have has no correlation with it.
        guard let solved = try? (white * base.transposed).inverse() else { return }
        let delta = own * base.transposed * solved * white
        guard delta.elements.allSatisfy(\.isFinite) else { return }
        for (place, row) in rows.enumerated() {
            for column in 0..<w.columns { changed[row, column] -= strength * delta[place, column] }
        }
    }

    /// (w·w₀ᴴ)(w₀·C⁻¹·w₀ᴴ)⁻¹·w₀·C⁻¹ for w = x + iy.
    private static func takePair(
        _ changed: inout Matrix<Double>, _ w: Matrix<Double>, _ w0: Matrix<Double>, _ whitened: Matrix<Double>,
        _ x: Int, _ strength: Double
    ) {
        let y = x + 1
        var (real, imaginary, norm) = (0.0, 0.0, 0.0)
        for column in 0..<w.columns {
            real += w[x, column] * w0[x, column] + w[y, column] * w0[y, column]
            imaginary += w[y, column] * w0[x, column] - w[x, column] * w0[y, column]
            norm += whitened[x, column] * w0[x, column] + whitened[y, column] * w0[y, column]
        }
        let (a, b) = (strength * real / norm, strength * imaginary / norm)
        guard a.isFinite, b.isFinite else { return }
        for column in 0..<w.columns {
            changed[x, column] -= a * whitened[x, column] - b * whitened[y, column]
            changed[y, column] -= b * whitened[x, column] + a * whitened[y, column]
        }
    }
}

extension Matrix<Double> {
    fileprivate func rows(_ chosen: [Int]) -> Matrix<Double> {
        Matrix(rows: chosen.count, columns: columns, elements: chosen.flatMap(row))
    }

    fileprivate func row(_ number: Int) -> [Double] { Array(elements[number * columns..<(number + 1) * columns]) }
}
