/// What can stop the rewriting of a tensor.
public enum RewritingError: Error, Sendable, Equatable {
    case nonFinite(tensor: String, count: Int)
    case overflow(tensor: String, type: String)
    /// A scaling by a power of two would have lost bits, so that the weights could not come back exactly.
    case inexactScaling(tensor: String)
    /// A norm's gain, or the factor behind a block, is so small that the weights it goes into could not come back.
    case vanishingGain(tensor: String, channel: Int)
    /// A norm's gains are so uneven beside its bias that the two together would lose bits where the stream is turned.
    case costlyBias(tensor: String, multiple: Double)
    /// A tensor is mixed along both axes, which no described architecture asks for.
    case bothAxes(tensor: String)
    /// Tensors of two experts that would change places are stored in different types.
    case unlikeExperts(tensor: String, type: String, other: String, otherType: String)
    /// Elements that are recorded lack a site's, or it is none of the site's group.
    case noElement(site: String)
}

extension RewritingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nonFinite(let tensor, let count):
            "tensor \(tensor): \(count) values are NaN or infinite; repair the checkpoint, or allow them"
        case .overflow(let tensor, let type):
            "tensor \(tensor): a protected value does not fit into \(type); choose the sampler orthogonal or a smaller condition number"
        case .inexactScaling(let tensor):
            "tensor \(tensor): scaling by a power of two would lose bits; choose the condition number 1, which uses none"
        case .vanishingGain(let tensor, let channel):
            "tensor \(tensor): the factor of channel \(channel) is zero or nearly so, and what it is multiplied into could not come back; have the residual stream permuted"
        case .costlyBias(let tensor, let multiple):
            "tensor \(tensor): divided by its norm's gains and turned, this bias would cost about \((multiple * 10).rounded() / 10) times the rounding of the original; have the residual stream permuted"
        case .bothAxes(let tensor):
            "tensor \(tensor) would be acted on along both axes; this is a fault of mergeproof, please report it"
        case .unlikeExperts(let tensor, let type, let other, let otherType):
            "tensor \(tensor) is stored as \(type) and \(other) as \(otherType), so that experts cannot change places; convert both to one type or leave experts out of the sites"
        case .noElement(let site):
            "site \(site): no element of its group is recorded for it; give one for each site that is acted on"
        }
    }
}
