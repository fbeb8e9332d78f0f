import Checkpoints
import Foundations
import LinearAlgebra

/// Where a forward pass reads weights: a checkpoint, perhaps with rounding noise on some tensors, or some taken from another.
public struct Weights: Sendable {
    public let checkpoint: Checkpoint
    /// Noise of half an ulp to either side on these tensors: what rounding them once more would cost.
    var noisy: Set<String> = []
    var seed: UInt64 = 0
    /// Tensors that are read from there instead, by the names here, arranged as they are here.
    var substitute: (checkpoint: Checkpoint, tensors: [String: (name: String, arrangement: Rearrangement.Tensor)])?
    /// What is added to linear maps, by rows' choice.
    var routing: [ActivationPoint.StoredMap: RoutedMap] = [:]
    private let releases: Bool

    /// - Parameter releases: whether pages are let go of once they have been used; nil for models that are large beside the memory.
    public init(_ checkpoint: Checkpoint, releasingPages releases: Bool? = nil) {
        self.checkpoint = checkpoint
        self.releases = releases ?? (checkpoint.tensorBytes > WorkerThreads.physicalMemory / 4)
    }

    /// The same with noise of half an ulp to either side on these tensors.
    public func rerounded(_ tensors: Set<String>, seed: UInt64 = 1) -> Weights {
        var copy = self
        copy.noisy = tensors
        copy.seed = seed
        return copy
    }

    /// The same with some tensors of another checkpoint.
    ///
    /// - Parameter arrangement: how this checkpoint arranges what the other holds.
    public func replacing(
        _ tensors: Set<String>, from other: Checkpoint, arrangement: Rearrangement = .none
    ) -> Weights {
        var copy = self
        let named = tensors.map { name in
            let arranged = arrangement.tensor(name)
            return (arranged.name, (name, arranged))
        }
        copy.substitute = (other, Dictionary(named) { first, _ in first })
        return copy
    }

    /// One tensor, ready to be read.
    struct Stored: Sendable {
        let record: TensorRecord
        let checkpoint: Checkpoint
        /// Its bytes, for as long as this is held.
        let content: TensorContent
        /// The seed of its noise, nil without.
        let seed: UInt64?
        /// Where its rows and columns are to stand.
        var rows, columns: Rearrangement.Line?

        func widen<Real: ComputeScalar>(_ elements: Range<Int>, into target: UnsafeMutablePointer<Real>) {
            guard rows == nil, columns == nil else { return widenArranged(elements, into: target) }
            guard let base = content.bytes.baseAddress, !elements.isEmpty else { return }
            Real.widen(target, base + elements.lowerBound * record.type.bitWidth / 8, record.type, elements.count)
            if let seed {
                Real.jitter(target, elements.count, record.type, seed: seed &+ UInt64(elements.lowerBound))
            }
        }

        private func widenArranged<Real: ComputeScalar>(
            _ elements: Range<Int>, into target: UnsafeMutablePointer<Real>
        ) {
            let width = record.matrixShape.columns
            guard let base = content.bytes.baseAddress, width > 0 else { return }
            for (place, element) in elements.enumerated() {
                let (row, column) = (element / width, element % width)
                let source = (rows?.source[row] ?? row) * width + (columns?.source[column] ?? column)
                Real.widen(target + place, base + source * record.type.bitWidth / 8, record.type, 1)
                if rows?.isNegative[row] ?? false != columns?.isNegative[column] ?? false {
                    target[place] = -target[place]
                }
            }
        }

        /// The tensor where it lies, when it needs no conversion.
        func inPlace<Real: ComputeScalar>(_ type: Real.Type) -> UnsafePointer<Real>? {
            let matches = Real.self == Float.self ? record.type == .f32 : record.type == .f64
            guard matches, seed == nil, rows == nil, columns == nil,
                let base = content.bytes.baseAddress,
                Int(bitPattern: base) % MemoryLayout<Real>.alignment == 0
            else { return nil }
            return base.assumingMemoryBound(to: Real.self)
        }
    }

    func stored(_ name: String) throws(ForwardError) -> Stored {
        let other = substitute?.tensors[name]
        let source = other.flatMap { _ in substitute?.checkpoint } ?? checkpoint
        guard let record = source.tensors[other?.name ?? name], record.type.isComputable else {
            throw .missingTensor(path: source.path, tensor: name)
        }
        var seed: UInt64?
        if noisy.contains(name) {
            seed = name.utf8.reduce(0xcbf2_9ce4_8422_2325 &+ self.seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        }
        return Stored(
            record: record, checkpoint: source, content: source.content(of: record), seed: seed,
            rows: other?.arrangement.rows,
            columns: other?.arrangement.columns)
    }

    /// A whole tensor: gains, biases, small tables.
    func values<Real: ComputeScalar>(_ name: String, as type: Real.Type = Real.self) throws(ForwardError) -> [Real] {
        let tensor = try stored(name)
        let count = tensor.record.elementCount
        return [Real](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress { tensor.widen(0..<count, into: base) }
            filled = count
        }
    }

    func release(_ tensor: Stored) {
        if releases { tensor.checkpoint.releasePages(of: tensor.record) }
    }

    /// The same of some elements.
    func release(_ tensor: Stored, _ elements: Range<Int>) {
        guard releases else { return }
        let width = tensor.record.type.bitWidth / 8
        tensor.checkpoint.releasePages(
            of: tensor.record, bytes: elements.lowerBound * width..<elements.upperBound * width)
    }
}
