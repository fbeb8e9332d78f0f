import Architectures
import OrderedCollections

/// The stacks that share one residual stream, and everything that reads or writes it.
///
/// A permutation P of its channels commutes with every norm whose gains are permuted along, and with sums; signs as well where no
/// norm subtracts a mean. Tables and writers become `·Pᵀ`, readers `·P⁻¹`, and the function stays what it is.
public struct ResidualStream: Sendable {
    /// Of the first of its stacks.
    public let name: String
    /// Places in `Architecture.stacks`.
    public let stacks: [Int]
    /// Nil where nothing may act on the stream.
    public let site: Site?
    /// Why nothing may, where nothing may; otherwise why signs may not.
    public let limit: String?
}

extension Architecture {
    /// Every residual stream. An encoder and a decoder that share a table of tokens share one.
    public var residualStreams: [ResidualStream] {
        var groups: OrderedDictionary<String, [Int]> = [:]
        for (number, stack) in stacks.enumerated() {
            groups[stack.tableOfTokens ?? stack.name, default: []].append(number)
        }
        let all = groups.values.map { numbers in
            var slices = ResidualSlices()
            for (number, stack) in stacks.enumerated() {
                slices.add(stack, isOwn: numbers.contains(number), encoderIsOwn: numbers.contains(0))
            }
            slices.add(head, of: self, numbers)
            return (numbers, slices)
        }
        let other = roles.first { !$1.isRead && $1.name != "buffer" }?.key
        return all.map { numbers, slices in
            let name = stacks[numbers[0]].name
            let otherUse = other.map {
                "tensor \($0), which this class of the model does not use, goes with its hidden states: the residual stream stays"
            }
            if let reason = reasonToKeep(numbers) ?? otherUse {
                return ResidualStream(name: name, stacks: numbers, site: nil, limit: reason)
            }
            let site = Site(
                path: "\(name).residual", kind: .residual, layer: nil,
                group: .monomial(stacks[numbers[0]].hiddenSize, scales: slices.signLimit == nil ? .signs : .unit),
                slices: slices.all)
            return ResidualStream(
                name: name, stacks: numbers, site: site,
                limit: slices.signLimit.map { "\($0): the residual stream is permuted, without signs" })
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
    var tableOfTokens: String? {
        if case .tokens(let embedding) = embedding { embedding.tokens } else { nil }
    }
}
