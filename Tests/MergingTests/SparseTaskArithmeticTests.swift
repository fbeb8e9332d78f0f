import Checkpoints
import Merging
import TestSupport
import Testing

/// TIES and its relatives against their definitions, written out by sorting; those that draw by their statistics.
@Suite struct SparseTaskArithmeticTests {
    private static let weights = [0.5, 1, -0.25]

    /// Places by magnitude, the largest first, of equal ones the first.
    private static func order(_ values: [Double]) -> [Int] {
        values.indices.sorted { (-values[$0].magnitude, $0) < (-values[$1].magnitude, $1) }
    }

    private static func keeping(_ places: some Sequence<Int>, of values: [Double]) -> [Double] {
        let kept = Set(places)
        return values.indices.map { kept.contains($0) ? values[$0] : 0 }
    }

    private static func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1.magnitude } }

    private static func rescaled(_ kept: [Double], to values: [Double]) -> [Double] {
        let (before, after) = (norm(values), norm(kept))
        return before >= 1e-7 && after >= 1e-7 ? kept.map { $0 * before / after } : kept
    }

    /// What is added to the base, of sparse task vectors.
    private static func mixed(
        _ vectors: [[Double]], _ weights: [Double], elects: Bool, normalizes: Bool, lambda: Double = 1
    ) -> [Double] {
        (vectors.first ?? []).indices.map { i in
            let terms = zip(vectors, weights).map { (value: $0[i] * $1, weight: $1) }
            let sum = terms.reduce(0) { $0 + $1.value }
            let counted = elects ? terms.filter { sum >= 0 ? $0.value > 0 : $0.value < 0 } : terms
            let divisor = counted.reduce(0) { $0 + $1.weight }
            let total = counted.reduce(0) { $0 + $1.value }
            return lambda * (normalizes && divisor != 0 ? total / divisor : total)
        }
    }

    @Test(
        arguments: [0, 0.0003, 0.2, 0.5, 0.99, 1], [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)])
    func tiesIsItsDefinition(density: Double, data: (InventedModels.Values, ElementType)) throws {
        let invented = try InventedModels(3, data.0, data.1)
        for (normalizes, rescales) in [(true, false), (false, true)] {
            let densities = [density, density / 2, 1]
            let found = try invented.merged(
                .ties, own: zip(Self.weights, densities).map { ["weight": $0, "density": $1] },
                shared: ["normalize": normalizes ? 1 : 0, "rescale": rescales ? 1 : 0, "lambda": 0.75])
            try invented.expect(found, exceptions: data.0 == .steps && !rescales ? 0 : 2) { _, _, vectors in
                let kept = zip(vectors, densities).map { vector, density in
                    let count =
                        density <= 0 ? 0 : density >= 1 ? vector.count : max(1, Int(density * Double(vector.count)))
                    let kept = Self.keeping(Self.order(vector).prefix(count), of: vector)
                    return rescales ? Self.rescaled(kept, to: vector) : kept
                }
                return Self.mixed(kept, Self.weights, elects: true, normalizes: normalizes, lambda: 0.75)
            }
        }
    }

    /// Cuts read narrow types as they are stored, and others in f32.
    @Test(arguments: [(InventedModels.Values.steps, ElementType.f16), (.smooth, .f16), (.smooth, .f64)])
    func everyTypeIsCut(data: (InventedModels.Values, ElementType)) throws {
        let invented = try InventedModels(2, data.0, data.1)
        let found = try invented.merged(.ties, own: [["weight": 1, "density": 0.3], ["weight": 2, "density": 0.7]])
        try invented.expect(found, exceptions: data.0 == .steps ? 0 : 2) { _, _, vectors in
            let kept = zip(vectors, [0.3, 0.7]).map { vector, density in
                Self.keeping(Self.order(vector).prefix(max(1, Int(density * Double(vector.count)))), of: vector)
            }
            return Self.mixed(kept, [1, 2], elects: true, normalizes: true)
        }
    }

    /// Signs that cancel elect the positive ones, and weights that cancel divide by nothing.
    @Test func whatCancelsIsDecided() throws {
        let invented = try InventedModels(2, .steps)
        let found = try invented.merged(.ties, own: [["weight": 1], ["weight": -1]])
        try invented.expect(found) { _, _, vectors in
            Self.mixed(vectors, [1, -1], elects: true, normalizes: true)
        }
    }

    @Test(
        arguments: [(0, 0.01), (0.3, 0.2), (0.5, 0), (0.9, 0.05), (0.9, 0.5), (1, 0.5), (0.001, 0.01)], [true, false])
    func breadcrumbsIsItsDefinition(share: (density: Double, gamma: Double), elects: Bool) throws {
        for data in [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)] {
            let invented = try InventedModels(2, data.0, data.1)
            let weights = [0.5, 0.25]
            let found = try invented.merged(
                elects ? .breadcrumbsTIES : .breadcrumbs,
                own: weights.map { ["weight": $0, "density": share.density, "gamma": share.gamma] })
            try invented.expect(found, exceptions: data.0 == .steps ? 0 : 2) { _, _, vectors in
                let kept = vectors.map { vector in
                    guard share.density < 1 else { return vector }
                    let count = Double(vector.count)
                    let wanted = Int(share.density * count)
                    let below = max(0, vector.count - wanted - Int(share.gamma * count))
                    return Self.keeping(Self.order(vector).reversed()[below...].prefix(wanted), of: vector)
                }
                return Self.mixed(kept, weights, elects: elects, normalizes: false)
            }
        }
    }

    // MARK: What is drawn

    /// The entries of each model that stay, by merges that leave the others out.
    private func kept(
        _ invented: InventedModels, _ method: MergeMethod, _ own: [String: Double], seed: UInt64 = 0
    ) throws -> [[String: [Bool]]] {
        try invented.models.indices.map { model in
            let found = try invented.merged(
                method,
                own: invented.models.indices.map { own.merging(["weight": $0 == model ? 1 : 0]) { $1 } },
                shared: ["rescale": 0], seed: seed)
            return try found.reduce(into: [:]) { result, tensor in
                let vector = try invented.taskVectors(tensor.key)[model]
                let base = try #require(invented.base[tensor.key])
                result[tensor.key] = tensor.value.indices.map { i in
                    let added = tensor.value[i] - base[i]
                    let stays = (added - vector[i]).magnitude < added.magnitude
                    #expect((added - (stays ? vector[i] : 0)).magnitude < 2e-6)
                    return stays
                }
            }
        }
    }

    private static func expectRate(_ draws: some Collection<Bool>, _ probability: Double) {
        let (count, hits) = (Double(draws.count), Double(draws.count(where: \.self)))
        #expect((hits - probability * count).magnitude <= 5 * (probability * (1 - probability) * count).squareRoot())
    }

    @Test(arguments: [0.1, 0.5, 0.9]) func dareDrawsEvenly(density: Double) throws {
        let invented = try InventedModels(2)
        let kept = try kept(invented, .dareLinear, ["density": density])
        for tensor in ["long", "tall"] {
            let vectors = try invented.taskVectors(tensor)
            let draws = try kept.enumerated().map { model, masks in
                let mask = try #require(masks[tensor])
                // Of the entries that differ from the base.
                return mask.indices.map { vectors[model][$0] == 0 ? Bool?.none : mask[$0] }
            }
            for mask in draws { Self.expectRate(mask.compactMap(\.self), density) }
            // One model's draws say nothing of the other's.
            Self.expectRate(
                zip(draws[0], draws[1]).compactMap { a, b in a.flatMap { a in b.map { $0 && a } } }, density * density)
            // Nor do those of one entry of its neighbour's, nor of one's that is merged in another run.
            for distance in [1, 1 << 15] {
                let pairs = zip(draws[0], draws[0].dropFirst(distance))
                Self.expectRate(
                    pairs.compactMap { a, b in a.flatMap { a in b.map { $0 && a } } }, density * density)
            }
        }
        #expect(try self.kept(invented, .dareLinear, ["density": density]) == kept)
        #expect(try self.kept(invented, .dareLinear, ["density": density], seed: 1) != kept)
    }

    /// The same entries, rescaled, weighed and elected.
    @Test(arguments: [MergeMethod.dareLinear, .dareTIES, .della, .dellaLinear].map(\.name))
    func whatIsDrawnIsMixed(name: String) throws {
        for count in [1, 3] { try drawsAndMixes(name, count) }
    }

    private func drawsAndMixes(_ name: String, _ count: Int) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let (elects, ranks) = (name == "dare_ties" || name == "della", name.hasPrefix("della"))
        let invented = try InventedModels(count)
        let weights = Array(Self.weights.prefix(count))
        let own = ["density": 0.4]
        let kept = try kept(invented, ranks ? .dellaLinear : .dareLinear, own, seed: 5)
        let found = try invented.merged(
            method, own: weights.map { own.merging(["weight": $0]) { $1 } }, shared: ["lambda": 1.5], seed: 5)
        try invented.expect(found, exceptions: 1, tolerance: 4e-6) { tensor, _, vectors in
            let sparse = try zip(vectors, kept).map { vector, masks in
                let mask = try #require(masks[tensor])
                return Self.rescaled(vector.indices.map { mask[$0] ? vector[$0] : 0 }, to: vector)
            }
            return Self.mixed(sparse, weights, elects: elects, normalizes: name == "della", lambda: 1.5)
        }
        // Nothing is drawn where all stays, and nothing stays where none does.
        let whole = try invented.merged(method, own: weights.map { ["weight": $0, "density": 1] })
        try invented.expect(whole, exceptions: 1) { _, _, vectors in
            Self.mixed(vectors, weights, elects: elects, normalizes: name == "della")
        }
        let none = try invented.merged(method, own: weights.map { ["weight": $0, "density": 0] })
        try invented.expect(none) { _, _, vectors in vectors[0].map { _ in 0 } }
    }

    /// Each rank has its own probability; a row of one value has the middle one.
    @Test(arguments: [(0.5, 0.4), (0.3, 0.15)]) func dellaDrawsByRanks(density: Double, epsilon: Double) throws {
        let invented = try InventedModels(2)
        let kept = try kept(invented, .dellaLinear, ["density": density, "epsilon": epsilon])
        var ofSingles: [Bool] = []
        for (tensor, shape) in InventedModels.shapes {
            let columns = try #require(shape.last)
            for (model, vector) in try invented.taskVectors(tensor).enumerated() {
                let mask = try #require(kept[model][tensor])
                guard columns > 1 else {
                    ofSingles += vector.indices.filter { vector[$0] != 0 }.map { mask[$0] }
                    continue
                }
                // Ranks in four groups.
                var groups = [[Bool]](repeating: [], count: 4)
                var expected = [Double](repeating: 0, count: 4)
                for row in 0..<vector.count / columns {
                    let places = (row * columns..<(row + 1) * columns).sorted {
                        (vector[$0].magnitude, $0) < (vector[$1].magnitude, $1)
                    }
                    for (rank, place) in places.enumerated() where vector[place] != 0 {
                        let group = 4 * rank / columns
                        groups[group].append(mask[place])
                        expected[group] += density - epsilon + 2 * epsilon * Double(rank) / Double(columns - 1)
                    }
                }
                for (group, sum) in zip(groups, expected) where !group.isEmpty {
                    Self.expectRate(group, sum / Double(group.count))
                }
            }
        }
        Self.expectRate(ofSingles, density)
    }

    @Test(arguments: [(0.9, 0.1), (0.2, 0.2), (0.5, 0.75)])
    func whatIsNoProbabilityIsRefused(density: Double, epsilon: Double) throws {
        let invented = try InventedModels(1)
        for method in [MergeMethod.della, .dellaLinear] {
            let own = ["weight": 1, "density": density, "epsilon": epsilon]
            let error = #expect(throws: MergeError.self) { try invented.merged(method, own: [own]) }
            guard case .noProbability(_, density, epsilon)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.description.contains("\n") == false)
        }
    }
}
