import Protections
import Symmetries
import Testing

/// What follows from key, nonce, method, sampler, condition and version, and that all of them count.
@Suite struct DerivationTests {
    private static let key = SecretKey(bytes: [UInt8](0..<32))
    private static let other = SecretKey(bytes: [UInt8](1...32))

    private func nonce(_ digit: String) throws -> ProtectionNonce {
        try #require(ProtectionNonce(hexadecimal: String(repeating: digit, count: 32)))
    }

    private func derivation(
        _ key: SecretKey = Self.key, nonce: String = "0", method: ProtectionMethod = .mergelock,
        sampler: Sampler = .conditioned, condition: Double = 10, version: Int = 3
    ) throws -> Derivation {
        Derivation(
            key: key, nonce: try self.nonce(nonce),
            steps: ProtectionSteps(ProtectionStep(method: method, sampler: sampler, condition: condition)),
            version: version)
    }

    /// Each differs from the first in one part.
    private func variations() throws -> [Derivation] {
        [
            try derivation(), try derivation(Self.other), try derivation(nonce: "1"),
            try derivation(method: .lossless), try derivation(sampler: .gaussian),
            try derivation(condition: 10.0.nextUp), try derivation(version: 2),
        ]
    }

    @Test func everyPartGivesOtherElements() throws {
        let draws = try variations().flatMap { derivation in
            ["layers.0.vo.0", "layers.0.vo.1"].map { path in
                var stream = derivation.stream(site: path)
                return stream.next()
            }
        }
        #expect(Set(draws).count == draws.count)
    }

    /// An element of version 3 must be the same for ever; the number was computed by another implementation of RFC 5869 and 8439.
    @Test func version3StaysReadable() throws {
        var stream = try derivation().stream(site: "layers.0.vo.0")
        #expect(stream.next() == 4_987_336_688_976_866_517)
    }

    @Test func aBoxOpensForItsOwnDerivationAlone() throws {
        let bytes = [UInt8]("exponents".utf8)
        let sealed = try derivation().seal(bytes, purpose: "balance")
        #expect(sealed == (try derivation().seal(bytes, purpose: "balance")))
        #expect(try derivation().open(sealed, purpose: "balance") == bytes)
        #expect(try derivation().open(sealed, purpose: "other") == nil)
        for variation in try variations().dropFirst().dropLast() {
            #expect(variation.open(sealed, purpose: "balance") == nil)
        }
        for place in sealed.indices {
            var damaged = sealed
            damaged[place] ^= 1
            #expect(try derivation().open(damaged, purpose: "balance") == nil)
        }
        #expect(try derivation().open([], purpose: "balance") == nil)
        #expect(try derivation().seal([], purpose: "balance").count == 28)
        #expect(try derivation().open(derivation().seal([], purpose: "x"), purpose: "x") == [])
    }

    @Test func noncesAre32Digits() throws {
        #expect(ProtectionNonce() != ProtectionNonce())
        let nonce = ProtectionNonce()
        #expect(ProtectionNonce(hexadecimal: nonce.hexadecimal) == nonce)
        #expect(ProtectionNonce(hexadecimal: nonce.hexadecimal.uppercased()) == nonce)
        for text in ["", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33), "zz", "٣"] {
            #expect(ProtectionNonce(hexadecimal: text) == nil)
        }
        #expect(ProtectionNonce(hexadecimal: String(repeating: "٣", count: 16)) == nil)
    }
}
