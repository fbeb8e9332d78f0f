import CKernels

extension MergeMethod {
    private static let epsilon = Parameter.number("epsilon", 1e-5, in: 0...1e9)

    /// Reinforced Agent Merging (arXiv 2601.13572): of each entry the mean of those task vectors that have it, |τ_i| > epsilon.
    public static let ram = MergeMethod(
        name: "ram", summary: "the base plus, entry by entry, the mean of those task vectors that exceed epsilon there",
        reference: "2601.13572", base: .required, parameters: [epsilon]
    ) { tensor in
        Self.average(Float(tensor["epsilon"]), [Float](repeating: 1, count: tensor.modelCount))
    }

    /// The same, where entries that one task vector alone has are times `1 + r min(ρ_i, alpha)`, ρ_i being how many entries it shares with others
    /// for each that it has alone, of this tensor.
    public static let ramPlusTL = MergeMethod(
        name: "ramplus_tl",
        summary:
            "as ram, with entries that one task vector alone has times 1 + r min(ρ, alpha), ρ the shared ones for each such",
        reference: "2601.13572", base: .required,
        parameters: [.number("r", 0.1, in: -1e9...1e9), .number("alpha", 0.2, in: 0...1e9), epsilon]
    ) { tensor in
        let count = tensor.modelCount
        let epsilon = tensor["epsilon"]
        let parts = try tensor.scan { tile in
            var shared = [UInt64](repeating: 0, count: count)
            var unique = shared
            guard let base = tile.base else { return (shared, unique) }
            mp_count_present_f32(&shared, &unique, tile.pointers, base, count, tile.count, Float(epsilon))
            return (shared, unique)
        }
        let factors = (0..<count).map { model in
            let shared = Double(parts.reduce(0) { $0 + $1.0[model] })
            let unique = Double(parts.reduce(0) { $0 + $1.1[model] })
            let ratio = shared == 0 ? 0 : shared / max(unique, epsilon)
            return Float(1 + tensor["r"] * min(ratio, tensor["alpha"]))
        }
        return Self.average(Float(epsilon), factors)
    }

    private static func average(_ epsilon: Float, _ factors: [Float]) -> MergeKernel {
        { tile in
            guard let base = tile.base else { return }
            mp_average_present_f32(
                tile.output, tile.pointers, base, factors, factors.count, tile.count, epsilon)
        }
    }
}
