import Architectures

extension Architecture {
    /// Those whose elements act on channels, then those that act on what these leave: on whole heads, whole experts, and residual streams.
    public var allSites: [Site] { allSites(.permutation) }

    public var outerSites: [Site] { outerSites(.permutation) }

    /// - Parameter residual: what is done to residual streams.
    public func allSites(_ residual: ResidualTransform) -> [Site] { sites + outerSites(residual) }

    public func outerSites(_ residual: ResidualTransform) -> [Site] {
        headSites + expertSites + residualStreams.compactMap { $0.site(residual) }
    }

    /// Every place where a group acts on channels of weights and the function stays what it is. Derived from the blocks: what a norm, a gate
    /// or a rotation between two maps does not commute with is no site.
    public var sites: [Site] {
        attention.flatMap(\.sites) + mlp.compactMap(\.site)
    }
}

extension AttentionBlock {
    public var sites: [Site] {
        var sites: [Site] = []
        for group in 0..<keyValueHeads {
            sites.append(valueOutputSite(of: group))
            if let site = queryKeySite(of: group) { sites.append(site) }
        }
        if let site = sharedKeySite { sites.append(site) }
        return sites + queryKeyGainSites
    }

    /// Rows of v and columns of o: GL(d_h), unless something stands between the two. Clamped values leave signed permutations. A gate
    /// `σ(g) ∘ (a·v)` multiplies each channel of each query head by a number of its own, so that an A must carry diagonals into
    /// diagonals, `A·diag(s) = diag(P·s)·A`: permutations P, which the gate's rows follow, times scales, for any s and thus for all
    /// heads of the group at once.
    private func valueOutputSite(of group: Int) -> Site {
        var slices = value.outputSlices(group: group, member: 0, as: .direct, part: .value)
        for member in 0..<groupSize {
            if let outputGate {
                slices += outputGate.outputSlices(
                    group: group, member: member, as: .permutation, part: .outputGate(member: member))
            }
            slices += output.inputSlices(group: group, member: member, as: .dual, part: .output(member: member))
        }
        return Site(
            path: "\(name).vo.\(group)", kind: .valueOutput, layer: layer,
            group: clip != nil
                ? .monomial(valueHeadDimension, scales: .signs)
                : outputGate != nil
                    ? .monomial(valueHeadDimension, scales: .signed) : .generalLinear(valueHeadDimension),
            slices: slices)
    }

    private func queryKeySite(of group: Int) -> Site? {
        guard let symmetry = queryKeyGroup else { return nil }
        var slices = key.outputSlices(group: group, member: 0, as: .direct, part: .key)
        for member in 0..<groupSize {
            slices += query.outputSlices(
                group: group, member: member, as: .dual, part: .query(member: member))
        }
        return Site(path: "\(name).qk.\(group)", kind: .queryKey, layer: layer, group: symmetry, slices: slices)
    }

    /// What acts on a key head and its queries: GL(d_h) without rotary embedding, one complex number per rotated pair with it,
    /// and of that only signs where a norm with a gain stands between projection and product.
    private var queryKeyGroup: Group? {
        if sharedKey != nil {
            let own = key.headLayout?.length ?? 0
            return queryKeyNorm == nil && clip == nil && own > 0 ? .generalLinear(own) : nil
        }
        if let rotary, rotary.offset > 0 { return nil }
        let pairing = rotary.map(ChannelPairing.init)
        guard let norm = queryKeyNorm else {
            guard let pairing else {
                return clip == nil ? .generalLinear(headDimension) : .monomial(headDimension, scales: .signs)
            }
            if clip != nil { return pairing.rotaryDimensions == headDimension ? .pairSigns(pairing) : nil }
            let rest = headDimension - pairing.rotaryDimensions
            return rest == 0 ? .torus(pairing) : .product([.torus(pairing), .generalLinear(rest)])
        }
        // A norm that subtracts the mean mixes channels before the product: nothing is left.
        guard clip == nil, norm.query.allSatisfy({ $0.kind == .rms && $0.bias == nil }),
            norm.key.allSatisfy({ $0.kind == .rms && $0.bias == nil }), let pairing,
            pairing.rotaryDimensions == headDimension
        else { return nil }
        if norm.isAfterRotary {
            // Turning a pair keeps the root mean square; a gain behind would tell its two members apart.
            let isPlain = (norm.query + norm.key).allSatisfy { $0.weight == nil }
            return isPlain && norm.scope != .projection ? .torusPhases(pairing) : .pairSigns(pairing)
        }
        return .pairSigns(pairing)
    }

    /// Key channels that all heads share: one element for all queries.
    private var sharedKeySite: Site? {
        guard let sharedKey, let rotary, queryKeyNorm == nil, clip == nil, rotary.dimensions == sharedKey.outputCount
        else { return nil }
        var slices = sharedKey.outputSlices(group: 0, member: 0, as: .direct, part: .key)
        for head in 0..<heads {
            slices += query.outputSlices(
                group: head / groupSize, member: head % groupSize, as: .dual, part: .query(member: head),
                from: rotary.offset)
        }
        return Site(
            path: "\(name).qk_shared", kind: .queryKey, layer: layer, group: .torus(ChannelPairing(rotary)),
            slices: slices)
    }

    /// Scale may move between the two gains, equal on both members of a pair; not where stored gains are offsets from one.
    private var queryKeyGainSites: [Site] {
        guard let norm = queryKeyNorm, !norm.isAfterRotary, case .pairSigns(let pairing)? = queryKeyGroup, clip == nil,
            let query = norm.query.first, let key = norm.key.first, norm.query.count == 1, norm.key.count == 1,
            let queryGain = query.weight, let keyGain = key.weight, query.gainOffset == 0, key.gainOffset == 0
        else { return [] }
        func site(_ suffix: String, keyStart: Int, queryStarts: [Int]) -> Site {
            Site(
                path: "\(name).qk_gain\(suffix)", kind: .queryKeyGain, layer: layer, group: .pairScales(pairing),
                slices: [.init(tensor: keyGain, axis: 0, start: keyStart, representation: .direct, part: .keyGain)]
                    + queryStarts.map {
                        .init(tensor: queryGain, axis: 0, start: $0, representation: .dual, part: .queryGain)
                    })
        }
        switch norm.scope {
        case .head: return [site("", keyStart: 0, queryStarts: [0])]
        case .eachHead, .projection:
            return (0..<keyValueHeads).map { group in
                site(
                    ".\(group)", keyStart: group * headDimension,
                    queryStarts: (0..<groupSize).map { (group * groupSize + $0) * headDimension })
            }
        }
    }
}

extension MLPBlock {
    public var site: Site? {
        // Each channel has a polynomial of its own, which stays with it.
        guard series == nil else { return nil }
        var slices: [Site.Slice] = []
        let scales: Group.ChannelScales =
            clamp != nil ? .unit : gate != nil ? .signed : activation.isPositivelyHomogeneous ? .positive : .unit
        if let gate, gate.weight == up.weight, gate.outputStride == 2 {
            // Alternating channels move in pairs.
            guard scales == .unit, up.outputOffset == gate.outputOffset + 1 else { return nil }
            slices += gate.allOutputs(as: .permutation, part: .gate, width: 2)
        } else {
            if let gate { slices += gate.allOutputs(as: .permutation, part: .gate) }
            slices += up.allOutputs(as: .direct, part: .up)
        }
        slices += down.allInputs(as: .dual, part: .down)
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
    fileprivate func outputSlices(
        group: Int, member: Int, as representation: Representation, part: Site.Part, from: Int = 0
    ) -> [Site.Slice] {
        guard let range = headLayout?.range(group: group, member: member) else { return [] }
        return slices(axis: outputAxis, start: range.lowerBound + from, representation, part, withBias: true)
    }

    fileprivate func inputSlices(
        group: Int, member: Int, as representation: Representation, part: Site.Part
    ) -> [Site.Slice] {
        guard let range = headLayout?.range(group: group, member: member) else { return [] }
        return slices(axis: 1 - outputAxis, start: range.lowerBound, representation, part, withBias: false)
    }

    fileprivate func allOutputs(
        as representation: Representation, part: Site.Part, width: Int = 1
    ) -> [Site.Slice] {
        slices(axis: outputAxis, start: outputOffset, representation, part, withBias: true, width: width)
    }

    fileprivate func allInputs(as representation: Representation, part: Site.Part) -> [Site.Slice] {
        slices(axis: 1 - outputAxis, start: 0, representation, part, withBias: false)
    }

    /// A stacked tensor is read as a matrix with the experts' rows one below the other, its bias with one row per expert.
    func slices(
        axis: Int, start: Int, _ representation: Representation, _ part: Site.Part, withBias: Bool, width: Int = 1,
        stride: Int? = nil
    ) -> [Site.Slice] {
        let rows = outputAxis == 0 ? storedOutputs : inputCount
        let first = (expert ?? 0) * rows
        var slices = [
            Site.Slice(
                tensor: weight, axis: axis, start: axis == 0 ? first + start : start, representation: representation,
                part: part, across: expert != nil && axis == 1 ? first..<first + rows : nil, width: width,
                stride: stride)
        ]
        if withBias, let bias {
            slices.append(
                .init(
                    tensor: bias, axis: expert == nil ? 0 : 1, start: start, representation: representation, part: part,
                    across: expert.map { $0..<$0 + 1 }, width: width, stride: stride))
        }
        return slices
    }
}
