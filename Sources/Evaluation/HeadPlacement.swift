import Symmetries

/// Where the original's heads stand in the protected model.
struct HeadPlacement: Sendable {
    static let unmoved = HeadPlacement([:])

    private let permutations: [String: Monomial]
    private var moves: [String: BlockMoves] = [:]

    private init(_ permutations: [String: Monomial]) { self.permutations = permutations }

    /// - Parameter permutations: of these sites, by path.
    init(_ permutations: [String: Monomial], of sites: [Site]) {
        self.permutations = permutations
        var byTensor: [String: [(Site.Slice, Monomial)]] = [:]
        for site in sites {
            guard let permutation = permutations[site.path] else { continue }
            for slice in site.slices { byTensor[slice.tensor, default: []].append((slice, permutation)) }
        }
        moves = byTensor.mapValues(BlockMoves.init)
    }

    func isMoved(_ site: Site) -> Bool {
        permutations[site.path].map { $0.source != Array(0..<$0.dimension) } ?? false
    }

    func moves(of tensor: String) -> BlockMoves? { moves[tensor] }

    /// A slice of some head's channels where that head stands in the protected model.
    func slice(_ slice: Site.Slice) -> Site.Slice {
        moves[slice.tensor].map { slice.moved(to: $0.image(of: slice.start)) } ?? slice
    }
}
