/// How rotary position embeddings pair the channels of one head.
///
/// RoPE rotates the first `rotaryDimensions` channels of a head in pairs; channels beyond them are left alone
/// (partial rotary). In the half-split layout channel `i` is paired with `i + r/2`, in the interleaved layout
/// channel `2i` with `2i + 1` (arXiv 2104.09864).
public struct ChannelPairing: Sendable, Equatable {
    public enum Layout: String, Sendable { case halfSplit, interleaved }

    public let rotaryDimensions: Int
    public let layout: Layout

    public init(rotaryDimensions: Int, layout: Layout) {
        self.rotaryDimensions = rotaryDimensions
        self.layout = layout
    }

    public var pairCount: Int { rotaryDimensions / 2 }

    /// The two channels of pair `p`, real part first.
    @inlinable
    public func channels(ofPair p: Int) -> (real: Int, imaginary: Int) {
        switch layout {
        case .halfSplit: (p, p + rotaryDimensions / 2)
        case .interleaved: (2 * p, 2 * p + 1)
        }
    }
}
