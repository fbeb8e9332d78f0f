/// ChaCha20's block function as RFC 8439 section 2.3 writes it: the oracle for the key stream.
enum ChaCha20Twin {
    static func block(key: [UInt8], counter: UInt32, nonce: [UInt32]) -> [UInt64] {
        let constants: [UInt32] = [0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574]
        let keyWords: [UInt32] = (0..<8).map { word in
            var value: UInt32 = 0
            for i in 0..<4 { value |= UInt32(key[4 * word + i]) << UInt32(8 * i) }
            return value
        }
        let initial = constants + keyWords + [counter] + nonce
        var s = initial
        func quarterRound(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
            func mix(_ x: Int, _ y: Int, _ z: Int, _ bits: UInt32) {
                s[x] &+= s[y]
                s[z] ^= s[x]
                s[z] = s[z] << bits | s[z] >> (32 - bits)
            }
            mix(a, b, d, 16)
            mix(c, d, b, 12)
            mix(a, b, d, 8)
            mix(c, d, b, 7)
        }
        for _ in 0..<10 {
            for i in 0..<4 { quarterRound(i, 4 + i, 8 + i, 12 + i) }
            for i in 0..<4 { quarterRound(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) }
        }
        let out = zip(s, initial).map { $0 &+ $1 }
        return (0..<8).map { i -> UInt64 in
            let low = UInt64(out[2 * i])
            return low | UInt64(out[2 * i + 1]) << 32
        }
    }
}
