import Crypto

/// What ties a text to a key without telling it:
///
///     HMAC-SHA-256(HKDF-Expand(root, "receipt commitment"), text), 32 bytes in hexadecimal
///
/// with the root that follows from a key and a protection's nonce (`Derivation`). Who has the key can make it again; nobody else can make it for
/// another text, nor learn the key from it.
package struct KeyCommitment: Sendable {
    private let key: SymmetricKey
    /// Names key and nonce, as a manifest does.
    package let keyIdentifier: String

    package init(_ key: SecretKey, nonce: ProtectionNonce) {
        let derivation = Derivation(key: key, nonce: nonce, steps: nil)
        self.key = derivation.unbound("receipt commitment")
        keyIdentifier = derivation.keyIdentifier
    }

    package func code(of text: [UInt8]) -> String {
        Hexadecimal.text(HMAC<SHA256>.authenticationCode(for: text, using: key))
    }

    /// Compared in a time that does not depend on where the two differ.
    package func opens(_ code: String, of text: [UInt8]) -> Bool {
        guard let bytes = Hexadecimal.bytes(code) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(bytes, authenticating: text, using: key)
    }
}
