import Architectures

extension Architecture {
    /// Permutations of whole experts, with the router's rows. They act behind the elements of each expert's own site.
    public var expertSites: [Site] {
        stacks.flatMap(\.layers).flatMap(\.sublayers).flatMap { sublayer in
            if case .experts(let block) = sublayer.operation { block.expertSites } else { [Site]() }
        }
    }
}

extension ExpertsBlock {
    /// One permutation, or one within each group where routing is by groups: the router's rows and biases, and all that is an expert's.
    public var expertSites: [Site] {
        let size = experts.count / max(groups, 1)
        guard size > 1 else { return [] }
        return (0..<groups).map { group in
            let members = group * size..<(group + 1) * size
            return Site(
                path: groups > 1 ? "\(name).experts.\(group)" : "\(name).experts", kind: .experts, layer: layer,
                group: .monomial(size, scales: .unit), slices: slices(of: members), exchanges: exchanges(of: members))
        }
    }

    private func slices(of members: Range<Int>) -> [Site.Slice] {
        func slice(_ tensor: String, axis: Int, part: Site.Part = .router, width: Int = 1) -> Site.Slice {
            .init(
                tensor: tensor, axis: axis, start: members.lowerBound * width, representation: .permutation, part: part,
                width: width)
        }
        var slices = [slice(router.weight, axis: router.outputAxis)]
        if let bias = router.bias { slices.append(slice(bias, axis: 0)) }
        if let choiceBias { slices.append(slice(choiceBias, axis: choiceBiasAxis)) }
        // Experts in one tensor lie one below the other.
        var known: Set<String> = []
        for (part, projection) in experts.first?.parts ?? [] where projection.expert != nil {
            let rows = projection.outputAxis == 0 ? projection.storedOutputs : projection.inputCount
            if known.insert(projection.weight).inserted {
                slices.append(slice(projection.weight, axis: 0, part: part, width: rows))
            }
            if let bias = projection.bias, known.insert(bias).inserted {
                slices.append(slice(bias, axis: 0, part: part))
            }
        }
        return slices
    }

    /// Experts in tensors of their own exchange them.
    private func exchanges(of members: Range<Int>) -> [[String]] {
        var lists: [[String]] = []
        for (number, (_, projection)) in (experts.first?.parts ?? []).enumerated() where projection.expert == nil {
            let own = experts[members].map { $0.parts[number].1 }
            for names in [own.map(\.weight), own.compactMap(\.bias)] where !names.isEmpty && !lists.contains(names) {
                lists.append(names)
            }
        }
        return lists
    }
}

extension MLPBlock {
    fileprivate var parts: [(Site.Part, Projection)] {
        [(.gate, gate), (.up, up), (.down, down)].compactMap { part, projection in projection.map { (part, $0) } }
    }
}
