/// A matrix with the decompositions that definitions name, by Jacobi's rotations: slow, and independent of every library.
struct NaiveMatrix {
    let rows, columns: Int
    var values: [Double]

    init(_ rows: Int, _ columns: Int, _ values: [Double]? = nil) {
        (self.rows, self.columns) = (rows, columns)
        self.values = values ?? [Double](repeating: 0, count: rows * columns)
    }

    subscript(_ row: Int, _ column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    var transposed: NaiveMatrix {
        NaiveMatrix(columns, rows, (0..<columns * rows).map { self[$0 % rows, $0 / rows] })
    }

    static func * (a: NaiveMatrix, b: NaiveMatrix) -> NaiveMatrix {
        var product = NaiveMatrix(a.rows, b.columns)
        a.values.withUnsafeBufferPointer { x in
            b.values.withUnsafeBufferPointer { y in
                for i in 0..<a.rows {
                    for j in 0..<b.columns {
                        var sum = 0.0
                        for k in 0..<a.columns { sum += x[i * a.columns + k] * y[k * b.columns + j] }
                        product[i, j] = sum
                    }
                }
            }
        }
        return product
    }

    static func + (a: NaiveMatrix, b: NaiveMatrix) -> NaiveMatrix {
        NaiveMatrix(a.rows, a.columns, zip(a.values, b.values).map { $0 + $1 })
    }

    static func - (a: NaiveMatrix, b: NaiveMatrix) -> NaiveMatrix {
        NaiveMatrix(a.rows, a.columns, zip(a.values, b.values).map { $0 - $1 })
    }

    func columns(_ range: Range<Int>) -> NaiveMatrix {
        NaiveMatrix(rows, range.count, (0..<rows).flatMap { row in range.map { self[row, $0] } })
    }

    static func beside(_ parts: [NaiveMatrix]) -> NaiveMatrix {
        let rows = parts.first?.rows ?? 0
        return NaiveMatrix(
            rows, parts.reduce(0) { $0 + $1.columns },
            (0..<rows).flatMap { row in parts.flatMap { part in (0..<part.columns).map { part[row, $0] } } })
    }

    static func diagonal(_ values: [Double]) -> NaiveMatrix {
        var matrix = NaiveMatrix(values.count, values.count)
        for (i, value) in values.enumerated() { matrix[i, i] = value }
        return matrix
    }

    /// U·diag(σ)·Vᵀ, thin, σ descending; columns of vectors without a value are 0.
    func svd() -> (u: NaiveMatrix, s: [Double], v: NaiveMatrix) {
        guard rows >= columns else {
            let (u, s, v) = transposed.svd()
            return (v, s, u)
        }
        let n = columns
        // Columns lie in one piece.
        var a = transposed.values
        var v = Self.diagonal([Double](repeating: 1, count: n)).values
        for _ in 0..<60 {
            var isDone = true
            for p in 0..<n {
                for q in p + 1..<max(n, p + 1) {
                    var (x, y, z) = (0.0, 0.0, 0.0)
                    a.withUnsafeBufferPointer { a in
                        for i in 0..<rows {
                            x += a[p * rows + i] * a[p * rows + i]
                            y += a[q * rows + i] * a[q * rows + i]
                            z += a[p * rows + i] * a[q * rows + i]
                        }
                    }
                    guard z.magnitude > 1e-15 * (x * y).squareRoot(), z != 0 else { continue }
                    isDone = false
                    let zeta = (y - x) / (2 * z)
                    let t = (zeta >= 0 ? 1 : -1) / (zeta.magnitude + (1 + zeta * zeta).squareRoot())
                    let c = 1 / (1 + t * t).squareRoot()
                    func turn(_ values: inout [Double], _ length: Int) {
                        values.withUnsafeMutableBufferPointer { values in
                            for i in 0..<length {
                                let (x, y) = (values[p * length + i], values[q * length + i])
                                values[p * length + i] = c * (x - t * y)
                                values[q * length + i] = c * (t * x + y)
                            }
                        }
                    }
                    turn(&a, rows)
                    turn(&v, n)
                }
            }
            if isDone { break }
        }
        let norms = (0..<n).map { column in
            (0..<rows).reduce(0) { $0 + a[column * rows + $1] * a[column * rows + $1] }.squareRoot()
        }
        let order = (0..<n).sorted { norms[$0] > norms[$1] }
        let least = 1e-12 * (norms.max() ?? 0)
        var (left, right) = (NaiveMatrix(rows, n), NaiveMatrix(n, n))
        for (place, column) in order.enumerated() where norms[column] > least {
            for i in 0..<rows { left[i, place] = a[column * rows + i] / norms[column] }
            for i in 0..<n { right[i, place] = v[column * n + i] }
        }
        return (left, order.map { norms[$0] }, right)
    }

    /// U·Vᵀ.
    var orthogonalFactor: NaiveMatrix {
        let (u, _, v) = svd()
        return u * v.transposed
    }
}
