import Checkpoints
import Merging
import TestSupport
import Testing

/// A base and models with a few tensors of all ranks, one of them of several runs, and what a method makes of them.
struct InventedModels {
    enum Values: CaseIterable {
        /// Multiples of 1/64, which every type holds: many magnitudes are equal, and sums are exact.
        case steps
        case smooth
    }

    static let shapes: KeyValuePairs<String, [Int]> = [
        "matrix": [7, 11], "long": [3, 12_000], "tall": [300, 24], "vector": [129], "single": [1], "cube": [2, 5, 6],
        "column": [40, 1],
    ]

    /// Matrices of layers, and what is none.
    static let layered: KeyValuePairs<String, [Int]> = [
        "layers.0.tall": [30, 12], "layers.0.wide": [12, 40], "layers.1.square": [16, 16], "layers.1.thin": [40, 3],
        "layers.1.vector": [33], "layers.1.cube": [2, 5, 6], "layers.1.column": [9, 1], "table": [50, 4],
    ]

    let shapes: KeyValuePairs<String, [Int]>
    let base: [String: [Double]]
    let models: [[String: [Double]]]
    private let folder: TemporaryDirectory
    private let checkpoints: [String: Checkpoint]

    /// - Parameter distance: of the first model to the base; others are farther.
    init(
        _ count: Int, _ values: Values = .smooth, _ type: ElementType = .f32, distance: Double = 0.5,
        shapes: KeyValuePairs<String, [Int]> = Self.shapes
    ) throws {
        self.shapes = shapes
        let folder = try TemporaryDirectory()
        var random = SmallRandom(state: 17 + UInt64(count))
        var checkpoints: [String: Checkpoint] = [:]
        func made(_ name: String, _ value: (String, Int) -> Double) throws -> [String: [Double]] {
            var model = try EditableModel(reading: Fixtures.path("llama"))
            model.config["model_type"] = .string("invented")
            model.config["architectures"] = nil
            model.tensors = shapes.map { tensor, shape in
                let bytes = shape.reduce(type.bitWidth / 8, *)
                return .init(name: tensor, type: type, shape: shape, bytes: [UInt8](repeating: 0, count: bytes))
            }
            for (tensor, _) in shapes {
                try model.editFloats(tensor) { for i in $0.indices { $0[i] = value(tensor, i) } }
            }
            checkpoints[name] = try Checkpoint(opening: try model.write(to: folder(name)))
            return Dictionary(
                uniqueKeysWithValues: try shapes.map { tensor, _ in (tensor, try model.floats(tensor)) })
        }
        func drawn(_ width: Double) -> Double {
            let value = random.uniform(in: -width...width)
            return values == .steps ? (value * 64).rounded() / 64 : value
        }
        let base = try made("base") { _, _ in drawn(1) }
        models = try (0..<count).map { number in
            // Some entries stay as they are in the base.
            try made("\(number)") { tensor, i in
                let shift = drawn(distance * (1 + Double(number) / 2))
                return (base[tensor]?[i] ?? 0) + (random.uniform(in: 0...1) < 0.125 ? 0 : shift)
            }
        }
        (self.base, self.folder, self.checkpoints) = (base, folder, checkpoints)
    }

    private init(_ other: InventedModels, _ models: [[String: [Double]]], _ checkpoints: [String: Checkpoint]) {
        (shapes, base, folder) = (other.shapes, other.base, other.folder)
        (self.models, self.checkpoints) = (models, checkpoints)
    }

    /// Every model twice, under two names.
    func doubled() -> InventedModels {
        var all = checkpoints
        for number in models.indices { all["\(models.count + number)"] = all["\(number)"] }
        return InventedModels(self, models + models, all)
    }

    /// Tensors that a method makes, in f32, the same by one thread and by three.
    ///
    /// - Parameter own: what is said of each model.
    func merged(
        _ method: MergeMethod, own: [[String: Double]] = [], shared: [String: Double] = [:], hasBase: Bool = true,
        seed: UInt64 = 0, without: String? = nil
    ) throws -> [String: [Double]] {
        let sources = models.indices.map { number in
            MergeConfiguration.Source(
                "\(number)", settings: number < own.count ? own[number].mapValues { .value($0) } : [:])
        }
        let all = MergeConfiguration(
            method, sources, base: hasBase ? "base" : nil, settings: shared.mapValues { .value($0) }, outputType: .f32)
        let configuration = try without.map(all.without) ?? all
        for threads in [1, 3] {
            try Merger(configuration, seed: seed, byName: true, threads: threads).merge(to: folder("merged-\(threads)"))
            {
                try #require(checkpoints[$0])
            }
        }
        defer { for threads in [1, 3] { Files.remove(folder("merged-\(threads)")) } }
        #expect(try Files.tree(folder("merged-1")) == Files.tree(folder("merged-3")))
        let model = try EditableModel(readingTensors: folder("merged-1"))
        return Dictionary(uniqueKeysWithValues: try shapes.map { tensor, _ in (tensor, try model.floats(tensor)) })
    }

    /// θ_i - θ₀.
    func taskVectors(_ tensor: String) throws -> [[Double]] {
        let base = try #require(self.base[tensor])
        return try models.map { model in
            // The difference in f32 is what methods see.
            zip(try #require(model[tensor]), base).map { Double(Float($0) - Float($1)) }
        }
    }

    /// Compares a merge with its definition, entry by entry.
    ///
    /// - Parameters:
    ///   - exceptions: how many entries of all may lie elsewhere, as those may where a choice hangs on the last bit.
    ///   - expected: what is added to the base.
    func expect(
        _ found: [String: [Double]], exceptions: Int = 0, tolerance: Double = 2e-6,
        _ expected: (_ tensor: String, _ shape: [Int], _ taskVectors: [[Double]]) throws -> [Double]
    ) throws {
        var elsewhere = 0
        for (tensor, shape) in shapes {
            let (values, base) = (try #require(found[tensor]), try #require(self.base[tensor]))
            let added = try expected(tensor, shape, try taskVectors(tensor))
            #expect(values.count == added.count)
            for i in values.indices {
                let sum = base[i] + added[i]
                if !((values[i] - sum).magnitude <= tolerance * max(1, sum.magnitude)) { elsewhere += 1 }
            }
        }
        #expect(elsewhere <= exceptions)
    }
}

/// SplitMix64.
struct SmallRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func uniform(in range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &self) }
}

extension MergeMethod {
    /// Names of those that look at nothing beside weights.
    static let ofWeightsAlone = builtIn.filter { $0.evidence == .none }.map(\.name)
}
