import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// The change of least damage that leaves the share 1 - s of a model's correlation with its base. For the rows W of one head, the base's rows W₀ and the
/// covariance C of what they read
///
///     ΔW = -s·(W·W₀ᵀ)(W₀·C⁻¹·W₀ᵀ)⁻¹·W₀·C⁻¹,
///
/// of all ΔW with (W + ΔW)·W₀ᵀ = (1 - s)·W·W₀ᵀ the one with the least tr(ΔW·C·ΔWᵀ). Where the site's group acts on rotary pairs, the pair is one
/// complex row; where it permutes channels, each channel is taken by itself.
struct Decorrelation: WeightChange {
    let needsBase = true
    let needsInputs = true
    /// The covariance's mean on the diagonal times this is added to it.
    static let ridge = 1e-3
    /// Channels for each of which one position is needed at least.
    private static let channelsPerPosition = 4

    func tensors(_ context: ChangeContext) -> [TensorRecord] {
        let changed = Set(blocks(context).keys)
        return context.matrices(at: [.queryKey, .valueOutput, .mlp]).filter { changed.contains($0.name) }
    }

    func plan(_ context: ChangeContext) throws -> [String: any TensorChange] {
        guard let base = context.base, let inputs = context.inputs else { return [:] }
        let records = tensors(context)
        let (blocks, strength) = (blocks(context), context.parameter(.strength))
        var offsets: [String: Int] = [:]
        var end = 0
        for record in records {
            offsets[record.name] = end
            end += (record.byteCount + 63) / 64 * 64
        }
        let spill = try SpillFile(byteCount: end, in: context.scratch)
        var changes: [String: any TensorChange] = [:]
        let model = Model(
            architecture: context.architecture, weights: Weights(context.model), threads: context.threads)
        try model.grams(of: Set(records.map(\.name)), on: inputs) { readers in
            let inverse = try Self.inverse(readers)
            for name in readers.tensors {
                guard let record = context.model.tensors[name], let other = base.tensors[name],
                    let offset = offsets[name]
                else { continue }
                var rows = ChannelRows(record, in: context.model, axis: blocks[name]?.axis ?? 0)
                let before = ChannelRows(other, in: base, axis: blocks[name]?.axis ?? 0)
                try rows.decorrelate(
                    from: before, inverse: inverse, blocks: blocks[name]?.blocks ?? [], strength: strength,
                    threads: context.threads)
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: spill.bytes[offset..<offset + record.byteCount])
                rows.store(record, into: target)
                changes[name] = Replacement(spill: spill, bytes: UnsafeRawBufferPointer(target), type: record.type)
            }
        }
        return changes
    }

    /// Of (gram/n + ridge).
    private static func inverse(_ readers: Model.Readers) throws -> Matrix<Double> {
        let (d, tensor) = (readers.gram.rows, readers.tensors.first ?? "")
        let needed = max(1, d / channelsPerPosition)
        guard readers.count >= needed else {
            throw ProtectionError.tooFewInputs(tensor: tensor, found: readers.count, needed: needed)
        }
        var covariance = readers.gram.elements.map { $0 / Double(readers.count) }
        let diagonal = (0..<d).map { $0 * (d + 1) }
        let trace = diagonal.reduce(0) { $0 + covariance[$1] }
        guard trace.isFinite, trace > 0 else { throw ProtectionError.inputsNotFinite(tensor: tensor) }
        for place in diagonal { covariance[place] += ridge * trace / Double(d) }
        return try Matrix(rows: d, columns: d, elements: covariance).inverse()
    }

    private typealias Blocks = (axis: Int, blocks: [ChannelRows.Block])

    /// By tensor, the channels that are taken together, of all maps that read what a block is given.
    private func blocks(_ context: ChangeContext) -> [String: Blocks] {
        var found: [String: Blocks] = [:]
        let layers = context.step.layers.map(Set.init)
        for site in context.architecture.allSites
        where [.queryKey, .valueOutput, .mlp].contains(site.kind) && site.isInside(layers) {
            for slice in site.slices where slice.part.isReader && slice.width == 1 && slice.across == nil {
                guard let record = context.model.tensors[slice.tensor], record.shape.count == 2 else { continue }
                found[slice.tensor, default: (slice.axis, [])].blocks += site.group.blocks(
                    from: slice.start, stride: slice.stride)
            }
        }
        return found
    }

    /// Values that were made before.
    private struct Replacement: TensorChange, @unchecked Sendable {
        let spill: SpillFile
        let bytes: UnsafeRawBufferPointer
        let type: ElementType

        func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
            guard let source = bytes.baseAddress, let target = values.baseAddress else { return }
            type.widen(source + start * type.bitWidth / 8, into: target, values.count)
        }
    }
}

extension MethodParameter {
    /// s: share of the correlation that is taken away.
    public static let strength = MethodParameter(
        "strength", "share of the correlation with the base that is taken away", standard: 0.9, 0.01...1)
}

extension Site.Part {
    /// Whether it is a map of what the block reads.
    fileprivate var isReader: Bool {
        switch self {
        case .query, .key, .value, .gate, .up: true
        case .output, .outputGate, .down, .queryGain, .keyGain, .sinks, .router, .residual: false
        }
    }
}

extension Group {
    /// The channels that an element mixes, in the indices of a slice that begins there.
    fileprivate func blocks(from start: Int, stride: Int) -> [ChannelRows.Block] {
        switch self {
        case .generalLinear(let n): [.joint((0..<n).map { start + $0 * stride })]
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing), .pairScales(let pairing):
            (0..<pairing.pairCount).map { pair in
                let (x, y) = pairing.channels(ofPair: pair)
                return .pair(start + x * stride, start + y * stride)
            }
        case .monomial(let n, _): (0..<n).map { .joint([start + $0 * stride]) }
        case .product(let factors):
            zip(factors, factors.indices).flatMap { factor, number in
                let before = factors[..<number].reduce(0) { $0 + $1.dimension }
                return factor.blocks(from: start + before * stride, stride: stride)
            }
        case .orthogonal: []
        }
    }
}
