import Architectures

extension Architecture {
    /// Permutations of whole heads: the function is the sum over heads, which knows no order. They act behind the elements of the
    /// heads' own sites.
    public var headSites: [Site] { attention.flatMap(\.headSites) }
}

extension AttentionBlock {
    /// The query heads within each key/value head's group, then the groups, with everything that is theirs. None where a head's number
    /// means something, as under a position bias, or where what is stored for each head lies in a tensor of its own.
    public var headSites: [Site] {
        guard positionBias == nil, !hasNormPerHeadTensor else { return [] }
        var sites: [Site] = []
        if groupSize > 1 {
            for group in 0..<keyValueHeads {
                sites.append(headSite("members.\(group)", count: groupSize, memberSlices(of: group)))
            }
        }
        if keyValueHeads > 1 { sites.append(headSite("heads", count: keyValueHeads, groupSlices)) }
        return sites
    }

    private func headSite(_ name: String, count: Int, _ slices: [Site.Slice]) -> Site {
        Site(
            path: "\(self.name).\(name)", kind: .heads, layer: layer, group: .monomial(count, scales: .unit),
            slices: slices)
    }

    private var hasNormPerHeadTensor: Bool {
        guard let norm = queryKeyNorm, norm.scope == .eachHead else { return false }
        return norm.query.count > 1 || norm.key.count > 1
    }

    /// A group's query heads as blocks, which begin with member 0.
    private func memberSlices(of group: Int) -> [Site.Slice] {
        var slices = query.blocks(group: group, member: 0, .members, inputs: false, part: .query(member: 0))
        slices +=
            outputGate?.blocks(group: group, member: 0, .members, inputs: false, part: .outputGate(member: 0)) ?? []
        slices += output.blocks(group: group, member: 0, .members, inputs: true, part: .output(member: 0))
        slices += perHead(queryKeyNorm?.query ?? [], start: group * groupSize, stride: 1, part: .queryGain)
        slices += sinkSlices(start: group * groupSize, stride: 1)
        return slices
    }

    /// The groups as blocks: their key/value heads, and for each member the query heads that are it in their groups.
    private var groupSlices: [Site.Slice] {
        var slices = key.blocks(group: 0, member: 0, .groups, inputs: false, part: .key)
        slices += value.blocks(group: 0, member: 0, .groups, inputs: false, part: .value)
        slices += perHead(queryKeyNorm?.key ?? [], start: 0, stride: 1, part: .keyGain)
        for member in 0..<groupSize {
            slices += query.blocks(group: 0, member: member, .groups, inputs: false, part: .query(member: member))
            slices +=
                outputGate?.blocks(
                    group: 0, member: member, .groups, inputs: false, part: .outputGate(member: member)) ?? []
            slices += output.blocks(group: 0, member: member, .groups, inputs: true, part: .output(member: member))
            slices += perHead(queryKeyNorm?.query ?? [], start: member, stride: groupSize, part: .queryGain)
            slices += sinkSlices(start: member, stride: groupSize)
        }
        return slices
    }

    private func sinkSlices(start: Int, stride: Int) -> [Site.Slice] {
        sinks.map {
            [.init(tensor: $0, axis: 0, start: start, representation: .permutation, part: .sinks, stride: stride)]
        } ?? []
    }

    /// Gains and biases of a norm, where they are not the same for all heads: a row for each head, or a run of one long vector.
    private func perHead(_ norms: [Norm], start: Int, stride: Int, part: Site.Part) -> [Site.Slice] {
        guard let scope = queryKeyNorm?.scope, scope != .head else { return [] }
        let width = scope == .eachHead ? 1 : headDimension
        return norms.flatMap { [$0.weight, $0.bias].compactMap(\.self) }.map {
            .init(
                tensor: $0, axis: 0, start: start * width, representation: .permutation, part: part, width: width,
                stride: stride * width)
        }
    }
}

extension Projection {
    fileprivate enum Blocks { case groups, members }

    /// One block for each head, from the named one on.
    fileprivate func blocks(
        group: Int, member: Int, _ blocks: Blocks, inputs: Bool, part: Site.Part
    ) -> [Site.Slice] {
        guard let layout = headLayout else { return [] }
        return slices(
            axis: inputs ? 1 - outputAxis : outputAxis, start: layout.range(group: group, member: member).lowerBound,
            .permutation, part, withBias: !inputs, width: layout.length,
            stride: blocks == .groups ? layout.groupStride : layout.headStride)
    }
}
