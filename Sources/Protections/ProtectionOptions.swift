import Symmetries

/// What the user chose.
public struct ProtectionOptions: Sendable {
    public var method: ProtectionMethod
    /// Nil for the method's default.
    public var sampler: Sampler?
    /// Nil for the sampler's default.
    public var condition: Double?
    /// Nil for those that the method acts on when nothing is said.
    public var siteKinds: Set<Site.Kind>?
    /// What is done to residual streams where the sites hold them. `none` leaves them as they are: adapters, draft heads and steering
    /// vectors may go on reading them.
    public var residual = ResidualTransform.permutation
    /// Nil for all layers.
    public var layers: [Int]?
    /// Nil keeps the source's files.
    public var maximumShardSize: Int?
    /// Nil for all cores.
    public var threads: Int?
    public var allowsNonFinite = false
    /// Nil for a fresh one; a nonce that is said again repeats an output to the byte.
    public var nonce: ProtectionNonce?

    public init(method: ProtectionMethod) { self.method = method }
}
