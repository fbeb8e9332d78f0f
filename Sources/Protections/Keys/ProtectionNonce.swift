/// 128 public random bits that one protection has for itself and its manifest tells: with them in every derivation one key gives
/// no two models the same elements.
public struct ProtectionNonce: Sendable, Equatable {
    static let byteCount = 16
    let bytes: [UInt8]

    /// For what must come out the same each time.
    package static let zero = ProtectionNonce(bytes: [UInt8](repeating: 0, count: byteCount))

    /// A fresh one from the system's generator.
    public init() {
        var generator = SystemRandomNumberGenerator()
        bytes = (0..<Self.byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Nil when the text is not 32 hexadecimal digits.
    public init?(hexadecimal text: String) {
        guard let bytes = Hexadecimal.bytes(text), bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 32 hexadecimal digits.
    public var hexadecimal: String { Hexadecimal.text(bytes) }
}
