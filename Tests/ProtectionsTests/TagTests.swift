import Checkpoints
import LinearAlgebra
import Protections
import Testing

/// A tensor's tag depends on its bytes, name, type, shape and side, and not on how the bytes come.
@Suite struct TagTests {
    private static let authenticator = Authenticator(
        Derivation(
            key: SecretKey(bytes: [UInt8](0..<32)), nonce: .zero,
            steps: ProtectionSteps(ProtectionStep(method: .lossless, sampler: .exact, condition: 4))))
    private static let count = 3 * Authenticator.pieceBytes + 1000

    private static func tensor(
        _ name: String = "w", _ type: ElementType = .u8, _ shape: [Int] = [count], count: Int = count
    ) -> TensorRecord {
        TensorRecord(name: name, type: type, shape: shape, shard: 0, dataRange: 8..<8 + count)
    }

    private static func bytes(_ count: Int = count) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251) }
    }

    /// The tag from the runs between the given cuts, in the given order.
    private func tag(
        _ tensor: TensorRecord, _ bytes: [UInt8], side: Authenticator.Side = .kept, cuts: [Int] = [],
        order: ([Range<Int>]) -> [Range<Int>] = { $0 }, authenticator: Authenticator = authenticator
    ) throws -> AuthenticationTag {
        let gatherer = TagGatherer(tensor, side, authenticator)
        let ends = cuts + [bytes.count]
        let runs = zip([0] + cuts, ends).map { $0..<$1 }
        var tags: [AuthenticationTag] = []
        for run in order(runs) {
            let part = Array(bytes[run])
            if let tag = try part.withUnsafeBytes({ try gatherer.absorb($0, at: run.lowerBound) }) { tags.append(tag) }
        }
        return try #require(tags.count == 1 ? tags[0] : nil)
    }

    @Test func runsAndTheirOrderDoNotMatter() throws {
        let (tensor, bytes) = (Self.tensor(), Self.bytes())
        let whole = try tag(tensor, bytes)
        var stream = KeyedRandomStream(secret: [1], info: "cuts")
        for round in 0..<12 {
            let cuts = Set((0..<[1, 3, 40][round % 3]).map { _ in 1 + stream.nextIndex(below: Self.count - 1) })
                .sorted()
            let shuffled = stream.permutation(cuts.count + 1)
            #expect(try tag(tensor, bytes, cuts: cuts) { runs in shuffled.map { runs[$0] } } == whole, "\(cuts)")
        }
        let piece = Authenticator.pieceBytes
        #expect(try tag(tensor, bytes, cuts: [piece, 2 * piece]) { $0.reversed() } == whole)
    }

    @Test func everythingCounts() throws {
        let (tensor, bytes) = (Self.tensor(), Self.bytes())
        var tags = [try tag(tensor, bytes)]
        for place in [0, Authenticator.pieceBytes - 1, Authenticator.pieceBytes, Self.count - 1] {
            var changed = bytes
            changed[place] ^= 0x80
            tags.append(try tag(tensor, changed))
        }
        // Two pieces exchanged.
        let piece = Authenticator.pieceBytes
        tags.append(try tag(tensor, Array(bytes[piece..<2 * piece] + bytes[..<piece] + bytes[(2 * piece)...])))
        tags.append(try tag(Self.tensor("v"), bytes))
        tags.append(try tag(Self.tensor("w", .i8), bytes))
        tags.append(try tag(Self.tensor("w", .u8, [1, Self.count]), bytes))
        tags.append(try tag(tensor, bytes, side: .original))
        tags.append(try tag(tensor, bytes, side: .protected))
        tags.append(try tag(Self.tensor("w", .u8, [Self.count - 1], count: Self.count - 1), Array(bytes.dropLast())))
        let other = try #require(ProtectionNonce(hexadecimal: String(repeating: "1", count: 32)))
        tags.append(
            try tag(
                tensor, bytes,
                authenticator: Authenticator(
                    Derivation(
                        key: SecretKey(bytes: [UInt8](0..<32)), nonce: other,
                        steps: ProtectionSteps(
                            ProtectionStep(method: .lossless, sampler: .exact, condition: 4))))))
        tags.append(TagGatherer(Self.tensor("w", .u8, [0], count: 0), .kept, Self.authenticator).tagOfNothing())
        #expect(Set(tags.map(\.hexadecimal)).count == tags.count)
    }

    /// Computed by another implementation of RFC 5869, AES-GCM and HMAC: a tag of version 3 must be the same for ever.
    @Test func version3StaysVerifiable() throws {
        let count = 300_000
        #expect(
            try tag(Self.tensor("w", .u8, [count], count: count), Self.bytes(count)).hexadecimal
                == "4baf390ae6365f7aa78b300d9fca9c2d")
    }
}
