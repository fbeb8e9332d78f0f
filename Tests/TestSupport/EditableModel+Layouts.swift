import Checkpoints

/// Other ways in which transformers stores the same model.
extension EditableModel {
    /// Stored names with parts replaced, in turn.
    public mutating func rename(_ changes: [(from: String, to: String)]) {
        for place in tensors.indices {
            for (from, to) in changes { tensors[place].name = tensors[place].name.replacing(from, with: to) }
        }
    }

    /// Tensors whose names end so, cut into equal runs of rows that end otherwise.
    public mutating func split(_ ending: String, into endings: [String]) throws {
        var parts: [Tensor] = []
        for tensor in tensors where tensor.name.hasSuffix(ending) {
            let (rows, bytes) = (tensor.shape[0] / endings.count, tensor.bytes.count / endings.count)
            for (place, other) in endings.enumerated() {
                parts.append(
                    Tensor(
                        name: tensor.name.dropLast(ending.count) + other, type: tensor.type,
                        shape: [rows] + tensor.shape.dropFirst(),
                        bytes: Array(tensor.bytes[place * bytes..<(place + 1) * bytes])))
            }
        }
        guard !parts.isEmpty else { throw TestFailure("nothing ends in \(ending)") }
        tensors.removeAll { $0.name.hasSuffix(ending) }
        tensors += parts
    }

    /// The gates, ups and downs of each layer's experts in two tensors with an axis of experts in front.
    ///
    /// - Parameters:
    ///   - path: the part of an expert's name before its number, such as `mlp.experts.`, which the new names get, too.
    ///   - parts: what its gate, up and down are called.
    public mutating func fuseExperts(_ path: String, parts: (gate: String, up: String, down: String)) throws {
        func stored(_ layer: Int, _ expert: Int, _ part: String) -> Tensor? {
            tensors.first { $0.name == "model.layers.\(layer).\(path)\(expert).\(part).weight" }
        }
        var fused: [Tensor] = []
        for layer in 0..<64 {
            var (first, second): (Tensor?, Tensor?)
            var experts = 0
            while let gate = stored(layer, experts, parts.gate), let up = stored(layer, experts, parts.up),
                let down = stored(layer, experts, parts.down)
            {
                let shape = [experts + 1, 2 * gate.shape[0], gate.shape[1]]
                first = Tensor(
                    name: "model.layers.\(layer).\(path)gate_up_proj", type: gate.type, shape: shape,
                    bytes: (first?.bytes ?? []) + gate.bytes + up.bytes)
                second = Tensor(
                    name: "model.layers.\(layer).\(path)down_proj", type: down.type, shape: [experts + 1] + down.shape,
                    bytes: (second?.bytes ?? []) + down.bytes)
                experts += 1
            }
            fused += [first, second].compactMap(\.self)
        }
        guard !fused.isEmpty else { throw TestFailure("no experts under \(path)") }
        let endings = [parts.gate, parts.up, parts.down].map { ".\($0).weight" }
        tensors.removeAll { tensor in tensor.name.contains(path) && endings.contains { tensor.name.hasSuffix($0) } }
        tensors += fused
    }
}
