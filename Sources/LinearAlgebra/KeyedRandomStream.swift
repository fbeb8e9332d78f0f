import Crypto
import CryptoExtras

/// A stream of random numbers that depends on a secret and a public name alone.
///
/// Key = HKDF-SHA-256(secret, no salt, info = the name's UTF-8 bytes), 32 bytes (RFC 5869); stream = ChaCha20 key stream with
/// nonce 0 from block 0 (RFC 8439), read as little-endian 64-bit words. Counter-based: whoever asks for the same
/// name gets the same numbers, whatever was asked before.
public struct KeyedRandomStream: RandomNumberGenerator, Sendable {
    private static let wordsPerRefill = 256
    private let key: SymmetricKey
    private var words: [UInt64] = []
    private var position = 0
    /// Number of the next 64-byte block; its upper half goes into the nonce, so that the stream never repeats.
    private var block: UInt64
    private var spareGaussian: Double?

    public init(secret: [UInt8], info: String) { self.init(secret: secret, info: info, startingBlock: 0) }

    package init(secret: [UInt8], info: String, startingBlock: UInt64) {
        self.init(
            key: HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret), info: Array(info.utf8), outputByteCount: 32),
            startingBlock: startingBlock)
    }

    /// The key stream of a key that was derived elsewhere.
    /// - Parameter key: 32 bytes.
    package init(key: SymmetricKey, startingBlock: UInt64 = 0) {
        self.key = key
        block = startingBlock
    }

    public mutating func next() -> UInt64 {
        if position == words.count { refill() }
        defer { position += 1 }
        return words[position]
    }

    private mutating func refill() {
        let zeros = [UInt8](repeating: 0, count: Self.wordsPerRefill * 8)
        let nonceBytes = (0..<12).map { $0 < 4 ? UInt8(truncatingIfNeeded: block >> (32 + 8 * UInt64($0))) : 0 }
        guard let nonce = try? Insecure.ChaCha20CTR.Nonce(data: nonceBytes),
            let counter = try? Insecure.ChaCha20CTR.Counter(offset: UInt32(truncatingIfNeeded: block)),
            let bytes = try? Insecure.ChaCha20CTR.encrypt(zeros, using: key, counter: counter, nonce: nonce)
        else { preconditionFailure("ChaCha20 takes a 32-byte key and a 12-byte nonce") }
        words = bytes.withUnsafeBytes { raw in
            (0..<Self.wordsPerRefill).map {
                UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))
            }
        }
        block &+= UInt64(Self.wordsPerRefill / 8)
        position = 0
    }
}

extension KeyedRandomStream {
    /// Uniform in the open interval (0, 1): the centres of 2^52 equal cells.
    public mutating func nextUnit() -> Double { (Double(next() >> 12) + 0.5) * 0x1p-52 }

    /// ±1 with equal odds.
    public mutating func nextSign() -> Double { next() >> 63 == 0 ? 1 : -1 }

    /// Uniform in 0 ..< bound, without bias (Lemire's rejection, arXiv 1805.10941).
    /// - Precondition: bound > 0.
    public mutating func nextIndex(below bound: Int) -> Int {
        precondition(bound > 0)
        let range = UInt64(bound)
        let threshold = (0 &- range) % range
        while true {
            let (high, low) = next().multipliedFullWidth(by: range)
            if low >= threshold { return Int(high) }
        }
    }

    /// A uniform permutation of 0 ..< n (Fisher and Yates).
    public mutating func permutation(_ n: Int) -> [Int] {
        var result = Array(0..<n)
        for i in stride(from: n - 1, to: 0, by: -1) { result.swapAt(i, nextIndex(below: i + 1)) }
        return result
    }

    /// Standard normal: Box and Muller, from portable arithmetic.
    public mutating func nextGaussian() -> Double {
        if let spare = spareGaussian {
            spareGaussian = nil
            return spare
        }
        let radius = (-2 * PortableMath.log(nextUnit())).squareRoot()
        let (sine, cosine) = PortableMath.sinCosTwoPi(nextUnit())
        spareGaussian = radius * sine
        return radius * cosine
    }

    /// Independent standard normal entries, drawn row by row.
    public mutating func gaussianMatrix(rows: Int, columns: Int) -> Matrix<Double> {
        let elements = (0..<rows * columns).map { _ in nextGaussian() }
        return Matrix(rows: rows, columns: columns, elements: elements)
    }
}
