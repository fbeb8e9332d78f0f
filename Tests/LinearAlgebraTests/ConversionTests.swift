import CKernels
import LinearAlgebra
import Testing

/// Each kernel against its twin, over all 16-bit patterns and all boundaries between them.
@Suite struct ConversionTests {
    static let patterns = (0...UInt16.max).map { $0 }

    @Test func widensEveryPattern() {
        var out = [Float](repeating: 0, count: 65536)
        mp_bf16_to_f32(&out, Self.patterns, 65536)
        #expect(Self.patterns.allSatisfy { out[Int($0)].bitPattern == ConversionTwins.widenBF16($0).bitPattern })
        mp_f16_to_f32(&out, Self.patterns, 65536)
        #expect(
            Self.patterns.allSatisfy { pattern in
                let expected = ConversionTwins.widenF16(pattern)
                return expected.isNaN ? out[Int(pattern)].isNaN : out[Int(pattern)].bitPattern == expected.bitPattern
            })
    }

    @Test func everyPatternComesBack() {
        var wide = [Float](repeating: 0, count: 65536)
        var back = [UInt16](repeating: 0, count: 65536)
        func check(_ exponent: UInt16, _ quiet: UInt16) {
            #expect(Self.patterns.allSatisfy { back[Int($0)] == ($0 & 0x7fff > exponent ? $0 | quiet : $0) })
        }
        mp_bf16_to_f32(&wide, Self.patterns, 65536)
        mp_f32_to_bf16(&back, wide, 65536)
        check(0x7f80, 0x0040)
        mp_f16_to_f32(&wide, Self.patterns, 65536)
        mp_f32_to_f16(&back, wide, 65536)
        check(0x7c00, 0x0200)
    }

    /// Between each number and the next: just above the lower, just below, at and just above the midpoint, just below the upper.
    private func boundaries(_ widen: (UInt16) -> Float, _ exponent: UInt16) -> [Float] {
        var result: [Float] = [.greatestFiniteMagnitude, .leastNonzeroMagnitude, .infinity]
        for pattern in 0..<exponent {
            let low = widen(pattern)
            let high = pattern + 1 == exponent ? .greatestFiniteMagnitude : widen(pattern + 1)
            let middle = low / 2 + high / 2
            result += [low.nextUp, middle.nextDown, middle, middle.nextUp, high.nextDown]
        }
        return result + result.map { -$0 }
    }

    @Test func roundsToNearestEvenAtEveryBoundary() {
        for (widen, exponent, narrow, twin) in [
            (ConversionTwins.widenBF16, 0x7f80, mp_f32_to_bf16, ConversionTwins.narrowBF16),
            (ConversionTwins.widenF16, 0x7c00, mp_f32_to_f16, ConversionTwins.narrowF16),
        ]
            as [(
                (UInt16) -> Float, UInt16, (UnsafeMutablePointer<UInt16>?, UnsafePointer<Float>?, Int) -> Void,
                (Double) -> UInt16
            )]
        {
            let source = boundaries(widen, exponent)
            var out = [UInt16](repeating: 0, count: source.count)
            narrow(&out, source, source.count)
            #expect(zip(out, source).count { $0 != twin(Double($1)) } == 0)
        }
    }

    /// Every length up to several vectors, at odd addresses: all values written, none beyond.
    @Test func writesExactlyTheRangeAtAnyAddress() {
        let source = (0..<100).map { Float($0) + 0.5 }
        for n in 0...70 {
            var bytes = [UInt8](repeating: 0xde, count: 200)
            bytes.withUnsafeMutableBytes { raw in
                guard let base = raw.baseAddress else { return }
                mp_f32_to_bf16((base + 3).assumingMemoryBound(to: UInt16.self), source, n)
            }
            for i in 0..<n {
                let found = UInt16(bytes[3 + 2 * i]) | UInt16(bytes[4 + 2 * i]) << 8
                #expect(found == ConversionTwins.narrowBF16(Double(source[i])))
            }
            #expect(bytes[..<3].allSatisfy { $0 == 0xde } && bytes[(3 + 2 * n)...].allSatisfy { $0 == 0xde })
        }
    }

    @Test func countsNonFiniteValues() {
        #expect(mp_nonfinite_16(Self.patterns, 65536, 0x7f80) == 2 * 128)
        #expect(mp_nonfinite_16(Self.patterns, 65536, 0x7c00) == 2 * 1024)
        let floats: [Float] = [1, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, 0]
        #expect(mp_nonfinite_32(floats.map(\.bitPattern), 6) == 3)
        #expect(mp_nonfinite_64(floats.map { Double($0).bitPattern }, 6) == 3)
    }

    @Test func widensAndNarrowsBetweenFloatAndDouble() {
        let values: [Double] = [1 / 3, -1e-40, 1e300, 0x1p-150, 5]
        var narrow = [Float](repeating: 0, count: 5)
        mp_f64_to_f32(&narrow, values, 5)
        #expect(narrow == values.map { Float($0) })
        var wide = [Double](repeating: 0, count: 5)
        mp_f32_to_f64(&wide, narrow, 5)
        #expect(wide == narrow.map { Double($0) })
    }
}

/// Scaling, gathering and rotating against their definitions, with the count of values that lost bits.
@Suite struct RewritingKernelTests {
    @Test func scalingByPowersOfTwoIsExactOrCounted() {
        let floats: [Float] = [1.5, -3, 0, -0.0, 0x1.8p-126, 0x1.000002p-126, .greatestFiniteMagnitude]
        var out = [Float](repeating: 9, count: floats.count)
        #expect(mp_scale_f32(&out, floats, floats.count, -0.5) == 1)
        #expect(out.map(\.bitPattern) == floats.map { ($0 * -0.5).bitPattern })
        #expect(mp_scale_f32(&out, floats, floats.count, 2) == 1)
        let doubles: [Double] = [1.5, .leastNonzeroMagnitude, 3]
        var wide = [Double](repeating: 0, count: 3)
        #expect(mp_scale_f64(&wide, doubles, 3, 0.5) == 1 && wide[2] == 1.5)
    }

    /// All 16-bit values: lost exactly where the twin cannot be undone.
    @Test(arguments: [0.5, 2, -1, -0.25] as [Float])
    func scalingSixteenBitsLosesWhatTheTwinLoses(scale: Float) {
        for isBF16 in [true, false] {
            let finite = ConversionTests.patterns.filter { $0 & 0x7fff < (isBF16 ? 0x7f80 : 0x7c00) }
            var out = [UInt16](repeating: 0, count: finite.count)
            let lost =
                isBF16
                ? mp_scale_bf16(&out, finite, finite.count, scale) : mp_scale_f16(&out, finite, finite.count, scale)
            let widen = isBF16 ? ConversionTwins.widenBF16 : ConversionTwins.widenF16
            let narrow = isBF16 ? ConversionTwins.narrowBF16 : ConversionTwins.narrowF16
            let expected = finite.map { narrow(Double(widen($0)) * Double(scale)) }
            #expect(out == expected)
            let twinLost = zip(finite, expected).count { Double(widen($1)) / Double(scale) != Double(widen($0)) }
            #expect(lost == twinLost)
            #expect(lost > 0 || scale == -1)
        }
    }

    @Test func gatheringPermutesAndScales() {
        let index: [Int32] = [2, 0, 3, 1]
        let scales: [Float] = [1, -2, 0.5, -1]
        var halves = [UInt16](repeating: 0, count: 4)
        let values: [Float] = [1, 2, 3, 4]
        let stored = values.map { ConversionTwins.narrowBF16(Double($0)) }
        #expect(mp_gather_bf16(&halves, stored, index, scales, 4) == 0)
        #expect(halves.map(ConversionTwins.widenBF16) == [3, -2, 2, -2])
        let storedF16 = values.map { Float16($0).bitPattern }
        #expect(mp_gather_f16(&halves, storedF16, index, scales, 4) == 0)
        #expect(halves.map(ConversionTwins.widenF16) == [3, -2, 2, -2])
        var floats = [Float](repeating: 0, count: 4)
        #expect(mp_gather_f32(&floats, values, index, scales, 4) == 0 && floats == [3, -2, 2, -2])
        #expect(mp_gather_f32(&floats, [0x1.000002p-126, 1, 1, 1], [0, 1, 2, 3], [0.5, 1, 1, 1], 4) == 1)
        var doubles = [Double](repeating: 0, count: 4)
        #expect(mp_gather_f64(&doubles, values.map { Double($0) }, index, scales.map { Double($0) }, 4) == 0)
        #expect(doubles == [3, -2, 2, -2])
        // f16 has little room: 2^-24 is its smallest number.
        #expect(mp_gather_f16(&halves, [1, 1, 1, 1], [0, 1, 2, 3], [0.5, 1, 2, -1], 4) == 1)
    }

    @Test func rotatingIsComplexMultiplication() {
        let (re, im): ([Double], [Double]) = ([1, 2, 3], [4, 5, 6])
        var (x, y) = ([0.0, 0, 0], [0.0, 0, 0])
        mp_rotate_f64(&x, &y, re, im, 3, 0.5, 2)
        #expect(x == [-7.5, -9, -10.5] && y == [4, 6.5, 9])
        var (a, b) = ([Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3))
        mp_rotate_f32(&a, &b, re.map { Float($0) }, im.map { Float($0) }, 3, 0.5, 2)
        #expect(a == [-7.5, -9, -10.5] && b == [4, 6.5, 9])
    }

    @Test func squaresAreAddedUp() {
        let x = (0..<37).map { Double($0) - 11.5 }
        let singles = x.map { Float($0) }
        let all = x.reduce(0) { $0 + $1 * $1 }
        #expect(mp_squares_f64(x, x.count) == all && mp_squares_f32(singles, x.count) == all)
        // Squares that an f32 cannot hold.
        #expect(mp_squares_f32([0x1p100, 0], 2) == 0x1p200)
        var (sums, others) = (x.map { 3 * $0 }, x.map { 3 * $0 })
        mp_add_squares_f64(&sums, x, x.count)
        mp_add_squares_f32(&others, singles, x.count)
        #expect(sums == x.map { 3 * $0 + $0 * $0 } && others == sums)
    }
}
