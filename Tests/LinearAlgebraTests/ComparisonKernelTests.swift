import CKernels
import LinearAlgebra
import Testing

/// The C loops of the proofs from the weights against their formulas, one number at a time.
@Suite struct ComparisonKernelTests {
    /// Around the widths of lanes (16) and runs (1024).
    private static let counts = [0, 1, 15, 16, 17, 31, 1023, 1024, 1025, 2049, 3000]

    private static func values(_ count: Int, _ name: String) -> [Double] {
        var stream = KeyedRandomStream(secret: [], info: name)
        return (0..<count).map { _ in stream.nextGaussian() }
    }

    private static func isClose(_ a: Double, _ b: Double, _ relative: Double = 1e-12) -> Bool {
        (a - b).magnitude <= relative * max(a.magnitude, b.magnitude)
    }

    private typealias Difference<Value> = (
        UnsafePointer<Value>, UnsafePointer<Value>, Int, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>
    ) -> Void

    private static func check<Value>(
        _ kernel: Difference<Value>, _ relative: Double, _ count: Int, _ narrow: (Double) -> Value,
        _ widen: (Value) -> Double
    ) {
        let (x, y) = (values(count, "x").map(narrow), values(count, "y").map(narrow))
        var (difference, norm) = (-1.0, -1.0)
        // Room for an address where there are no values.
        kernel(x + [narrow(9)], y + [narrow(7)], count, &difference, &norm)
        let expected = zip(x, y).reduce(0) { $0 + (widen($1.1) - widen($1.0)) * (widen($1.1) - widen($1.0)) }
        #expect(isClose(difference, expected, relative), "\(Value.self) \(count)")
        #expect(isClose(norm, x.reduce(0) { $0 + widen($1) * widen($1) }, relative), "\(Value.self) \(count)")
    }

    @Test(arguments: counts) func differences(count: Int) {
        Self.check(
            mp_difference_bf16, 0x1p-14, count, ConversionTwins.narrowBF16, { Double(ConversionTwins.widenBF16($0)) })
        Self.check(
            mp_difference_f16, 0x1p-14, count, ConversionTwins.narrowF16, { Double(ConversionTwins.widenF16($0)) })
        Self.check(mp_difference_f32, 1e-12, count, { Float($0) }, { Double($0) })
        Self.check(mp_difference_f64, 1e-12, count, { $0 }, { $0 })
    }

    /// `Σ conj(x) y`, `Σ |x|²`, `Σ |y|²` of complex numbers x = xa + i·xb, y = ya + i·yb.
    @Test(arguments: counts) func pairSums(count: Int) {
        let parts = ["a", "b", "c", "d"].map { Self.values(count, $0) + [9] }
        var sums = [Double](repeating: -1, count: 4)
        mp_pair_sums(parts[0], parts[1], parts[2], parts[3], count, &sums)
        var expected = [Double](repeating: 0, count: 4)
        for i in 0..<count {
            let (a, b, c, d) = (parts[0][i], parts[1][i], parts[2][i], parts[3][i])
            for (place, term) in [a * c + b * d, a * d - b * c, a * a + b * b, c * c + d * d].enumerated() {
                expected[place] += term
            }
        }
        for (found, wanted) in zip(sums, expected) {
            #expect((found - wanted).magnitude <= 1e-12 * (1 + Double(count)))
        }
    }

    /// One entry of y = z x is off by a known share of |z x|, at every kind of place.
    @Test(arguments: counts.dropFirst()) func pairErrors(count: Int) {
        let (re, im) = (1.25, -0.5)
        let (a, b) = (Self.values(count, "a"), Self.values(count, "b"))
        let turned = zip(a, b).map { (re * $0 - im * $1, re * $1 + im * $0) }
        for place in Set([0, count / 2, count - 1]) {
            var (c, d) = (turned.map(\.0), turned.map(\.1))
            var found = count
            #expect(mp_pair_error(a, b, c, d, count, re, im, 0, &found) < 1e-15 && found <= count)
            let size = (c[place] * c[place] + d[place] * d[place]).squareRoot()
            d[place] += 0.01 * size
            #expect(Self.isClose(mp_pair_error(a, b, c, d, count, re, im, 0, &found), 0.01, 1e-9) && found == place)
            // Beside a floor as large as |z x| itself the same error counts 1/√2 of that.
            let beside = mp_pair_error(a, b, c, d, count, re, im, size, &found)
            #expect(beside <= 0.01 / 2.0.squareRoot() * (1 + 1e-9) && beside > 0)
            c[place] = .nan
            #expect(mp_pair_error(a, b, c, d, count, re, im, 0, &found) == .infinity && found == place)
        }
        // Zero is no error of zero.
        var found = 0
        let zero = [Double](repeating: 0, count: count)
        #expect(mp_pair_error(zero, zero, zero, zero, count, re, im, 0, &found) == 0)
    }

    /// `Σ_i w_i (m_ij² + floor²)` along either axis.
    @Test(arguments: [(1, 1), (3, 16), (8, 33), (17, 5), (40, 100)]) func weightedSquares(rows: Int, columns: Int) {
        let m = Self.values(rows * columns, "m").map { Double(Float($0)) }
        let floor = 0.25
        func expected(_ along: Int, _ weight: [Double], _ place: (Int, Int) -> Int) -> [Double] {
            (0..<along).map { j in
                weight.indices.reduce(0) { $0 + weight[$1] * (m[place($1, j)] * m[place($1, j)] + floor * floor) }
            }
        }
        let (byRow, byColumn) = (Self.values(rows, "w").map(\.magnitude), Self.values(columns, "v").map(\.magnitude))
        let across = expected(columns, byRow) { $0 * columns + $1 }
        let along = expected(rows, byColumn) { $1 * columns + $0 }
        var (outAcross, outAlong) = ([Double](repeating: -1, count: columns), [Double](repeating: -1, count: rows))
        func compare(_ name: String) {
            #expect(zip(outAcross, across).allSatisfy { Self.isClose($0, $1) }, "\(name)")
            #expect(zip(outAlong, along).allSatisfy { Self.isClose($0, $1) }, "\(name)")
        }
        mp_weighted_squares_by_row_f64(&outAcross, m, rows, columns, byRow, floor)
        mp_weighted_squares_by_column_f64(&outAlong, m, rows, columns, byColumn, floor)
        compare("f64")
        let singles = m.map { Float($0) }
        mp_weighted_squares_by_row_f32(&outAcross, singles, rows, columns, byRow, floor)
        mp_weighted_squares_by_column_f32(&outAlong, singles, rows, columns, byColumn, floor)
        compare("f32")
    }
}
