import Checkpoints
import Crypto
import Foundations

/// Makes the tags of one protection, under keys that depend on its key and nonce alone.
///
/// A tensor's bytes are cut into pieces of 256 KiB, whatever the tiles, threads and shards. Each piece is hashed by GMAC under a
/// key of this tensor and side, and the pieces' codes are hashed by HMAC-SHA-256 together with name, type and shape:
///
///     code_i = GMAC(HKDF-Expand(root, "pieces/" + side + "/" + name), nonce = i, piece_i)
///     tag    = HMAC-SHA-256(HKDF-Expand(root, "tensor tags"), side, name, type, shape, code_0 ‖ code_1 ‖ …)[0 ..< 16]
///
/// The codes never leave the process: GMAC serves as a universal hash beneath a pseudo-random function, which needs no nonce, so
/// that even one key and nonce for two models (`--nonce`) tells nothing of the hash's key.
package struct Authenticator: Sendable {
    /// Whose bytes a tag stands for.
    package enum Side: String, Sendable {
        case original, protected
        /// A tensor that the protection did not move: one tag stands for both.
        case kept
    }

    package static let pieceBytes = 256 << 10

    private let derivation: Derivation
    private let tensorKey: SymmetricKey
    private let fileKey: SymmetricKey

    package init(_ derivation: Derivation) {
        self.derivation = derivation
        tensorKey = derivation.unbound("tensor tags")
        fileKey = derivation.unbound("file tags")
    }

    /// The key of a tensor's pieces.
    func pieceKey(_ tensor: String, _ side: Side) -> SymmetricKey {
        derivation.unbound("pieces/\(side.rawValue)/\(tensor)")
    }

    /// The code of piece number `index`: 16 bytes.
    static func code(of piece: UnsafeRawBufferPointer, index: Int, key: SymmetricKey) throws -> [UInt8] {
        var nonce = withUnsafeBytes(of: UInt64(index).littleEndian) { Array($0) }
        nonce += [0, 0, 0, 0]
        let box = try AES.GCM.seal([UInt8](), using: key, nonce: try AES.GCM.Nonce(data: nonce), authenticating: piece)
        return Array(box.tag)
    }

    /// - Parameter codes: of all pieces, in order.
    func tag(_ tensor: TensorRecord, _ side: Side, codes: [UInt8]) -> AuthenticationTag {
        var message: [UInt8] = []
        for text in [side.rawValue, tensor.name, tensor.type.rawValue] { message += Self.prefixed(Array(text.utf8)) }
        for number in [tensor.shape.count] + tensor.shape { message += Self.word(number) }
        return AuthenticationTag(truncating: HMAC<SHA256>.authenticationCode(for: message + codes, using: tensorKey))
    }

    func tag(file path: String, _ bytes: UnsafeRawBufferPointer) -> AuthenticationTag {
        var code = HMAC<SHA256>(key: fileKey)
        code.update(data: Self.prefixed(Array(path.utf8)))
        code.update(data: bytes)
        return AuthenticationTag(truncating: code.finalize())
    }

    /// Of everything that a manifest says, in its order, with numbers as they are written; white space is free.
    func tag(manifest content: JSONValue) -> AuthenticationTag {
        let text = Array(content.serialized().utf8)
        return AuthenticationTag(
            truncating: HMAC<SHA256>.authenticationCode(for: text, using: derivation.unbound("manifest tag")))
    }

    private static func word(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(number).littleEndian) { Array($0) }
    }

    /// So that no two lists of texts give the same message.
    private static func prefixed(_ bytes: [UInt8]) -> [UInt8] { word(bytes.count) + bytes }
}
