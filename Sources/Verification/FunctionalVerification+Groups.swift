import Architectures
import ForwardPass
import Symmetries

extension FunctionalVerification {
    /// For each block its moved tensors: alone where no site moves them, else those of one site after the other, then all.
    static func groups(_ architecture: Architecture, moved: Set<String>) -> [String: [Set<String>]] {
        var groups: [String: [Set<String>]] = [:]
        let inSites = Set(architecture.sites.flatMap(\.slices).map(\.tensor))
        for sublayer in architecture.stacks.flatMap(\.layers).flatMap(\.sublayers) {
            var sets: [Set<String>] = []
            for site in sublayer.operation.sites {
                let tensors = Set(site.slices.map(\.tensor))
                if !tensors.isDisjoint(with: moved), !sets.contains(tensors) { sets.append(tensors) }
            }
            let own = sets.reduce(into: Set()) { $0.formUnion($1) }
            let others = architecture.roles.filter { name, role in
                role.layer == sublayer.operation.layer && moved.contains(name) && !inSites.contains(name)
            }.keys.sorted()
            let all = own.union(others)
            groups[sublayer.operation.blockName] = others.map { [$0] } + sets + (all.count > 1 ? [all] : [])
        }
        return groups
    }
}

extension Sublayer.Operation {
    fileprivate var sites: [Site] {
        switch self {
        case .attention(let block): block.sites
        case .mlp(let block): [block.site].compactMap(\.self)
        case .experts(let block): (block.experts + [block.shared].compactMap(\.self)).compactMap(\.site)
        case .opaque: []
        }
    }
}
