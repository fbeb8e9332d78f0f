import CKernels
import LinearAlgebra
import Testing

/// The kernels before and behind a rotation against their definition, at lengths around those that they cut at.
@Suite struct ShuffleKernelTests {
    private struct Draw {
        let index: [Int32]
        let scale: [Double]
        let values: [Double]

        init(_ n: Int, values count: Int) {
            var stream = KeyedRandomStream(secret: [4], info: "shuffle/\(n)/\(count)")
            index = stream.permutation(n).map(Int32.init)
            scale = (0..<n).map { _ in stream.nextUnit() + 0.5 }
            // Exact in every type, so that there is one right answer.
            values = (0..<count).map { _ in Double(stream.nextIndex(below: 255)) - 127 }
        }
    }

    private static func bf16(_ x: Double) -> UInt16 {
        var (value, result) = (Float(x), UInt16(0))
        mp_f32_to_bf16(&result, &value, 1)
        return result
    }

    private static func f16(_ x: Double) -> UInt16 {
        var (value, result) = (Float(x), UInt16(0))
        mp_f32_to_f16(&result, &value, 1)
        return result
    }

    private static func check<Stored: Equatable, Real: BinaryFloatingPoint>(
        _ draw: Draw, _ zero: Stored, _ store: (Double) -> Stored,
        take: (UnsafeMutablePointer<Real>, [Stored], [Int32], [Real], Int) -> Void,
        put: (UnsafeMutablePointer<Stored>, [Real], [Int32], [Real], Int) -> Void
    ) {
        let n = draw.index.count
        let (scale, values) = (draw.scale.map { Real($0) }, draw.values.map { Real($0) })
        var taken = [Real](repeating: 0, count: n)
        take(&taken, draw.values.map(store), draw.index, scale, n)
        #expect(taken == (0..<n).map { values[Int(draw.index[$0])] * scale[$0] })
        var stored = [Stored](repeating: zero, count: n)
        put(&stored, values, draw.index, scale, n)
        #expect(stored == (0..<n).map { store(Double(values[Int(draw.index[$0])] * scale[$0])) })
    }

    @Test(arguments: [1, 7, 511, 512, 513, 1300])
    func vectorsAreTheDefinition(n: Int) {
        let draw = Draw(n, values: n)
        Self.check(
            draw, 0, Self.bf16, take: { mp_take_bf16($0, $1, $2, $3, $4) }, put: { mp_put_bf16($0, $1, $2, $3, $4) })
        Self.check(
            draw, 0, Self.f16, take: { mp_take_f16($0, $1, $2, $3, $4) }, put: { mp_put_f16($0, $1, $2, $3, $4) })
        Self.check(
            draw, 0, { Float($0) }, take: { mp_take_f32($0, $1, $2, $3, $4) }, put: { mp_put_f32($0, $1, $2, $3, $4) })
        Self.check(
            draw, 0, { $0 }, take: { mp_take_f64($0, $1, $2, $3, $4) }, put: { mp_put_f64($0, $1, $2, $3, $4) })
        Self.check(
            draw, 0, { Float($0) }, take: { mp_take_wide($0, $1, $2, $3, $4) }, put: { mp_put_wide($0, $1, $2, $3, $4) }
        )
    }

    /// n rows of `width` values, `stride` apart.
    private static func checkRows<Stored: Equatable, Real: BinaryFloatingPoint>(
        _ n: Int, _ width: Int, _ zero: Stored, _ store: (Double) -> Stored,
        take: (UnsafeMutablePointer<Real>, [Stored], Int, [Int32], [Real], Int, Int) -> Void,
        put: (UnsafeMutablePointer<Stored>, Int, [Real], [Int32], [Real], Int, Int) -> Void
    ) {
        let stride = width + 3
        let draw = Draw(n, values: n * stride)
        let (scale, values) = (draw.scale.map { Real($0) }, draw.values.map { Real($0) })
        var taken = [Real](repeating: 0, count: n * width)
        take(&taken, draw.values.map(store), stride, draw.index, scale, n, width)
        var expected: [Real] = []
        for i in 0..<n {
            for j in 0..<width { expected.append(values[Int(draw.index[i]) * stride + j] * scale[i]) }
        }
        #expect(taken == expected)
        var stored = [Stored](repeating: zero, count: n * stride)
        put(&stored, stride, values, draw.index, scale, n, width)
        var rows = [Stored](repeating: zero, count: n * stride)
        for i in 0..<n {
            for j in 0..<width {
                rows[i * stride + j] = store(Double(values[Int(draw.index[i]) * width + j] * scale[i]))
            }
        }
        #expect(stored == rows)
    }

    @Test(arguments: [1, 15, 16, 17, 40], [1, 31, 32, 100])
    func rowsAreTheDefinition(n: Int, width: Int) {
        Self.checkRows(
            n, width, 0, Self.bf16, take: { mp_take_rows_bf16($0, $1, $2, $3, $4, $5, $6) },
            put: { mp_put_rows_bf16($0, $1, $2, $3, $4, $5, $6) })
        Self.checkRows(
            n, width, 0, Self.f16, take: { mp_take_rows_f16($0, $1, $2, $3, $4, $5, $6) },
            put: { mp_put_rows_f16($0, $1, $2, $3, $4, $5, $6) })
        Self.checkRows(
            n, width, 0, { Float($0) }, take: { mp_take_rows_f32($0, $1, $2, $3, $4, $5, $6) },
            put: { mp_put_rows_f32($0, $1, $2, $3, $4, $5, $6) })
        Self.checkRows(
            n, width, 0, { $0 }, take: { mp_take_rows_f64($0, $1, $2, $3, $4, $5, $6) },
            put: { mp_put_rows_f64($0, $1, $2, $3, $4, $5, $6) })
        Self.checkRows(
            n, width, 0, { Float($0) }, take: { mp_take_rows_wide($0, $1, $2, $3, $4, $5, $6) },
            put: { mp_put_rows_wide($0, $1, $2, $3, $4, $5, $6) })
    }
}
