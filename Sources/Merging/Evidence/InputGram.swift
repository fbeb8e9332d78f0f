import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra

/// The Gram matrix Σ xᵀ·x of what linear maps read, in f32 in a file without a name: the system may write it out where memory is short.
struct InputGram: Sendable {
    private let spill: SpillFile
    let dimension: Int
    /// Rows that were read.
    private(set) var count = 0
    /// Whether outputs are the tensor's second axis.
    private(set) var isTransposed = false

    private init(dimension: Int, folder: String) throws(CheckpointError) {
        self.dimension = dimension
        spill = try SpillFile(byteCount: dimension * dimension * MemoryLayout<Float>.stride, in: folder)
    }

    private mutating func add(_ gram: Matrix<Double>, _ count: Int) {
        let values = spill.bytes.assumingMemoryBound(to: Float.self)
        for (place, value) in zip(values.indices, gram.elements) { values[place] += Float(value) }
        self.count += count
    }

    /// The mean over all rows times a weight, entries off the diagonal times a factor.
    func mean(weight: Double, offDiagonal: Double) -> Matrix<Double> {
        let (n, scale) = (dimension, count > 0 ? weight / Double(count) : 0)
        let values = spill.bytes.assumingMemoryBound(to: Float.self)
        let elements = values.enumerated().map { place, value in
            scale * (place % (n + 1) == 0 ? 1 : offDiagonal) * Double(value)
        }
        return Matrix(rows: n, columns: n, elements: elements)
    }

    /// Runs a model on the examples of a file, some at a time.
    ///
    /// - Returns: one for each tensor of a layer's map, which maps with one input share; routed experts have none.
    static func collect(
        _ checkpoint: Checkpoint, on path: String, folder: String, threads: Int
    ) throws -> [String: InputGram] {
        let model = try Model(checkpoint, threads: threads)
        let examples = try ModelInputs(readingExamples: path).examples
        guard !examples.isEmpty else { throw MergeError.noCalibration(path: path) }
        let maps = Set(checkpoint.tensors.values.filter { $0.shape.count == 2 && $0.type.isComputable }.map(\.name))
        var transposed: Set<String> = []
        for projection in model.architecture.projections where projection.outputAxis == 1 {
            transposed.insert(projection.weight)
        }
        // By the first of the tensors that share it.
        var found: [String: InputGram] = [:]
        var sharers: [String: String] = [:]
        for batch in model.architecture.batches(examples) {
            try model.grams(of: maps, on: ModelInputs(joining: Array(examples[batch]))) { readers in
                guard let first = readers.tensors.first else { return }
                guard readers.gram.elements.allSatisfy(\.isFinite) else {
                    throw MergeError.inputsNotFinite(model: checkpoint.path, tensor: first)
                }
                var gram = try found[first] ?? InputGram(dimension: readers.gram.rows, folder: folder)
                gram.add(readers.gram, readers.count)
                found[first] = gram
                for name in readers.tensors { sharers[name] = first }
            }
        }
        var grams: [String: InputGram] = [:]
        for (name, first) in sharers {
            grams[name] = found[first]
            grams[name]?.isTransposed = transposed.contains(name)
        }
        return grams
    }
}
