import Checkpoints
import Crypto
import LinearAlgebra

/// 256 secret bits from which every element of a protection follows. Never printed; wiped from memory with the last copy.
public struct SecretKey: Sendable, Equatable {
    static let byteCount = 32
    let secret: SecretBytes

    /// A fresh key from the system's generator.
    public init() {
        secret = SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes(copying: $0) }
    }

    /// - Precondition: 32 bytes.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount)
        secret = bytes.withUnsafeBytes { SecretBytes(copying: $0) }
    }

    /// - Parameter secret: 32 bytes.
    init(_ secret: SecretBytes) { self.secret = secret }

    public static func == (a: SecretKey, b: SecretKey) -> Bool {
        SecretBytes.areEqual(a.secret.bytes, b.secret.bytes)
    }

    /// Names the key without telling it, as manifests of versions 1 and 2 do: 8 bytes derived by HKDF, in hexadecimal.
    package var identifier: String {
        var stream = self.stream("key identifier")
        return Hexadecimal.text(withUnsafeBytes(of: stream.next().littleEndian) { Array($0) })
    }

    /// The random stream of a site in versions 1 and 2 of the manifest.
    package func stream(_ name: String) -> KeyedRandomStream {
        KeyedRandomStream(key: root(salt: [], info: "mergeproof/1/" + name))
    }

    /// HKDF-SHA-256 of the key, 32 bytes.
    func root(salt: [UInt8], info: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret.bytes), salt: salt, info: Array(info.utf8), outputByteCount: 32)
    }
}

extension SecretKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "a secret key" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
