/// 128 bits that only the key can make for what they stand for.
package struct AuthenticationTag: Sendable, Equatable {
    static let byteCount = 16
    /// Stands where a tag will be.
    static let placeholder = AuthenticationTag(bytes: [UInt8](repeating: 0, count: byteCount))

    let bytes: [UInt8]

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The first 16 bytes of a longer code.
    init(truncating code: some Sequence<UInt8>) { bytes = Array(code.prefix(Self.byteCount)) }

    /// Nil when the text is not 32 hexadecimal digits.
    init?(hexadecimal text: String) {
        guard let bytes = Hexadecimal.bytes(text), bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    package var hexadecimal: String { Hexadecimal.text(bytes) }

    package static func == (a: AuthenticationTag, b: AuthenticationTag) -> Bool {
        a.bytes.withUnsafeBytes { a in b.bytes.withUnsafeBytes { SecretBytes.areEqual(a, $0) } }
    }
}

/// The tags of one tensor.
struct TensorTags: Sendable, Equatable {
    /// Of the bytes in the protected model.
    var protected: AuthenticationTag
    /// Of the bytes in the original, where the protection moved them.
    var original: AuthenticationTag?
}
