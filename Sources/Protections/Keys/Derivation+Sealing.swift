import Crypto
import Foundation

extension Derivation {
    /// Enciphers and authenticates bytes that only the key may read: AES-256-GCM with a synthetic nonce,
    ///
    ///     nonce = HMAC-SHA-256(k1, bytes)[0 ..< 12],  sealed = nonce ‖ AES-GCM(k2, nonce, bytes)
    ///
    /// so that the same bytes give the same box and different ones never share a nonce but by chance (after RFC 5297).
    ///
    /// - Parameter purpose: gives the box keys of its own; needed to open it.
    package func seal(_ bytes: [UInt8], purpose: String) throws -> [UInt8] {
        let nonce = Array(HMAC<SHA256>.authenticationCode(for: bytes, using: bound("seal-nonce/" + purpose)).prefix(12))
        let box = try AES.GCM.seal(
            bytes, using: bound("seal/" + purpose), nonce: try AES.GCM.Nonce(data: nonce))
        return nonce + box.ciphertext + box.tag
    }

    /// The bytes of a box that `seal` made under the same key, nonce, method, sampler, condition and purpose; nil for any other.
    package func open(_ sealed: [UInt8], purpose: String) -> [UInt8]? {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: bound("seal/" + purpose))
        else { return nil }
        return Array(bytes)
    }
}
