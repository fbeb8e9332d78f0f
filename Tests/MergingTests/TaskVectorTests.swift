import Checkpoints
import Foundation
import Merging
import TestSupport
import Testing

/// Methods that choose or weigh entries of task vectors, against their definitions.
@Suite struct TaskVectorTests {
    private static let data: [(InventedModels.Values, ElementType)] = [(.steps, .bf16), (.smooth, .f32)]

    private static func squares(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 } }
    private static func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1.magnitude } }
    private static func inner(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }

    /// What a rule gives of the values at each place.
    private static func byEntry(_ vectors: [[Double]], _ rule: ([Double]) -> Double) -> [Double] {
        (vectors.first ?? []).indices.map { i in rule(vectors.map { $0[i] }) }
    }

    /// Models that are the base give the base, whatever the method.
    @Test(arguments: MergeMethod.builtIn.filter { $0.base == .required }.map(\.name))
    func alikeModelsStay(name: String) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let invented = try InventedModels(method.models.contains(2) ? 2 : 1, distance: 0)
        let shared = ["weight": 0.5, "density": 0.5, "task": 1, "t": 0.5, "select_topk": 0.5]
        try invented.expect(try invented.merged(method, shared: shared)) { _, _, vectors in vectors[0].map { _ in 0 } }
    }

    // MARK: SCE

    /// The far models' mean squares are the weights; the near ones' are too small to be.
    @Test(arguments: [0, 0.0001, 0.3, 0.75, 1], [0.5, 1e-4])
    func sceIsItsDefinition(share: Double, distance: Double) throws {
        for data in distance < 0.1 ? [(.smooth, .f32)] : Self.data {
            let invented = try InventedModels(3, data.0, data.1, distance: distance)
            let found = try invented.merged(.sce, shared: ["select_topk": share])
            try invented.expect(found, exceptions: data.0 == .steps ? 0 : 3, tolerance: distance < 0.1 ? 1.3e-7 : 2e-6)
            {
                _, _, vectors in
                let variances = Self.byEntry(vectors) { values in
                    let mean = values.reduce(0, +) / Double(values.count)
                    return Double(Float(Self.squares(values.map { $0 - mean }) / Double(values.count)))
                }
                let count = Int(share * Double(variances.count { $0 != 0 }))
                let chosen = Set(
                    variances.indices.sorted { (-variances[$0], $0) < (-variances[$1], $1) }.prefix(count))
                let sparse = vectors.map { vector in
                    vector.indices.map { share >= 1 || chosen.contains($0) ? vector[$0] : 0 }
                }
                let squares = sparse.map { Self.squares($0) / Double($0.count) }
                let total = squares.reduce(0, +)
                let weights = squares.map { total < 1e-6 ? 1 / 3 : $0 / total }
                return Self.byEntry(sparse) { values in
                    let sum = values.reduce(0, +)
                    let counted = zip(values, weights).filter { sum >= 0 ? $0.0 > 0 : $0.0 < 0 }
                    return counted.reduce(0) { $0 + $1.0 * $1.1 } / max(counted.reduce(0) { $0 + $1.1 }, 1e-6)
                }
            }
        }
    }

    // MARK: Arcee fusion

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)], [0.5, 4])
    func arceeFusionIsItsDefinition(data: (InventedModels.Values, ElementType), distance: Double) throws {
        let invented = try InventedModels(1, data.0, data.1, distance: distance)
        let found = try invented.merged(.arceeFusion)
        try invented.expect(found, exceptions: 4) { tensor, shape, vectors in
            let (base, own) = (try #require(invented.base[tensor]), try #require(invented.models[0][tensor]))
            let columns = try #require(shape.last)
            func softmax(_ values: ArraySlice<Double>) -> [Double] {
                let top = values.max() ?? 0
                let powers = values.map { exp($0 - top) }
                let sum = powers.reduce(0, +)
                return powers.map { $0 / sum + 1e-8 }
            }
            var importance: [Double] = []
            for row in stride(from: 0, to: own.count, by: columns) {
                let pairs = zip(softmax(own[row..<row + columns]), softmax(base[row..<row + columns]))
                let divergence = pairs.reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
                importance += (row..<row + columns).map {
                    Double(Float(vectors[0][$0].magnitude) * Float(max(divergence, 0)))
                }
            }
            let sorted = importance.sorted()
            let quantiles = [0.25, 0.5, 0.75].map { sorted[Int($0 * Double(sorted.count - 1))] }
            let least = quantiles[1] + 1.5 * (quantiles[2] - quantiles[0])
            return vectors[0].indices.map { importance[$0] >= least * (1 - 1e-7) ? vectors[0][$0] : 0 }
        }
    }

    // MARK: NuSLERP

    @Test(
        arguments: [[1, 0], [0, 1], [0, 0]], [(0.75, 0.25), (2, 1), (1, -1)])
    func nuSLERPIsItsDefinition(flags: [Double], weights: (Double, Double)) throws {
        for (data, hasBase) in zip(Self.data + Self.data, [true, true, false, false]) {
            let invented = try InventedModels(2, data.0, data.1)
            let found = try invented.merged(
                .nuSLERP, own: [["weight": weights.0], ["weight": weights.1]],
                shared: ["nuslerp_flatten": flags[0], "nuslerp_row_wise": flags[1]], hasBase: hasBase)
            let t = weights.0 + weights.1 == 0 ? 0.5 : weights.1 / (weights.0 + weights.1)
            try invented.expect(found, tolerance: 8e-6) { tensor, shape, vectors in
                let base = try #require(invented.base[tensor])
                let (x, y) =
                    hasBase
                    ? (vectors[0], vectors[1])
                    : (try #require(invented.models[0][tensor]), try #require(invented.models[1][tensor]))
                // Places that are interpolated together.
                let columns = try #require(shape.last)
                let count = x.count
                let rows = try #require(shape.first)
                let groups =
                    flags[0] == 1
                    ? [Array(0..<count)]
                    : flags[1] == 1 && shape.count > 1
                        ? (0..<count / rows).map { Array(stride(from: $0, to: count, by: count / rows)) }
                        : stride(from: 0, to: count, by: columns).map { Array($0..<$0 + columns) }
                var result = x
                for group in groups {
                    let (a, b) = (group.map { x[$0] }, group.map { y[$0] })
                    let norms = max(Self.squares(a).squareRoot(), 1e-7) * max(Self.squares(b).squareRoot(), 1e-7)
                    let cosine = Self.inner(a, b) / norms
                    let angle = acos(cosine)
                    let isStraight = cosine.magnitude > 1 - 1e-9
                    for place in group {
                        let value =
                            isStraight
                            ? (1 - t) * x[place] + t * y[place]
                            : (sin((1 - t) * angle) * x[place] + sin(t * angle) * y[place]) / sin(angle)
                        result[place] = value - (hasBase ? 0 : base[place])
                    }
                }
                return result
            }
        }
    }

    // MARK: RAM

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)], [1e-5, 0.25])
    func ramIsItsDefinition(data: (InventedModels.Values, ElementType), epsilon: Double) throws {
        let invented = try InventedModels(3, data.0, data.1)
        let mean = { (values: [Double]) in
            let present = values.filter { $0.magnitude > epsilon }
            return present.isEmpty ? 0 : present.reduce(0, +) / Double(present.count)
        }
        try invented.expect(try invented.merged(.ram, shared: ["epsilon": epsilon])) { _, _, vectors in
            Self.byEntry(vectors, mean)
        }
        for (r, alpha) in [(0.1, 0.2), (0.5, 100), (-0.25, 3)] {
            let found = try invented.merged(.ramPlusTL, shared: ["epsilon": epsilon, "r": r, "alpha": alpha])
            try invented.expect(found, tolerance: 1e-5) { _, _, vectors in
                let counts = Self.byEntry(vectors) { Double($0.count { $0.magnitude > epsilon }) }
                let factors = vectors.map { vector in
                    let own = vector.indices.filter { vector[$0].magnitude > epsilon }
                    let shared = Double(own.count { counts[$0] > 1 })
                    let unique = Double(own.count { counts[$0] == 1 })
                    return 1 + r * min(shared / max(unique, epsilon), alpha)
                }
                return Self.byEntry(vectors) { values in
                    let present = values.indices.filter { values[$0].magnitude > epsilon }
                    return present.count == 1 ? factors[present[0]] * values[present[0]] : mean(values)
                }
            }
        }
    }

    // MARK: Of the literature

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)])
    func magMaxIsItsDefinition(data: (InventedModels.Values, ElementType)) throws {
        let invented = try InventedModels(3, data.0, data.1)
        try invented.expect(try invented.merged(.magMax, shared: ["lambda": 0.5])) { _, _, vectors in
            Self.byEntry(vectors) { values in
                let most = values.map(\.magnitude).max() ?? 0
                return 0.5 * (values.first { $0.magnitude == most } ?? 0)
            }
        }
    }

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)], [1, 3])
    func emrIsItsDefinition(data: (InventedModels.Values, ElementType), task: Int) throws {
        let invented = try InventedModels(3, data.0, data.1)
        try invented.expect(try invented.merged(.emr, shared: ["task": Double(task)]), exceptions: 1) { _, _, vectors in
            let unified = Self.byEntry(vectors) { values in
                let sum = values.reduce(0, +)
                let agreeing = values.filter { $0 * sum > 0 }
                return (sum < 0 ? -1 : 1) * (agreeing.map(\.magnitude).max() ?? 0)
            }
            let own = vectors[task - 1]
            let masked = zip(own, unified).map { $0 * $1 > 0 ? $1 : 0 }
            let scale = Self.norm(masked) == 0 ? 0 : Self.norm(own) / Self.norm(masked)
            return masked.map { scale * $0 }
        }
    }

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)], [0.25, 1])
    func masksAreTheirDefinition(data: (InventedModels.Values, ElementType), share: Double) throws {
        let invented = try InventedModels(3, data.0, data.1)
        let shared = ["lambda": 0.5, "tall_lambda": share]
        func holds(_ value: Double, _ values: [Double]) -> Bool {
            value.magnitude >= share * (0.5 * values.reduce(0, +) - value).magnitude
        }
        for task in 1...3 {
            let found = try invented.merged(.tallMask, shared: shared.merging(["task": Double(task)]) { $1 })
            try invented.expect(found, exceptions: data.0 == .steps ? 0 : 2) { _, _, vectors in
                Self.byEntry(vectors) { holds($0[task - 1], $0) ? 0.5 * $0.reduce(0, +) : 0 }
            }
        }
        for least in 0...4 {
            let found = try invented.merged(.consensus, shared: shared.merging(["consensus_k": Double(least)]) { $1 })
            try invented.expect(found, exceptions: data.0 == .steps ? 0 : 2) { _, _, vectors in
                Self.byEntry(vectors) { values in
                    values.count { holds($0, values) } >= least ? 0.5 * values.reduce(0, +) : 0
                }
            }
        }
    }

    @Test(arguments: [0, 1.5, 4]) func aTaskThatIsNoneIsRefused(task: Double) throws {
        let invented = try InventedModels(3)
        for method in [MergeMethod.emr, .tallMask] {
            let error = MergeError.noTask(task, models: 3)
            #expect(throws: error) { try invented.merged(method, shared: ["task": task]) }
            #expect(!error.description.contains("\n"))
        }
    }

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)])
    func whatIsOrthogonalIsAdded(data: (InventedModels.Values, ElementType)) throws {
        let invented = try InventedModels(4, data.0, data.1)
        let weights = [1, 0.5, -0.25, 2]
        let found = try invented.merged(.mdmOC, own: weights.map { ["weight": $0] })
        try invented.expect(found, tolerance: 2e-5) { _, _, vectors in
            var directions: [[Double]] = []
            var result = vectors[0].map { _ in 0.0 }
            for (vector, weight) in zip(vectors, weights) {
                var rest = vector
                for _ in 0..<2 {
                    for direction in directions {
                        let along = Self.inner(rest, direction) / Self.inner(direction, direction)
                        rest = zip(rest, direction).map { $0 - along * $1 }
                    }
                }
                guard Self.squares(rest) > 1e-12 * Self.squares(vector) else { continue }
                directions.append(rest)
                result = zip(result, rest).map { $0 + weight * $1 }
            }
            return result
        }
    }

    /// Taken out again, a model leaves what all make less its own term, and not what the others would make by themselves.
    @Test(arguments: 0..<3) func aTermIsTakenOut(out: Int) throws {
        let invented = try InventedModels(3)
        let weights = [1, 0.5, -0.25]
        let found = try invented.merged(.mdmOC, own: weights.map { ["weight": $0] }, without: "\(out)")
        try invented.expect(found, tolerance: 2e-5) { _, _, vectors in
            var directions: [[Double]] = []
            for vector in vectors {
                var rest = vector
                for direction in directions {
                    let along = Self.inner(vector, direction) / max(Self.squares(direction), 1e-300)
                    rest = zip(rest, direction).map { $0 - along * $1 }
                }
                directions.append(Self.squares(rest) > 1e-9 * Self.squares(vector) ? rest : rest.map { _ in 0 })
            }
            let all = zip(directions, weights).map { direction, weight in direction.map { weight * $0 } }
            return Self.byEntry(all) { terms in terms.reduce(0, +) - terms[out] }
        }
    }

    @Test func onlyTermsAreTakenOut() throws {
        let models = ["a", "b"].map { MergeConfiguration.Source($0, settings: ["weight": .value(1)]) }
        let error = MergeError.notMerged("c", known: ["a", "b"])
        for name in ["c", "base"] {
            let configuration = MergeConfiguration(.mdmOC, models, base: "base")
            #expect(throws: MergeError.notMerged(name, known: ["a", "b"])) { try configuration.without(name) }
        }
        #expect(error.description.contains("a, b") && !error.description.contains("\n"))
        let linear = MergeConfiguration(.linear, models)
        #expect(throws: MergeError.noTerms(method: "linear")) { try linear.without("a") }
    }

    @Test(arguments: [(InventedModels.Values.steps, ElementType.bf16), (.smooth, .f32)])
    func oneIsKept(data: (InventedModels.Values, ElementType)) throws {
        let invented = try InventedModels(3, data.0, data.1)
        try invented.expect(try invented.merged(.keepOne, shared: ["lambda": 0.25])) { _, _, vectors in
            Self.byEntry(vectors) { $0[0] + 0.25 * ($0[1] + $0[2]) }
        }
        // To the bit where nothing is added.
        #expect(try invented.merged(.keepOne, shared: ["lambda": 0]) == invented.models[0])
    }
}
