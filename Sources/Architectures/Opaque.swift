/// A part of a model that is named and copied, and of which nothing more is known: it reads the residual stream or adds to it, no site
/// lies inside of it, and none reaches through it.
public struct OpaquePart: Sendable, Equatable {
    /// Such as `vision tower`.
    public let name: String
    /// What it is and how it meets the residual stream, in a clause.
    public let reason: String
    /// Stored names.
    public let tensors: [String]
}

/// An opaque sublayer: `x ← x + f(before(x))` for an f that is not described.
public struct OpaqueBlock: Sendable, Equatable {
    /// Stable path, such as `layers.3.mixer`.
    public let name: String
    public let layer: Int
    /// Of the `OpaquePart` that it belongs to.
    public let part: String
}
