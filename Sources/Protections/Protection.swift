import Symmetries

/// A way to choose an element at every site. One file per method; `ProtectionMethod` lists them.
public protocol Protection: Sendable {
    /// The sites that this method acts on when the user does not say.
    var siteKinds: Set<Site.Kind> { get }
    /// How elements are drawn when the user does not say.
    var defaultSampler: Sampler { get }
    /// The samplers that a user may choose.
    var samplers: [Sampler] { get }
    /// One line for help texts.
    var summary: String { get }
}

/// The methods, by the names of the command line and the manifest.
public enum ProtectionMethod: String, Sendable, CaseIterable {
    case mergelock, lossless, full

    public var protection: any Protection {
        switch self {
        case .mergelock: MergeLock()
        case .lossless: Lossless()
        case .full: FullLock()
        }
    }
}
