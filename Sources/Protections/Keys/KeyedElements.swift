import LinearAlgebra
import Rewriting
import Symmetries

/// Draws each site's element from the derivation alone, so that it can be drawn again and need not be kept; but what was solved for, the
/// manifest keeps.
struct KeyedElements: ElementProvider {
    private static let draws = 64

    private let derivation: Derivation
    private let steps: ProtectionSteps
    /// As the manifest's version has it.
    private let avoidsIdentity: Bool
    /// By site, the powers of two that go before its element (`Element.balanced`).
    private let exponents: [String: [Int]]

    private let solved: SolvedElements

    /// What a manifest tells of, under its key.
    /// - Parameter path: of the model, for messages.
    init(_ manifest: Manifest, _ sites: [Site], _ derivation: Derivation, path: String) throws {
        self.derivation = derivation
        steps = manifest.steps
        avoidsIdentity = manifest.avoidsIdentity
        solved = try SolvedElements(manifest, sites, by: derivation, path: path)
        exponents = try BalanceTable.open(manifest, of: sites, by: derivation, path: path)
    }

    var isExact: Bool { steps.isExact }

    func element(at site: Site) throws -> Element {
        var composed: Element?
        for (number, step) in steps.acting(at: site) {
            var stream = derivation.stream(site: site.path, step: number)
            func draw(avoidingIdentity: Bool) throws -> Element {
                if let solved = solved[step: number, site] { return solved }
                return try site.group.sample(
                    step.sampler, condition: step.condition, using: &stream, avoidsIdentity: avoidingIdentity)
            }
            guard let earlier = composed else {
                composed = try draw(avoidingIdentity: avoidsIdentity)
                continue
            }
            func next(avoidingIdentity: Bool) throws -> Element {
                guard let both = try draw(avoidingIdentity: avoidingIdentity).composed(after: earlier) else {
                    throw ProtectionError.notComposed(site: site.path, methods: steps.name)
                }
                return both
            }
            var both = try next(avoidingIdentity: true)
            // In a small group one step may undo another; then it is drawn anew, from all that the group holds.
            for _ in 0..<Self.draws where both.isNearIdentity { both = try next(avoidingIdentity: false) }
            composed = both
        }
        guard let composed else { throw RewritingError.noElement(site: site.path) }
        return exponents[site.path].map(composed.balanced) ?? composed
    }
}
