import LinearAlgebra
import Symmetries

/// Which tensors change places with each other, as whole experts do that lie in tensors of their own.
struct TensorExchange: Sendable {
    private var sources: [String: String] = [:]
    private let isInverse: Bool

    /// - Throws: what the provider of elements throws.
    init(_ sites: [Site], _ elements: ElementCache) throws {
        isInverse = elements.isInverse
        for site in sites where !site.exchanges.isEmpty {
            let permutation = try elements.permutation(at: site)
            let order = isInverse ? permutation.inverse.source : permutation.source
            for names in site.exchanges {
                for (name, source) in zip(names, order) where source < names.count { sources[name] = names[source] }
            }
        }
    }

    /// The tensor that is read to write this one.
    func input(of output: String) -> String { sources[output] ?? output }

    /// The original's tensor whose edits these are.
    func origin(of output: String) -> String { isInverse ? output : input(of: output) }
}
