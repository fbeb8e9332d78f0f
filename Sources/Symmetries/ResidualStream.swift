import Architectures
import OrderedCollections

/// The stacks that share one residual stream, and everything that reads or writes it.
///
/// A permutation P of its channels commutes with every norm whose gains are permuted along, and with sums; signs as well where no
/// norm subtracts a mean. Tables and writers become `·Pᵀ`, readers `·P⁻¹`, and the function stays what it is. An orthogonal R
/// commutes with root mean squares once every gain has gone into the weights behind its norm: readers become `W·diag(g)·Rᵀ`, and a
/// norm's bias `R·(b/g)`, as `W·(g∘n + b) = W·diag(g)·Rᵀ · R·(n + b/g)`. Where a block's result is multiplied by λ, its writer takes it:
/// `R·diag(λ)·W`. Where norms subtract the mean, R has to fix the vector of ones.
public struct ResidualStream: Sendable {
    /// Of the first of its stacks.
    public let name: String
    /// Places in `Architecture.stacks`.
    public let stacks: [Int]
    /// Of permutations; nil where nothing may act on the stream.
    public let site: Site?
    /// Why nothing may, where nothing may; otherwise why signs may not.
    public let limit: String?
    /// Why the stream may not be turned; nil where it may.
    public let turnLimit: String?
    private let turned: [Site.Slice]
    private let folded: [Site.Gain]
    private let fixesOnes: Bool
    private let untied: Site.Untied?

    fileprivate init(_ name: String, _ stacks: [Int], kept reason: String) {
        (self.name, self.stacks, site, limit, turnLimit) = (name, stacks, nil, reason, reason)
        (turned, folded, fixesOnes, untied) = ([], [], false, nil)
    }

    fileprivate init(_ name: String, _ stacks: [Int], channels: Int, _ slices: ResidualSlices) {
        (self.name, self.stacks) = (name, stacks)
        site = Site(
            path: "\(name).residual", kind: .residual, layer: nil,
            group: .monomial(channels, scales: slices.signLimit == nil ? .signs : .unit), slices: slices.permuted)
        limit = slices.signLimit.map { "\($0): the residual stream is permuted, without signs" }
        turnLimit = slices.turnLimit.map { "\($0): the residual stream is permuted, not turned" }
        (turned, folded, fixesOnes) = (slices.turned, slices.folded, slices.subtractsMean)
        untied = slices.untied
    }

    /// The site under one of the transforms; nil where it is not legal.
    public func site(_ transform: ResidualTransform) -> Site? {
        switch transform {
        case .none: return nil
        case .permutation: return site
        case .hadamard, .rotation:
            guard let site, let form = transform.form, turnLimit == nil else { return nil }
            return Site(
                path: "\(site.path).\(transform.rawValue)", kind: .residual, layer: nil,
                group: .orthogonal(site.group.dimension, form, fixesOnes: fixesOnes), slices: turned, folded: folded,
                untied: untied)
        }
    }
}

extension Architecture {
    /// Every residual stream. An encoder and a decoder that share a table of tokens share one.
    public var residualStreams: [ResidualStream] {
        var groups: OrderedDictionary<String, [Int]> = [:]
        for (number, stack) in stacks.enumerated() {
            groups[stack.tableOfTokens ?? stack.name, default: []].append(number)
        }
        let masks = roles.filter { $0.value.name == "mask_embedding" }.keys.sorted()
        let patches = stacks.firstIndex { if case .patches = $0.embedding { true } else { false } }
        let all = groups.values.map { numbers in
            var slices = ResidualSlices()
            if let patches, numbers.contains(patches) { for mask in masks { slices.addMask(mask) } }
            for (number, stack) in stacks.enumerated() {
                slices.add(
                    stack, isOwn: numbers.contains(number),
                    encoder: numbers.contains(0) ? .some(stacks[0].finalNorm) : nil)
            }
            slices.add(head, of: self, numbers)
            return (numbers, slices)
        }
        let other = roles.first {
            !$1.isRead && $1.name != "buffer" && (patches == nil || $1.name != "mask_embedding")
        }?.key
        return all.map { numbers, slices in
            let name = stacks[numbers[0]].name
            let otherUse = other.map {
                "tensor \($0), which this class of the model does not use, goes with its hidden states: the residual stream stays"
            }
            if let reason = reasonToKeep(numbers) ?? otherUse {
                return ResidualStream(name, numbers, kept: reason)
            }
            return ResidualStream(name, numbers, channels: stacks[numbers[0]].hiddenSize, slices)
        }
    }

    private func reasonToKeep(_ numbers: [Int]) -> String? {
        if Set(numbers.map { stacks[$0].hiddenSize }).count > 1 {
            return "residual streams of two widths share a table"
        }
        if let part = opaqueParts.first {
            return "the residual stream meets a part that is not understood (\(part.name)): it stays"
        }
        if hasModules {
            return "modules.json names modules that read the model's hidden states: the residual stream stays"
        }
        switch head {
        case .none:
            return numbers.contains(stacks.count - 1)
                ? "the model's outputs are its hidden states: its residual stream stays" : nil
        case .contrastive(let head):
            let isOutput = [head.text, head.image].contains { tower in
                tower.projection == nil && numbers.contains { stacks[$0].name == tower.stack }
            }
            return isOutput ? "a tower's pooled states are its outputs: its residual stream stays" : nil
        case .language, .classifier: return nil
        }
    }
}

extension Stack {
    package var tableOfTokens: String? {
        if case .tokens(let embedding) = embedding { embedding.tokens } else { nil }
    }
}
