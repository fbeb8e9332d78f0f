import LinearAlgebra
import Symmetries

extension Circuit {
    /// Of each rotary pair the complex matrix `C = conj(q)ᵀ k` of rank one, the queries of a group side by side: `Σ w_i C_i` again at rank one.
    ///
    /// Its best such matrix is `(C kᴴ) k` for the right singular vector k of the largest singular value, a combination `Σ c_i k_i`, so that power
    /// iteration runs on as many numbers as there are models. Both rows come out equally long.
    static func mergePairs(_ parts: [(circuit: Circuit, weight: Double)], _ pairing: ChannelPairing) -> Merged? {
        guard let first = parts.first?.circuit else { return nil }
        var (left, right) = (first.left, first.right)
        var kept = 0.0
        for pair in 0..<pairing.pairCount {
            let channels = pairing.channels(ofPair: pair)
            let found = RankOne(
                keys: parts.map { ComplexRow($0.circuit.left, channels) },
                queries: parts.map { ComplexRow($0.circuit.right, channels) }, weights: parts.map(\.weight))
            found.key.write(to: &left, channels)
            found.query.write(to: &right, channels)
            kept += found.kept
        }
        return Merged(
            circuit: Circuit(left: left, right: right), kept: kept / Double(max(pairing.pairCount, 1)))
    }
}

/// The nearest `conj(q)ᵀ k` to a weighted sum of such.
private struct RankOne {
    private static let iterations = 200
    private(set) var key, query: ComplexRow
    private(set) var kept = 1.0

    init(keys: [ComplexRow], queries: [ComplexRow], weights: [Double]) {
        let count = keys.count
        let inner = { (rows: [ComplexRow]) in rows.map { a in rows.map { a.product($0) } } }
        let (ofKeys, ofQueries) = (inner(keys), inner(queries))
        // Of all models the one with the largest circuit is begun with.
        let sizes = (0..<count).map { weights[$0].magnitude * (ofKeys[$0][$0].real * ofQueries[$0][$0].real) }
        let start = sizes.indices.max { sizes[$0] < sizes[$1] } ?? 0
        var c = (0..<count).map { Complex(real: $0 == start ? 1 : 0) }
        var a = c
        for _ in 0..<Self.iterations {
            let size = Complex.form(c, ofKeys).squareRoot()
            guard size > 0 else { break }
            c = c.map { $0 * Complex(real: 1 / size) }
            a = (0..<count).map { i in
                (0..<count).reduce(Complex()) { $0 + c[$1] * ofKeys[i][$1].conjugate } * Complex(real: weights[i])
            }
            let next = (0..<count).map { i in
                (0..<count).reduce(Complex()) { $0 + a[$1] * ofQueries[$1][i] } * Complex(real: weights[i])
            }
            let (moved, length) = (Complex.form(next, ofKeys).squareRoot(), Complex.form(a, ofQueries).squareRoot())
            // ‖C kᴴ‖ is what it will be: the direction stands.
            guard moved > length * length * (1 + 1e-14) else { break }
            c = next
        }
        let size = Complex.form(c, ofKeys).squareRoot()
        if size > 0 {
            c = c.map { $0 * Complex(real: 1 / size) }
            a = (0..<count).map { i in
                (0..<count).reduce(Complex()) { $0 + c[$1] * ofKeys[i][$1].conjugate } * Complex(real: weights[i])
            }
        }
        (key, query) = (ComplexRow(c, keys), ComplexRow(a, queries))
        let (k, q) = (key.product(key).real, query.product(query).real)
        guard k > 0, q > 0 else { return }
        let balance = (q / k).squareRoot().squareRoot()
        (key, query) = (key.scaled(balance), query.scaled(1 / balance))
        var whole = 0.0
        for i in 0..<count {
            for j in 0..<count { whole += weights[i] * weights[j] * (ofKeys[i][j] * ofQueries[j][i]).real }
        }
        if whole > 0 { kept = min(k * q / whole, 1) }
    }
}

/// Two rows as one of complex numbers.
private struct ComplexRow {
    private(set) var real, imaginary: [Double]

    init(_ matrix: Matrix<Double>, _ channels: (real: Int, imaginary: Int)) {
        (real, imaginary) = (Array(matrix.row(channels.real)), Array(matrix.row(channels.imaginary)))
    }

    /// `Σ c_i row_i`.
    init(_ factors: [Complex], _ rows: [ComplexRow]) {
        let width = rows.first?.real.count ?? 0
        (real, imaginary) = (Array(repeating: 0, count: width), Array(repeating: 0, count: width))
        for (factor, row) in zip(factors, rows) {
            for place in 0..<width {
                real[place] += factor.real * row.real[place] - factor.imaginary * row.imaginary[place]
                imaginary[place] += factor.real * row.imaginary[place] + factor.imaginary * row.real[place]
            }
        }
    }

    /// `self · otherᴴ`.
    func product(_ other: ComplexRow) -> Complex {
        Complex(
            real: dot(real[...], other.real[...]) + dot(imaginary[...], other.imaginary[...]),
            imaginary: dot(imaginary[...], other.real[...]) - dot(real[...], other.imaginary[...]))
    }

    func scaled(_ factor: Double) -> ComplexRow {
        var row = self
        (row.real, row.imaginary) = (real.map { $0 * factor }, imaginary.map { $0 * factor })
        return row
    }

    func write(to matrix: inout Matrix<Double>, _ channels: (real: Int, imaginary: Int)) {
        for place in real.indices {
            matrix[channels.real, place] = real[place]
            matrix[channels.imaginary, place] = imaginary[place]
        }
    }
}

private struct Complex {
    var (real, imaginary) = (0.0, 0.0)

    init(real: Double = 0, imaginary: Double = 0) { (self.real, self.imaginary) = (real, imaginary) }

    var conjugate: Complex { Complex(real: real, imaginary: -imaginary) }

    static func + (a: Complex, b: Complex) -> Complex {
        Complex(real: a.real + b.real, imaginary: a.imaginary + b.imaginary)
    }

    static func * (a: Complex, b: Complex) -> Complex {
        Complex(
            real: a.real * b.real - a.imaginary * b.imaginary, imaginary: a.real * b.imaginary + a.imaginary * b.real)
    }

    /// `‖Σ c_i row_i‖²` of rows with these inner products.
    static func form(_ c: [Complex], _ products: [[Complex]]) -> Double {
        var sum = 0.0
        for i in c.indices {
            for j in c.indices { sum += (c[i] * c[j].conjugate * products[i][j]).real }
        }
        return max(sum, 0)
    }
}
