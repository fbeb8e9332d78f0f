import LinearAlgebra
import Testing

@Suite struct KeyedRandomStreamTests {
    static let secret: [UInt8] = Array(0..<32)
    static let label = "mergeproof/1/layers.3.attention/é"

    /// RFC 8439, appendix A.1, test vectors 1 and 2: key and nonce zero, blocks 0 and 1.
    static let zeroKeyBlocks: [UInt8] = [
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7",
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed",
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    ].flatMap(bytes(hex:))

    /// RFC 5869, test case 3: 22 bytes 0x0b, no salt, no info.
    static let derivedKey = bytes(hex: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")

    static func bytes(hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(16 * digits[$0] + digits[$0 + 1]) }
    }

    static func words(_ bytes: [UInt8]) -> [UInt64] {
        stride(from: 0, to: bytes.count, by: 8).map { at in
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
        }
    }

    /// The twin is RFC 8439's; the stream below is the twin's.
    @Test func theTwinIsRFC8439() {
        let expected = Self.words(Self.zeroKeyBlocks)
        let zeroKey = [UInt8](repeating: 0, count: 32)
        for block in 0..<2 {
            #expect(
                ChaCha20Twin.block(key: zeroKey, counter: UInt32(block), nonce: [0, 0, 0])
                    == Array(expected[8 * block..<8 * block + 8]))
        }
    }

    @Test func keyIsRFC5869() {
        var random = KeyedRandomStream(secret: [UInt8](repeating: 0x0B, count: 22), info: "")
        let expected = (0..<70).flatMap {
            ChaCha20Twin.block(key: Self.derivedKey, counter: UInt32($0), nonce: [0, 0, 0])
        }
        #expect((0..<560).map { _ in random.next() } == expected)
    }

    /// Computed by another program from the two standards: words 0 to 3, and both sides of a refill.
    @Test func golden() {
        var random = KeyedRandomStream(secret: Self.secret, info: Self.label)
        let words = (0..<513).map { _ in random.next() }
        #expect(
            Array(words[0..<4]) == [
                0xD2FE_CD19_482C_75FB, 0x4210_1C4D_E4B7_3319, 0x1EE9_7FAA_8100_7C7D, 0x2139_A0D3_845F_8980,
            ])
        #expect(words[511] == 0x25EF_C2A7_9592_DB9A && words[512] == 0x24CB_842B_5464_D0FC)
    }

    /// Past block 2^32 the carry goes into the nonce's first word.
    @Test func counterCarries() {
        var random = KeyedRandomStream(
            secret: Self.secret, info: Self.label, startingBlock: 0xFFFF_FFC0)
        let words = (0..<520).map { _ in random.next() }
        #expect(words[511] == 0x2716_3D07_C7A0_D77A)
        #expect(words[512] == 0x38DB_7420_2CDB_2555)
    }

    @Test func labelsAndSecretsSeparate() {
        var seen: Set<UInt64> = []
        for (secret, label) in [(0, "a"), (0, "b"), (1, "a"), (0, ""), (0, "a/")] {
            var random = KeyedRandomStream(secret: [UInt8(secret)], info: label)
            seen.insert(random.next())
        }
        #expect(seen.count == 5)
        var first = stream("copy")
        _ = first.next()
        var copy = first
        #expect(first.next() == copy.next())
    }

    @Test func unitsAreOpenAndUniform() {
        var random = stream("unit")
        let values = (0..<20000).map { _ in random.nextUnit() }
        #expect(values.allSatisfy { $0 > 0 && $0 < 1 })
        let mean = values.reduce(0, +) / 20000
        #expect(abs(mean - 0.5) < 4 * 0.289 / 20000.0.squareRoot())
        let signs = (0..<20000).map { _ in random.nextSign() }
        #expect(signs.allSatisfy { abs($0) == 1 } && abs(signs.reduce(0, +)) < 4 * 20000.0.squareRoot())
    }

    /// χ² over a bound that does not divide 2^64.
    @Test func indicesAreUniform() {
        var random = stream("index")
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<14000 { counts[random.nextIndex(below: 7)] += 1 }
        let chiSquare = counts.reduce(0.0) { $0 + (Double($1) - 2000) * (Double($1) - 2000) / 2000 }
        #expect(chiSquare < 22.5)  // 6 degrees of freedom, p = 0.001
        #expect(random.nextIndex(below: 1) == 0)
        // Without rejection, indices below 3·2^60 that 3 divides come 6 times in 16 instead of 1 in 3.
        let multiples = (0..<6000).count { _ in random.nextIndex(below: 3 << 60) % 3 == 0 }
        #expect(abs(multiples - 2000) < 4 * 37)
    }

    @Test func permutationsAreUniform() {
        var random = stream("permutation")
        #expect(
            random.permutation(0).isEmpty && random.permutation(1) == [0])
        #expect(random.permutation(100).sorted() == Array(0..<100))
        var counts: [[Int]: Int] = [:]
        for _ in 0..<6000 { counts[random.permutation(3), default: 0] += 1 }
        #expect(counts.count == 6)
        #expect(counts.values.allSatisfy { abs($0 - 1000) < 116 })  // 4 standard deviations
    }

    @Test func gaussiansHaveTheirMoments() {
        var random = stream("gaussian")
        let z = random.gaussianMatrix(rows: 200, columns: 200).elements
        let n = Double(z.count)
        let moments = (1...4).map { k in
            z.reduce(0.0) { sum, x in sum + (0..<k).reduce(1.0) { p, _ in p * x } } / n
        }
        for (moment, (expected, variance)) in zip(moments, [(0.0, 1.0), (1, 2), (0, 15), (3, 96)]) {
            #expect(abs(moment - expected) < 4 * (variance / n).squareRoot())
        }
    }

    /// Near the values another program computed with its own libm; our bits are fixed below.
    @Test func gaussianGolden() {
        var random = KeyedRandomStream(secret: Self.secret, info: Self.label)
        let values = (0..<4).map { _ in random.nextGaussian() }
        let expected = [-0.03147145071986801, 0.6210415109785838, 1.4096006024435532, 1.49702550668618]
        #expect(zip(values, expected).allSatisfy { abs($0 - $1) < 1e-15 })
        #expect(
            values.map(\.bitPattern) == [
                0xBFA0_1D06_A732_F2D0, 0x3FE3_DF92_7263_90F0, 0x3FF6_8DB9_5C7E_ABDC, 0x3FF7_F3D1_0487_EB68,
            ])
    }
}
