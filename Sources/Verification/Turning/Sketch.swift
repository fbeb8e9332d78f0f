import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Two models whose residual streams differ by a rotation R, seen so that they do not: every tensor that meets such a stream is
/// multiplied by k random vectors g of it, in the protected model by R·g.
///
/// What reads the stream becomes `W·diag(g)·G` and `W'·R·G`, what writes it `Gᵀ·W` and `(R·G)ᵀ·W'`, with the gains g of the norms
/// between: equal where the function is, and what the sites of the other axes have made of it where they have acted. A tensor that is
/// not what it should be is equal with probability zero. All other tensors are as they are.
struct Sketch: Sendable {
    static let vectors = 32

    /// How a sketched tensor is made.
    private struct Part: Sendable {
        let stream: Int
        let axis: Int
        /// The original's tensor, which has another name where a table became a head of its own.
        let source: String
        /// Rows of the stored matrix that make one channel, where those of one lie side by side.
        let width: Int
        let factors: [[Double]]

        /// As what matrix a tensor is read: one with a channel in each row, where it has any there.
        func shape(_ tensor: TensorRecord) -> (rows: Int, columns: Int) {
            let (rows, columns) = tensor.matrixShape
            return (rows / width, columns * width)
        }
    }

    let streams: [TurnedStream]
    let original, protected: Checkpoint
    private let parts: [String: Part]
    /// By stream: d and k.
    private let widths: [(channels: Int, vectors: Int)]
    /// Gains that have gone into other tensors, by their own.
    let folded: [String: Site.Gain]
    /// One sentence each.
    let problems: [String]

    init(
        _ streams: [TurnedStream], _ original: Checkpoint, _ protected: Checkpoint, seed: String, threads: Int
    ) throws {
        var (parts, problems) = ([String: Part](), [String]())
        var widths: [(channels: Int, vectors: Int)] = []
        var before: [Matrix<Double>] = []
        var after: [Matrix<Double>] = []
        for (number, stream) in streams.enumerated() {
            let d = stream.site.group.dimension
            let k = min(Self.vectors, d)
            var random = KeyedRandomStream(secret: [], info: "mergeproof/sketch/\(stream.site.path)/\(seed)")
            var vectors = random.gaussianMatrix(rows: d, columns: k)
            // What a norm's mean reads.
            if case .orthogonal(_, _, fixesOnes: true) = stream.site.group { for i in 0..<d { vectors[i, 0] = 1 } }
            widths.append((d, k))
            before.append(vectors)
            if let problem = stream.problem { problems.append(problem) }
            after.append(stream.matrix.map { $0 * vectors } ?? vectors)
            problems += Self.collect(stream, number, original, into: &parts)
        }
        self.streams = streams
        self.parts = parts
        self.widths = widths
        folded = Dictionary(streams.flatMap(\.site.folded).map { ($0.tensor, $0) }) { first, _ in first }
        self.problems = problems
        (self.original, self.protected) = try Self.multiplied(
            parts, widths, before, after, original, protected, threads)
    }

    private static func collect(
        _ stream: TurnedStream, _ number: Int, _ original: Checkpoint, into parts: inout [String: Part]
    ) -> [String] {
        let d = stream.site.group.dimension
        var slices: [String: [Site.Slice]] = [:]
        for slice in stream.site.slices { slices[slice.tensor, default: []].append(slice) }
        var problems: [String] = []
        for (name, slices) in slices.sorted(by: { $0.key < $1.key }) {
            let source = stream.site.untied.flatMap { $0.head == name ? $0.table : nil } ?? name
            guard let tensor = original.tensors[source] else { continue }
            let (axis, width) = (slices[0].axis, slices[0].width)
            let extent = axis == 0 ? tensor.matrixShape.rows : tensor.matrixShape.columns
            let starts = slices.map(\.start).sorted()
            guard slices.allSatisfy({ $0.axis == axis && $0.width == width }), width == 1 || axis == 0,
                parts[name] == nil, starts == Array(stride(from: 0, to: extent, by: max(d * width, 1))),
                extent % max(d * width, 1) == 0
            else {
                problems.append("tensor \(name) does not fit the residual stream")
                continue
            }
            parts[name] = Part(
                stream: number, axis: axis, source: source, width: width,
                factors: slices.sorted { $0.start < $1.start }.map { StreamReader.factors(of: $0, in: original) })
        }
        return problems
    }

    private static func multiplied(
        _ parts: [String: Part], _ widths: [(channels: Int, vectors: Int)], _ before: [Matrix<Double>],
        _ after: [Matrix<Double>], _ original: Checkpoint, _ protected: Checkpoint, _ threads: Int
    ) throws -> (Checkpoint, Checkpoint) {
        guard !parts.isEmpty else { return (original, protected) }
        let names = parts.keys.sorted()
        func memory(_ checkpoint: Checkpoint) -> TensorMemory {
            TensorMemory(
                names.compactMap { name in
                    guard let part = parts[name],
                        let tensor = checkpoint.tensors[checkpoint === original ? part.source : name],
                        tensor.shape == original.tensors[part.source]?.shape, tensor.type.isComputable
                    else { return nil }
                    let (rows, columns) = part.shape(tensor)
                    let (d, k) = widths[part.stream]
                    let type: ElementType = tensor.type.bitWidth == 16 ? .f32 : .f64
                    return (name, type, part.axis == 1 ? [rows, columns / d * k] : [rows / d * k, columns])
                })
        }
        let (here, there) = (memory(original), memory(protected))
        try WorkerThreads.forEach(2 * names.count, threads: threads) { number, scratch in
            let name = names[number / 2]
            let isOriginal = number % 2 == 0
            let checkpoint = isOriginal ? original : protected
            guard let part = parts[name], let tensor = checkpoint.tensors[isOriginal ? part.source : name],
                let target = (isOriginal ? here : there).bytes(ofTensor: name)?.baseAddress
            else { return }
            let reader = StreamReader(
                checkpoint: checkpoint, tensor: tensor, shape: part.shape(tensor), axis: part.axis,
                factors: isOriginal ? part.factors : [])
            let vectors = (isOriginal ? before : after)[part.stream]
            if tensor.type.bitWidth == 16 {
                try reader.products(
                    with: Matrix<Float>(rounding: vectors), into: target.assumingMemoryBound(to: Float.self), scratch)
            } else {
                try reader.products(with: vectors, into: target.assumingMemoryBound(to: Double.self), scratch)
            }
            checkpoint.releasePages(of: tensor)
        }
        return (Checkpoint(original, replacing: here), Checkpoint(protected, replacing: there))
    }

    // MARK: Reading

    /// Whether a tensor is seen through random vectors.
    func isSketched(_ tensor: String) -> Bool { parts[tensor] != nil }

    /// The axis of a sketched tensor on which the vectors lie, and how many there are in a block.
    func axis(of tensor: String) -> (axis: Int, vectors: Int)? {
        parts[tensor].map { ($0.axis, widths[$0.stream].vectors) }
    }

    /// What rounding explains of some tensors: what reads or writes a turned stream is known no better than R.
    func tolerance(_ tensors: some Sequence<String>, types: some Sequence<ElementType>) -> Tolerance {
        let blur = tensors.compactMap { parts[$0].map { streams[$0.stream].blur } }.max() ?? 0
        return Tolerance(types: types, blur: blur)
    }

    /// Heads that were stored apart from their tables, by the names of both.
    var untied: [Site.Untied] { streams.compactMap(\.site.untied) }

    /// Whether every number of a gain's tensor in the protected model leaves the factor 1.
    func isFolded(_ gain: Site.Gain) -> Bool {
        StreamReader.gain(gain, in: protected).allSatisfy { $0 == 1 }
    }

    /// A site as it lies in the sketched tensors.
    func site(_ site: Site) -> Site {
        guard site.slices.contains(where: { isSketched($0.tensor) }), !site.group.isRotation else { return site }
        return Site(
            path: site.path, kind: site.kind, layer: site.layer, group: site.group, slices: site.slices.map(slice),
            exchanges: site.exchanges)
    }

    private func slice(_ slice: Site.Slice) -> Site.Slice {
        guard let part = parts[slice.tensor], part.axis == 0 else { return slice }
        let (d, k) = widths[part.stream]
        func scaled(_ row: Int) -> Int { row / d * k }
        guard slice.axis == 0 else {
            return Site.Slice(
                tensor: slice.tensor, axis: slice.axis, start: slice.start, representation: slice.representation,
                part: slice.part, across: slice.across.map { scaled($0.lowerBound)..<scaled($0.upperBound) },
                width: slice.width, stride: slice.stride)
        }
        return Site.Slice(
            tensor: slice.tensor, axis: 0, start: scaled(slice.start), representation: slice.representation,
            part: slice.part, width: scaled(slice.width), stride: scaled(slice.stride))
    }
}
