import Checkpoints
import Foundations
import LinearAlgebra

/// One side of a site in both models, widened: n channels times the lines of its weight and bias.
struct ProbedPart<Real: ProbedScalar> {
    /// `s = B·G` (n x probes) of both models.
    struct Projections {
        let original: [Real]
        let protected: [Real]
        /// How many lines went into each sum.
        let lines: Int
    }

    let views: PartViews
    let channels: Int
    let original: UnsafeMutablePointer<Real>
    let protected: UnsafeMutablePointer<Real>

    /// - Parameter slot: of the scratch memory that holds the widened weights; this and the next are taken.
    init(_ views: PartViews, _ channels: Int, slot: Int, _ scratch: WorkerScratch) {
        self.views = views
        self.channels = channels
        let size = channels * views.lines
        original = scratch.buffer(slot, of: Real.self, count: size)
        protected = scratch.buffer(slot + 1, of: Real.self, count: size)
        var offset = 0
        for (a, b) in views.pieces {
            Real.read(a, into: original + offset)
            Real.read(b, into: protected + offset)
            offset += channels * a.lines
        }
    }

    var lines: Int { views.lines }

    func projections(_ probes: Probes) throws -> Projections {
        Projections(
            original: try project(original, probes), protected: try project(protected, probes), lines: lines)
    }

    /// Pieces with where each starts in the widened memory and among the lines.
    func forEachPiece(_ body: (_ isRows: Bool, _ lines: Int, _ line: Int) throws -> Void) rethrows {
        var line = 0
        for (view, _) in views.pieces {
            try body(view.isRows, view.lines, line)
            line += view.lines
        }
    }

    private func project(_ weights: UnsafeMutablePointer<Real>, _ probes: Probes) throws -> [Real] {
        let (n, r) = (channels, Probes.count)
        var result = [Real](repeating: 0, count: n * r)
        try result.withUnsafeMutableBufferPointer { buffer in
            let target = MutableMatrixView(buffer.baseAddress, rows: n, columns: r, rowStride: r)
            try probes.withTable(Real.self) { table in
                try forEachPiece { isRows, lines, line in
                    let (rows, columns) = isRows ? (n, lines) : (lines, n)
                    try Products.multiply(
                        MatrixView(weights + n * line, rows: rows, columns: columns, rowStride: columns),
                        leftTransposed: !isRows,
                        by: MatrixView(table.map { $0 + line * r }, rows: lines, columns: r, rowStride: r),
                        into: target,
                        beta: line == 0 ? 0 : 1)
                }
            }
        }
        return result
    }

    /// Compares `Bᵀ·s` of both models line by line.
    func compare(
        with s: Projections, _ tolerance: Tolerance, _ sketch: Sketch, _ scratch: WorkerScratch,
        _ worst: inout WorstError
    ) throws -> ColumnNoise {
        let r = Probes.count
        let change = scratch.buffer(5, of: Real.self, count: lines * r)
        try s.original.withUnsafeBufferPointer { try multiply(original, $0.baseAddress, -1, 0, change) }
        var noise = ColumnNoise()
        noise.isZero = (0..<lines * r).allSatisfy { change[$0] == 0 }
        try s.protected.withUnsafeBufferPointer { try multiply(protected, $0.baseAddress, 1, 1, change) }
        let before = scratch.buffer(6, of: Double.self, count: lines)
        let after = scratch.buffer(7, of: Double.self, count: lines)
        // What rounds absolutely does so in every line that the sums of the other side are made of.
        let least = Double(r * s.lines) * tolerance.floor * tolerance.floor
        weighNoise(original, squares(s.original, least), tolerance.floor, before)
        weighNoise(protected, squares(s.protected, least), tolerance.floor, after)
        for noise in [before, after] { averageNoise(noise, sketch) }
        var ratios: [Double] = []
        let step = max(1, lines / 256)
        for line in 0..<lines {
            var square = 0.0
            for probe in 0..<r { square += Double(change[line * r + probe]) * Double(change[line * r + probe]) }
            let error = Tolerance.relative(square.squareRoot(), to: after[line].squareRoot())
            worst.include(error, views.place(ofLine: line))
            noise.original += before[line]
            noise.protected += after[line]
            if line % step == 0, before[line] > 0 { ratios.append(after[line] / before[line]) }
        }
        if !ratios.isEmpty {
            ratios.sort()
            noise.medianRatio = ratios[ratios.count / 2]
        }
        return noise
    }

    private func multiply(
        _ weights: UnsafeMutablePointer<Real>, _ s: UnsafePointer<Real>?, _ alpha: Real, _ beta: Real,
        _ target: UnsafeMutablePointer<Real>
    ) throws {
        let (n, r) = (channels, Probes.count)
        try forEachPiece { isRows, lines, line in
            let (rows, columns) = isRows ? (n, lines) : (lines, n)
            try Products.multiply(
                MatrixView(weights + n * line, rows: rows, columns: columns, rowStride: columns),
                leftTransposed: isRows, by: MatrixView(s, rows: n, columns: r, rowStride: r),
                into: MutableMatrixView(target + line * r, rows: lines, columns: r, rowStride: r), alpha: alpha,
                beta: beta)
        }
    }

    /// ‖s_i‖² per channel, and no less than `least`.
    private func squares(_ s: [Real], _ least: Double) -> [Double] {
        (0..<channels).map { channel in
            (0..<Probes.count).reduce(least) {
                $0 + Double(s[channel * Probes.count + $1]) * Double(s[channel * Probes.count + $1])
            }
        }
    }

    /// What is seen through random vectors is rounded like the mean of all that it is a sum of, however small the sum.
    private func averageNoise(_ noise: UnsafeMutablePointer<Double>, _ sketch: Sketch) {
        var line = 0
        for (view, _) in views.pieces {
            if sketch.isSketched(view.slice.tensor) {
                let own = line..<line + view.lines
                let mean = own.reduce(0.0) { $0 + noise[$1] } / Double(max(view.lines, 1))
                for line in own { noise[line] += mean }
            }
            line += view.lines
        }
    }

    /// N² per line.
    private func weighNoise(
        _ weights: UnsafeMutablePointer<Real>, _ weight: [Double], _ floor: Double,
        _ target: UnsafeMutablePointer<Double>
    ) {
        forEachPiece { isRows, lines, line in
            let base = weights + channels * line
            if isRows {
                Real.weightedSquaresByRow(target + line, base, channels, lines, weight, floor)
            } else {
                Real.weightedSquaresByColumn(target + line, base, lines, channels, weight, floor)
            }
        }
    }
}
