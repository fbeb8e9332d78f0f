import LinearAlgebra
import Rewriting
import Symmetries

/// Draws each site's element from the derivation alone, so that it can be drawn again and need not be kept.
struct KeyedElements: ElementProvider {
    let derivation: Derivation
    let sampler: Sampler
    let condition: Double
    /// As the manifest's version has it.
    let avoidsIdentity: Bool
    /// By site, the powers of two that go before its element (`Element.balanced`).
    let exponents: [String: [Int]]

    /// What a manifest tells of, under its key.
    /// - Parameter path: of the model, for messages.
    init(_ manifest: Manifest, _ sites: [Site], _ derivation: Derivation, path: String) throws {
        self.derivation = derivation
        (sampler, condition) = (manifest.step.sampler, manifest.step.condition)
        avoidsIdentity = manifest.avoidsIdentity
        exponents = try BalanceTable.open(manifest, of: sites, by: derivation, path: path)
    }

    var isExact: Bool { sampler == .exact }

    func element(at site: Site) throws(LinearAlgebraError) -> Element {
        var stream = derivation.stream(site: site.path)
        let drawn = try site.group.sample(
            sampler, condition: condition, using: &stream, avoidsIdentity: avoidsIdentity)
        return exponents[site.path].map(drawn.balanced) ?? drawn
    }
}
