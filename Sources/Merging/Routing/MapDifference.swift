import Architectures
import ForwardPass
import LinearAlgebra

/// ΔW = W - W₀ of one linear map, m x n in f64, whatever the tensor's axis; of tensors in f64, of their values in f32.
struct MapDifference {
    let values: Matrix<Double>
    /// b - b₀, empty where the map has no bias.
    let bias: [Float]

    /// - Throws: `MergeError` for values that are no numbers.
    init(
        of map: Projection, in model: MergeInput, from base: MergeInput, bias: (model: MergeInput, base: MergeInput)?
    ) throws {
        let (m, n) = (map.storedOutputs, map.inputCount)
        let all = try Self.difference(model, base, expert: map.expert, count: m * n)
        let isTransposed = map.outputAxis == 1
        let stored = Matrix(rows: isTransposed ? n : m, columns: isTransposed ? m : n, elements: all)
        values = isTransposed ? stored.transposed : stored
        var shift: [Float] = []
        if let bias {
            shift = try Self.difference(bias.model, bias.base, expert: map.expert, count: m).map { Float($0) }
        }
        self.bias = shift
    }

    private static func difference(
        _ model: MergeInput, _ base: MergeInput, expert: Int?, count: Int
    ) throws -> [Double] {
        let places = (expert ?? 0) * count..<((expert ?? 0) + 1) * count
        guard places.upperBound <= base.tensor.elementCount, places.upperBound <= model.tensor.elementCount else {
            throw MergeError.otherShape(
                path: model.checkpoint.path, tensor: model.tensor.name, found: model.tensor.shape,
                first: base.checkpoint.path, expected: base.tensor.shape)
        }
        func widened(_ input: MergeInput) throws -> [Float] {
            try input.checkFinite(places)
            return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
                if let target = buffer.baseAddress { input.widen(places, into: target) }
                filled = count
            }
        }
        let (own, other) = (try widened(model), try widened(base))
        return zip(own, other).map { Double($0) - Double($1) }
    }

    var isZero: Bool { values.elements.allSatisfy { $0 == 0 } }

    /// Leading directions of ΔW = U·Σ·Vᵀ.
    struct Parts {
        /// The leading columns of V, as rows.
        let gate: Matrix<Float>
        /// U_k·Σ_k·V_kᵀ = left·right.
        let left, right: Matrix<Float>
    }

    /// Directions in which there is no change say nothing, and are left out.
    ///
    /// - Parameters:
    ///   - gate: how many directions the gate has.
    ///   - rank: how many the factors have.
    func parts(gate: Int, rank: Int) throws -> Parts {
        let isTall = values.rows >= values.columns
        let side = min(values.rows, values.columns)
        guard gate > 0 || rank > 0 else {
            let none = Matrix<Float>(rows: 0, columns: values.columns, repeating: 0)
            return Parts(gate: none, left: Matrix(rows: values.rows, columns: 0, repeating: 0), right: none)
        }
        var gram = Matrix<Double>(rows: side, columns: side, repeating: 0)
        try gram.withMutableView { target in
            try values.withView { values in
                try Products.multiply(
                    values, leftTransposed: isTall, by: values, rightTransposed: !isTall, into: target)
            }
        }
        let spectrum = try Spectrum(ofGram: gram)
        let (g, k) = (min(gate, spectrum.rank), min(rank, spectrum.rank))
        let vectors = spectrum.leading(k)
        if isTall {
            // ΔW·V_k·V_kᵀ.
            return Parts(
                gate: Matrix(rounding: spectrum.leading(g).transposed), left: Matrix(rounding: values * vectors),
                right: Matrix(rounding: vectors.transposed))
        }
        // U_k·U_kᵀ·ΔW, and V = ΔWᵀ·U/σ.
        return Parts(
            gate: Matrix(rounding: spectrum.leading(g) { 1 / $0 }.transposed * values), left: Matrix(rounding: vectors),
            right: Matrix(rounding: vectors.transposed * values))
    }
}
