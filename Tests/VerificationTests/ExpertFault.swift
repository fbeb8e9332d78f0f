import Architectures
import TestSupport

/// A mistake that a rewriter could make in a mixture of experts, planted into stored bits of any type.
enum ExpertFault: String, CaseIterable, Sendable {
    /// Two experts exchanged, and not the rows of their router.
    case expertOrder
    /// Two rows of the router exchanged, and not their experts.
    case routerRows
    /// The sign of the largest weight in one row of the router: that of a small one may be less than rounding.
    case routerSign
    /// One expert's last matrix of another sign.
    case expertWeights
    /// Two of one expert's channels exchanged in its first matrix alone.
    case expertChannel
    /// One head's values of another sign.
    case headSign

    /// - Parameter number: which expert, row or head of those there are.
    func plant(in model: inout EditableModel, _ architecture: Architecture, number: Int) throws {
        let blocks = architecture.stacks.flatMap { $0.layers.flatMap(\.sublayers) }.compactMap { sublayer in
            if case .experts(let block) = sublayer.operation { block } else { nil }
        }
        guard let block = blocks.last else { throw TestFailure("no experts") }
        let (a, b) = (number % block.experts.count, (number + 1) % block.experts.count)
        let expert = block.experts[a]
        switch self {
        case .expertOrder:
            let (x, y) = (expert, block.experts[b])
            var done: Set<String> = []
            for case (let p?, let q?) in [(x.gate, y.gate), (x.up, y.up), (x.down, y.down)]
            where done.insert(p.weight).inserted { try model.exchangeExperts(p, q) }
        case .routerRows: try model.exchangeOutputs(block.router, a, b)
        case .routerSign:
            try model.negate(block.router, outputs: [a], inputs: [model.largestInput(of: block.router, a)])
        case .expertWeights: try model.negate(expert.down, outputs: Array(0..<expert.down.storedOutputs))
        case .expertChannel:
            let up = expert.up
            try model.exchangeOutputs(up, up.outputOffset, up.outputOffset + up.outputStride)
        case .headSign:
            guard let attention = architecture.attention.last, let layout = attention.value.headLayout else {
                throw TestFailure("no heads")
            }
            let head = layout.range(group: number % attention.keyValueHeads, member: 0)
            try model.negate(attention.value, outputs: Array(head))
        }
    }
}

extension EditableModel {
    /// Place of a weight among the elements of its tensor.
    private func place(_ projection: Projection, _ output: Int, _ input: Int) -> Int {
        let (inputs, outputs) = (projection.inputCount, projection.storedOutputs)
        return (projection.expert ?? 0) * inputs * outputs
            + (projection.outputAxis == 0 ? output * inputs + input : input * outputs + output)
    }

    /// Exchanges two stored outputs of a projection, and their biases.
    mutating func exchangeOutputs(_ projection: Projection, _ a: Int, _ b: Int) throws {
        try edit(projection.weight) { model, tensor, size in
            for input in 0..<projection.inputCount {
                let (x, y) = (model.place(projection, a, input) * size, model.place(projection, b, input) * size)
                for byte in 0..<size { tensor.swapAt(x + byte, y + byte) }
            }
        }
        guard let bias = projection.bias else { return }
        let start = (projection.expert ?? 0) * projection.storedOutputs
        try edit(bias) { _, tensor, size in
            for byte in 0..<size { tensor.swapAt((start + a) * size + byte, (start + b) * size + byte) }
        }
    }

    /// Which input has the largest 16-bit weight in one output's row.
    func largestInput(of projection: Projection, _ output: Int) throws -> Int {
        let bytes = tensors[try index(projection.weight)].bytes
        func magnitude(_ input: Int) -> Int {
            let first = 2 * place(projection, output, input)
            return Int(bytes[first + 1] & 0x7f) << 8 | Int(bytes[first])
        }
        return (0..<projection.inputCount).max { magnitude($0) < magnitude($1) } ?? 0
    }

    /// Turns the sign of some weights: of all inputs unless said otherwise.
    mutating func negate(_ projection: Projection, outputs: [Int], inputs: [Int]? = nil) throws {
        try edit(projection.weight) { model, tensor, size in
            for output in outputs {
                for input in inputs ?? Array(0..<projection.inputCount) {
                    tensor[(model.place(projection, output, input) + 1) * size - 1] ^= 0x80
                }
            }
        }
    }

    /// Changes a tensor's bytes; `body` is also given the model before and the bytes of one element.
    private mutating func edit(
        _ name: String, _ body: (EditableModel, inout [UInt8], Int) -> Void
    ) throws {
        let number = try index(name)
        var bytes = tensors[number].bytes
        body(self, &bytes, tensors[number].type.bitWidth / 8)
        tensors[number].bytes = bytes
    }
}
