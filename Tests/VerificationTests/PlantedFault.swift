import Architectures
import Checkpoints
import TestSupport

/// A mistake that a rewriter could make, planted into a protected model wherever its architecture has room for it.
enum PlantedFault: String, CaseIterable, Sendable {
    /// One head's values exchanged with another's, and not the columns that read them.
    case headOrder
    /// A quarter turn of two channels that the rotary embedding does not pair, in keys and queries alike.
    case rotaryLayout
    /// Two experts exchanged, and not the rows of their router.
    case expertOrder
    /// A gain that is stored around zero (Gemma) scaled as if it stood around one, its readers scaled back.
    case gainOffset
    /// A channel's gain scaled on the keys' norm, and not on the queries'.
    case gainForgotten
    /// One row of an MLP's first matrix moved without its column in the second.
    case channelOrder

    /// Changes the model; false where the architecture has no place for this fault.
    func plant(in model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        switch self {
        case .headOrder: try headOrder(&model, architecture)
        case .rotaryLayout: try rotaryLayout(&model, architecture)
        case .expertOrder: try expertOrder(&model, architecture)
        case .gainOffset: try gainOffset(&model, architecture)
        case .gainForgotten: try gainForgotten(&model, architecture)
        case .channelOrder: try channelOrder(&model, architecture)
        }
    }

    private func headOrder(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        guard let block = architecture.attention.last else { return false }
        // With one key/value head the queries' order is what can be wrong.
        let (projection, other) =
            block.keyValueHeads > 1
            ? (block.value, block.value.headLayout?.range(group: 1, member: 0))
            : (block.query, block.query.headLayout?.range(group: 0, member: 1))
        guard let first = projection.headLayout?.range(group: 0, member: 0), let other else { return false }
        for (a, b) in zip(first, other) {
            try model.exchange(projection.weight, axis: projection.outputAxis, a, b)
            if let bias = projection.bias { try model.exchange(bias, axis: 0, a, b) }
        }
        return true
    }

    private func rotaryLayout(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        guard let block = architecture.attention.last(where: { $0.rotary != nil && $0.queryKeyNorm == nil }),
            let rotary = block.rotary, rotary.dimensions >= 4
        else { return false }
        let (a, b) = rotary.layout == .halfSplit ? (0, 1) : (0, rotary.dimensions / 2)
        func turn(_ projection: Projection, _ start: Int) throws {
            try model.turn(projection.weight, axis: projection.outputAxis, start + a, start + b)
            if let bias = projection.bias { try model.turn(bias, axis: 0, start + a, start + b) }
        }
        let groups = block.sharedKey == nil ? 0..<1 : 0..<block.keyValueHeads
        for group in groups {
            for member in 0..<block.groupSize {
                guard let range = block.query.headLayout?.range(group: group, member: member) else { return false }
                try turn(block.query, range.lowerBound + rotary.offset)
            }
        }
        let key = block.sharedKey ?? block.key
        guard let range = key.headLayout?.range(group: 0, member: 0) else { return false }
        try turn(key, range.lowerBound)
        return true
    }

    private func expertOrder(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        for sublayer in architecture.stacks.flatMap({ $0.layers.flatMap(\.sublayers) }) {
            guard case .experts(let block) = sublayer.operation, block.experts.count > 1 else { continue }
            let (a, b) = (block.experts[0], block.experts[1])
            let pairs = [(a.gate, b.gate), (a.up, b.up), (a.down, b.down)]
            var done: Set<String> = []
            for case (let x?, let y?) in pairs where done.insert(x.weight).inserted {
                try model.exchangeExperts(x, y)
            }
            return true
        }
        return false
    }

    private func gainOffset(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        for sublayer in architecture.stacks.flatMap({ $0.layers.flatMap(\.sublayers) }) {
            guard let norm = sublayer.before, norm.gainOffset != 0, let gain = norm.weight,
                case .attention(let block) = sublayer.operation
            else { continue }
            try model.edit(gain) { $0 = $0.map { 2 * $0 } }
            for name in Set([block.query, block.key, block.value].map(\.weight)) {
                try model.edit(name) { $0 = $0.map { $0 / 2 } }
            }
            return true
        }
        return false
    }

    private func gainForgotten(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        guard let gain = architecture.attention.compactMap({ $0.queryKeyNorm?.key.first?.weight }).first else {
            return false
        }
        try model.edit(gain) { $0[0] = 2 * $0[0] + 1 }
        return true
    }

    private func channelOrder(_ model: inout EditableModel, _ architecture: Architecture) throws -> Bool {
        // An expert might be chosen by no token: take a dense block, or the shared expert.
        let blocks = architecture.stacks.flatMap { $0.layers.flatMap(\.sublayers) }.compactMap { sublayer in
            switch sublayer.operation {
            case .mlp(let block): block
            case .experts(let block): block.shared
            case .attention, .opaque: nil
            }
        }
        guard let up = blocks.last?.up else { return false }
        try model.exchange(up.weight, axis: up.outputAxis, up.outputOffset, up.outputOffset + 1)
        return true
    }
}

extension EditableModel {
    /// Bytes of a tensor as rows and columns: the last axis is the columns.
    private func matrix(_ place: Int) -> (rows: Int, columns: Int, size: Int) {
        let tensor = tensors[place]
        let columns = tensor.shape.count > 1 ? tensor.shape.last ?? 1 : 1
        let count = tensor.shape.reduce(1, *)
        return (count / max(columns, 1), columns, tensor.type.bitWidth / 8)
    }

    /// Exchanges two rows or two columns.
    mutating func exchange(_ name: String, axis: Int, _ a: Int, _ b: Int) throws {
        let place = try index(name)
        let (rows, columns, size) = matrix(place)
        for other in 0..<(axis == 0 ? columns : rows) {
            let (x, y) =
                axis == 0 ? (a * columns + other, b * columns + other) : (other * columns + a, other * columns + b)
            for byte in 0..<size { tensors[place].bytes.swapAt(x * size + byte, y * size + byte) }
        }
    }

    /// (x, y) ← (-y, x) on two rows or two columns of an f32 tensor.
    mutating func turn(_ name: String, axis: Int, _ a: Int, _ b: Int) throws {
        try exchange(name, axis: axis, a, b)
        let (rows, columns, _) = matrix(try index(name))
        try edit(name) { values in
            for other in 0..<(axis == 0 ? columns : rows) {
                values[axis == 0 ? a * columns + other : other * columns + a] *= -1
            }
        }
    }

    /// Exchanges two experts' weights and biases, in tensors of their own or stacked in one.
    mutating func exchangeExperts(_ x: Projection, _ y: Projection) throws {
        for (first, second) in [(x.weight, y.weight), (x.bias, y.bias)] {
            guard let first, let second else { continue }
            let (p, q) = (try index(first), try index(second))
            guard p == q else {
                (tensors[p].bytes, tensors[q].bytes) = (tensors[q].bytes, tensors[p].bytes)
                continue
            }
            let length = tensors[p].bytes.count / (tensors[p].shape.first ?? 1)
            let (a, b) = ((x.expert ?? 0) * length, (y.expert ?? 0) * length)
            for byte in 0..<length { tensors[p].bytes.swapAt(a + byte, b + byte) }
        }
    }
}
