import Checkpoints
import Foundations
import Synchronization

/// One tensor in all models that are merged, with what was said of it.
public struct MergeTensor: Sendable {
    /// Values that are looked at together: those of a handful of models stay in the second-level cache.
    static let run = 1 << 15

    /// Of the output.
    public let name: String
    public let shape: [Int]
    /// Sorted by model.
    private let settings: [MergeSettings]
    private let shared: MergeSettings
    /// Models and then the base, if it is apart.
    let inputs: [MergeInput]
    /// What models come with beside their weights, one for each or none.
    let importance: [MergeInput]
    let grams: [InputGram?]
    public let modelCount: Int
    let seed: UInt64
    let threads: Int

    init(
        _ spec: TensorSpec, models: [(input: MergeInput, settings: MergeSettings)], base: MergeInput?,
        shared: MergeSettings, importance: [MergeInput] = [], grams: [InputGram?] = [], seed: UInt64, threads: Int
    ) {
        (name, shape) = (spec.name, spec.shape)
        (settings, self.shared) = (models.map(\.settings), shared)
        inputs = models.map(\.input) + [base].compactMap(\.self)
        modelCount = models.count
        (self.importance, self.grams) = (importance, grams)
        (self.seed, self.threads) = (seed, threads)
    }

    public var count: Int { shape.reduce(1, *) }
    /// The last axis; 1 for a single value.
    public var columns: Int { shape.last ?? 1 }
    public var hasBase: Bool { inputs.count > modelCount }

    /// What was said of the tensor, or the default; 0 where there is none.
    public subscript(parameter: String) -> Double { shared[parameter] ?? 0 }
    public subscript(isSet flag: String) -> Bool { shared[flag] == 1 }

    /// What was said of each model, or the default.
    public func values(_ parameter: String) -> [Double] { settings.map { $0[parameter] ?? 0 } }
    public func value(_ parameter: String, of model: Int) -> Double? { settings[model][parameter] }

    /// The weights, divided by their sum where `normalize` is set; weights that cancel are left as they are.
    var weights: [Double] {
        let weights = values("weight")
        let sum = weights.reduce(0, +)
        return self[isSet: "normalize"] && sum.magnitude >= 1e-8 ? weights.map { $0 / sum } : weights
    }

    /// Numbers that depend on seed, tensor, model and place alone.
    func random(model: Int) -> CounterRandom { CounterRandom(seed: seed, name: name, stream: model) }

    /// Reads the whole tensor, whole rows at once where it is asked for, on several threads.
    /// - Returns: what `body` gives, in the order of the values.
    func scan<Part: Sendable>(
        _ unit: MergeMethod.Unit = .values, _ body: @escaping @Sendable (MergeTile) throws -> Part
    ) throws -> [Part] {
        let runs = Self.runs(of: count, columns: columns, unit)
        let found = Mutex([Part?](repeating: nil, count: runs.count))
        try WorkerThreads.forEach(runs.count, threads: threads) { number, scratch in
            let part = try read(runs[number], scratch, body)
            found.withLock { $0[number] = part }
        }
        return found.withLock { $0.compactMap(\.self) }
    }

    /// Runs of values, in whole rows where that is asked for.
    static func runs(of count: Int, columns: Int, _ unit: MergeMethod.Unit) -> [Range<Int>] {
        let columns = max(columns, 1)
        let length = unit == .rows ? max(run / columns, 1) * columns : run
        return stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }
    }

    /// One run of values in f32.
    func read<Result>(
        _ places: Range<Int>, _ scratch: WorkerScratch, _ body: (MergeTile) throws -> Result
    ) rethrows -> Result {
        let count = places.count
        let all = inputs + importance
        let values = all.enumerated().map { number, input in
            let buffer = scratch.buffer(number, of: Float.self, count: count)
            input.widen(places, into: buffer)
            return UnsafePointer(buffer)
        }
        let output = scratch.buffer(all.count, of: Float.self, count: count)
        return try body(
            MergeTile(
                places: places, models: Array(values.prefix(modelCount)), base: hasBase ? values[modelCount] : nil,
                importance: Array(values.dropFirst(inputs.count)), output: output,
                scratch: { scratch.buffer(all.count + 1 + $0, of: Float.self, count: count) }))
    }
}

/// What was said of a tensor, or of it in one model: values by the parameters' names, defaults among them.
struct MergeSettings: Sendable {
    private let values: [String: Double]

    init(_ values: [String: Double]) { self.values = values }

    subscript(name: String) -> Double? { values[name] }
}

/// A tensor of one model.
struct MergeInput: Sendable {
    let checkpoint: Checkpoint
    let tensor: TensorRecord
    /// Where its values come from if they take another order; nil where they lie as they are merged.
    var rows: TableRows?

    init(checkpoint: Checkpoint, tensor: TensorRecord, rows: TableRows? = nil) {
        (self.checkpoint, self.tensor, self.rows) = (checkpoint, tensor, rows)
    }

    /// Exact for every type but f64, which is rounded once, and means of rows.
    func widen(_ places: Range<Int>, into buffer: UnsafeMutablePointer<Float>) {
        if let rows { return rows.widen(places, into: buffer) }
        guard let bytes = checkpoint.bytes(of: tensor).baseAddress else { return }
        tensor.type.widen(bytes + places.lowerBound * tensor.type.bitWidth / 8, into: buffer, places.count)
    }

    /// - Throws: `MergeError` where a value of these places is none.
    func checkFinite(_ places: Range<Int>) throws {
        if let rows { return try rows.checkFinite(places) }
        let width = tensor.type.bitWidth / 8
        let bytes = checkpoint.bytes(of: tensor)[places.lowerBound * width..<places.upperBound * width]
        if NonFinite.count(in: UnsafeRawBufferPointer(rebasing: bytes), of: tensor.type) > 0 {
            throw MergeError.nonFinite(path: checkpoint.path, tensor: tensor.name)
        }
    }
}
