import Architectures
import Symmetries

/// The steps of one protection, the first acting first. Where several act at one site their elements are composed, so that weights are
/// read, acted on and rounded once.
public struct ProtectionSteps: Sendable, Equatable {
    /// One at least.
    public let all: [ProtectionStep]

    public init(_ first: ProtectionStep, _ others: some Sequence<ProtectionStep> = []) { all = [first] + others }

    /// The names of the methods, joined as the command line takes them.
    public var name: String { all.map(\.method.name).joined(separator: ProtectionMethod.separator) }
    public var siteKinds: Set<Site.Kind> { all.reduce(into: []) { $0.formUnion($1.siteKinds) } }
    /// Those that change weights, which nothing undoes.
    public var changing: [ProtectionStep] { all.filter(\.changesWeights) }
    /// Whether undoing the elements gives back every bit that they moved.
    public var isExact: Bool { all.allSatisfy { $0.sampler == .exact } }
    /// What is done to residual streams where they are acted on.
    public var residual: ResidualTransform {
        all.first { $0.siteKinds.contains(.residual) }?.residual ?? all[0].residual
    }

    /// The sites that some step acts on.
    public func sites(of architecture: Architecture) -> [Site] {
        guard all.count > 1 else { return all[0].sites(of: architecture) }
        let paths = Set(all.flatMap { $0.sites(of: architecture).map(\.path) })
        return architecture.allSites(residual).filter { paths.contains($0.path) }
    }

    /// Whether a site is of the kinds and in the layers that are acted on.
    public func covers(_ site: Site) -> Bool { all.contains { $0.covers(site) } }

    /// Those that act at a site.
    func acting(at site: Site) -> [(number: Int, step: ProtectionStep)] {
        all.enumerated().filter { $0.element.acts(at: site) }.map { ($0.offset, $0.element) }
    }

    /// How elements at a site are drawn.
    public func laws(at site: Site) -> [DrawLaw] {
        acting(at: site).map { DrawLaw($0.step.sampler, condition: $0.step.condition) }
    }

    /// The same without powers of two.
    var withoutScales: ProtectionSteps { mapped { if $0.sampler == .exact { $0.condition = 1 } } }

    /// The same with each step's kinds of sites as they are in a model.
    func resolved(_ architecture: Architecture) -> ProtectionSteps {
        mapped { $0.siteKinds = Set($0.sites(of: architecture).map(\.kind)) }
    }

    private func mapped(_ change: (inout ProtectionStep) -> Void) -> ProtectionSteps {
        var changed = all
        for number in changed.indices { change(&changed[number]) }
        return ProtectionSteps(changed[0], changed.dropFirst())
    }
}
