import Architectures

extension Architecture {
    /// Every symmetry site of the network, layer by layer, derived from what each block's norms, rotary embedding and
    /// nonlinearity leave free. The residual stream is left alone.
    public var sites: [Site] {
        attention.flatMap(\.sites) + mlp.compactMap(\.site)
    }
}

extension AttentionBlock {
    /// Value/output and query/key sites, one of each per key/value head, and one for the gains of a q/k-norm.
    public var sites: [Site] {
        var sites: [Site] = []
        for group in 0..<keyValueHeads {
            sites.append(valueOutputSite(of: group))
            if let site = queryKeySite(of: group) { sites.append(site) }
        }
        if let site = queryKeyGainSite { sites.append(site) }
        return sites
    }

    private var groupSize: Int { heads / keyValueHeads }

    /// Attention weights sum to one over the keys, so values may be mixed by any invertible A that the output
    /// projection undoes: `v ← A·v`, `o[:, h] ← o[:, h]·A⁻¹` for every query head h of the group.
    private func valueOutputSite(of group: Int) -> Site {
        var slices = value.outputSlices(group: group, member: 0, as: .direct, part: .value)
        for member in 0..<groupSize {
            slices += output.inputSlices(group: group, member: member, as: .dual, part: .output(member: member))
        }
        return Site(
            path: "\(name).vo.\(group)", kind: .valueOutput, layer: layer,
            group: .generalLinear(valueHeadDimension), slices: slices)
    }

    /// Scores see only products of a query with a key: `k ← A·k`, `q ← A⁻ᵀ·q`, with A in the commutant of the
    /// position encoding.
    private func queryKeySite(of group: Int) -> Site? {
        guard let symmetry = queryKeyGroup else { return nil }
        var slices = key.outputSlices(group: group, member: 0, as: .direct, part: .key)
        for member in 0..<groupSize {
            slices += query.outputSlices(group: group, member: member, as: .dual, part: .query(member: member))
        }
        return Site(
            path: "\(name).qk.\(group)", kind: .queryKey, layer: layer, group: symmetry, slices: slices)
    }

    private var queryKeyGroup: Group? {
        let pairing = rotary.map(ChannelPairing.init)
        switch (queryKeyNorm?.scope, pairing) {
        case (nil, nil): return .generalLinear(headDimension)
        case (nil, let pairing?):
            let rest = headDimension - pairing.rotaryDimensions
            return rest == 0 ? .torus(pairing) : .product([.torus(pairing), .generalLinear(rest)])
        case (.head, let pairing?) where pairing.rotaryDimensions == headDimension: return .pairSigns(pairing)
        default: return nil
        }
    }

    /// The gains of q_norm and k_norm meet only in the product of a query with a key: `g_k ← s·g_k`, `g_q ← g_q / s`,
    /// equal on both channels of a rotary pair.
    private var queryKeyGainSite: Site? {
        guard let norm = queryKeyNorm, case .pairSigns(let pairing)? = queryKeyGroup else { return nil }
        return Site(
            path: "\(name).qk_gain", kind: .queryKeyGain, layer: layer, group: .pairScales(pairing),
            slices: [
                .init(tensor: norm.key, axis: 0, start: 0, representation: .direct, part: .keyGain),
                .init(tensor: norm.query, axis: 0, start: 0, representation: .dual, part: .queryGain),
            ])
    }
}

extension MLPBlock {
    /// Hidden channels may be permuted; beyond that the `up` branch of a gated MLP enters linearly, and a positively
    /// homogeneous nonlinearity lets positive scales through.
    public var site: Site? {
        var slices: [Site.Slice] = []
        if let gate { slices += gate.allOutputs(as: .permutation, part: .gate) }
        slices += up.allOutputs(as: .direct, part: .up)
        slices += down.allInputs(as: .dual, part: .down)
        let scales: Group.ChannelScales =
            gate != nil ? .signed : activation.isPositivelyHomogeneous ? .positive : .unit
        return Site(
            path: name, kind: .mlp, layer: layer, group: .monomial(intermediateSize, scales: scales), slices: slices)
    }
}

extension ChannelPairing {
    init(_ rotary: Rotary) {
        self.init(rotaryDimensions: rotary.dimensions, layout: rotary.layout == .halfSplit ? .halfSplit : .interleaved)
    }
}

extension Projection {
    /// The rows of one head, in the weight and in the bias where there is one.
    fileprivate func outputSlices(
        group: Int, member: Int, as representation: Representation, part: Site.Part
    ) -> [Site.Slice] {
        guard let range = headLayout?.range(group: group, member: member) else { return [] }
        return slices(axis: outputAxis, start: range.lowerBound, representation, part, withBias: true)
    }

    /// The columns that read one head.
    fileprivate func inputSlices(
        group: Int, member: Int, as representation: Representation, part: Site.Part
    ) -> [Site.Slice] {
        guard let range = headLayout?.range(group: group, member: member) else { return [] }
        return slices(axis: 1 - outputAxis, start: range.lowerBound, representation, part, withBias: false)
    }

    fileprivate func allOutputs(as representation: Representation, part: Site.Part) -> [Site.Slice] {
        slices(axis: outputAxis, start: outputOffset, representation, part, withBias: true)
    }

    fileprivate func allInputs(as representation: Representation, part: Site.Part) -> [Site.Slice] {
        slices(axis: 1 - outputAxis, start: 0, representation, part, withBias: false)
    }

    private func slices(
        axis: Int, start: Int, _ representation: Representation, _ part: Site.Part, withBias: Bool
    ) -> [Site.Slice] {
        var slices = [
            Site.Slice(tensor: weight, axis: axis, start: start, representation: representation, part: part)
        ]
        if withBias, let bias {
            slices.append(.init(tensor: bias, axis: 0, start: start, representation: representation, part: part))
        }
        return slices
    }
}
