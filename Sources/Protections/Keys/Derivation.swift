import Crypto
import LinearAlgebra
import Symmetries

/// Everything that one protection draws or seals, derived from the key and from what the manifest tells.
///
/// From version 3 of the format on
///
///     root   = HKDF-SHA-256(key, salt = nonce, info = "mergeproof/3"), 32 bytes
///     stream = ChaCha20 key stream under HKDF-Expand(root, "mergeproof/3/method/sampler/condition/site/" + path)
///
/// and for step n (from 0) of several, with `mergeproof/5/n/` in place of the second `mergeproof/3/`
/// (RFC 5869, RFC 8439), where the condition is written as the 16 hexadecimal digits of its bit pattern. Versions 1 and 2 had
/// neither nonce nor context: `SecretKey.stream`.
package struct Derivation: Sendable {
    private static let prefix = "mergeproof/3"
    private static let prefixOfSteps = "mergeproof/5"

    private let key: SecretKey
    private let root: SymmetricKey
    private let isBare: Bool
    /// One for each step.
    private let contexts: [String]

    /// - Parameters:
    ///   - nonce: of the protection; ignored before version 3.
    ///   - steps: nil where only what depends on key and nonce alone is asked for.
    ///   - version: of the manifest's format.
    package init(key: SecretKey, nonce: ProtectionNonce, steps: ProtectionSteps?, version: Int = 3) {
        self.key = key
        root = key.root(salt: nonce.bytes, info: Self.prefix)
        isBare = version < 3
        let all = steps?.all ?? []
        contexts = all.enumerated().map { number, step in
            let digits = String(step.condition.bitPattern, radix: 16)
            let bits = String(repeating: "0", count: 16 - digits.count) + digits
            let prefix = all.count > 1 ? "\(Self.prefixOfSteps)/\(number)" : Self.prefix
            return "\(prefix)/\(step.method.name)/\(step.sampler.rawValue)/\(bits)/"
        }
    }

    /// What a manifest tells of a protection under a key.
    package init(key: SecretKey, manifest: Manifest) {
        self.init(key: key, nonce: manifest.nonce ?? .zero, steps: manifest.steps, version: manifest.version)
    }

    /// The same, under the key that the manifest was written with.
    /// - Throws: `ProtectionError.wrongKey` for any other.
    init(checking key: SecretKey, against manifest: Manifest) throws(ProtectionError) {
        self.init(key: key, manifest: manifest)
        guard manifest.keyIdentifier == keyIdentifier else {
            throw .wrongKey(expected: manifest.keyIdentifier, found: keyIdentifier)
        }
    }

    /// Names key and nonce together without telling the key, so that restoring knows a wrong one: 8 bytes in hexadecimal. It
    /// does not link the models of one key.
    package var keyIdentifier: String {
        isBare ? key.identifier : unbound("key identifier").withUnsafeBytes { Hexadecimal.text($0.prefix(8)) }
    }

    /// The random stream of a site in a step.
    package func stream(site path: String, step number: Int = 0) -> KeyedRandomStream {
        isBare ? key.stream(path) : KeyedRandomStream(key: expand(contexts[number] + "site/" + path))
    }

    /// A key of 32 bytes for one purpose, bound to the steps' methods, samplers and conditions besides key and nonce.
    package func bound(_ purpose: String) -> SymmetricKey { expand(contexts.joined() + purpose) }

    /// A key of 32 bytes for one purpose that depends on key and nonce alone.
    package func unbound(_ purpose: String) -> SymmetricKey { expand("\(Self.prefix)//" + purpose) }

    private func expand(_ info: String) -> SymmetricKey {
        HKDF<SHA256>.expand(pseudoRandomKey: root, info: Array(info.utf8), outputByteCount: 32)
    }
}
