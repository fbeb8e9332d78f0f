import Protections

extension ProtectionOptions {
    /// A protection that comes out the same each time.
    public init(repeatable method: ProtectionMethod) {
        self.init(method: method)
        nonce = .zero
    }
}
