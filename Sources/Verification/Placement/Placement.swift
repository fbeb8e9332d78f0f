import Checkpoints
import Symmetries

/// Where the original's weights stand in a protected model: whole heads and experts in the place of others, and the channels of residual
/// streams permuted, with signs. Read through it, a protected tensor is what the sites of channels alone have made of the original.
struct Placement: Sendable {
    static let unmoved = Placement()

    /// One axis of a tensor.
    private struct Axis: Sendable {
        /// Runs of a stream's channels, each acted on by one element.
        var streams: [(slice: Site.Slice, element: Monomial)] = []
        /// Blocks that move behind that, in the order in which they do.
        var moves: [(slice: Site.Slice, permutation: Monomial)] = []
    }

    private var elements: [String: Monomial] = [:]
    private var axes: [String: [Axis]] = [:]
    private var tensors: [String: String] = [:]

    /// Adds what was found of a site: which channel of the original each channel of the protected model holds, and its sign.
    mutating func add(_ element: Monomial, of site: Site) {
        elements[site.path] = element
        for slice in site.slices {
            var own = axes[slice.tensor] ?? [Axis(), Axis()]
            if site.kind.movesBlocks {
                own[slice.axis].moves.append((slice, element))
            } else {
                let sign = slice.representation == .permutation ? element.permutation : element
                own[slice.axis].streams.append((slice, sign))
            }
            axes[slice.tensor] = own
        }
        for names in site.exchanges {
            for (name, source) in zip(names, element.source) where source < names.count {
                tensors[names[source]] = name
            }
        }
    }

    func element(at site: Site) -> Monomial? { elements[site.path] }

    func isMoved(_ site: Site) -> Bool {
        element(at: site).map { $0.source != Array(0..<$0.dimension) || $0.scale.contains { $0 != 1 } } ?? false
    }

    /// Whether a tensor stands where it stood, but for its own sites' elements.
    func leaves(_ tensor: String) -> Bool { axes[tensor] == nil && tensors[tensor] == nil }

    /// The name under which the protected model keeps a tensor of the original.
    func tensor(_ name: String) -> String { tensors[name] ?? name }

    /// Where the first index of a run of channels, which stay together, has moved.
    private func start(of slice: Site.Slice) -> Int {
        guard let moves = axes[slice.tensor]?[slice.axis].moves, !moves.isEmpty else { return slice.start }
        return BlockMoves(moves).image(of: slice.start)
    }

    /// Where some indices along an axis of a tensor have gone; nil where they stay.
    func lines(_ range: Range<Int>, of tensor: String, axis: Int) -> LineMap? {
        guard let own = axes[tensor]?[axis], !own.streams.isEmpty || !own.moves.isEmpty else { return nil }
        var (indices, isNegative) = (
            range.map { Int32(truncatingIfNeeded: $0) }, [Bool](repeating: false, count: range.count)
        )
        for (slice, element) in own.streams where slice.extent(channels: element.dimension).overlaps(range) {
            let target = element.inverse.source
            for (channel, new) in target.enumerated() {
                let (old, start) = (slice.start + channel * slice.stride, slice.start + new * slice.stride)
                for index in 0..<slice.width where range.contains(old + index) {
                    indices[old + index - range.lowerBound] = Int32(truncatingIfNeeded: start + index)
                    isNegative[old + index - range.lowerBound] = element.scale[new] < 0
                }
            }
        }
        if !own.moves.isEmpty {
            let moves = BlockMoves(own.moves)
            indices = indices.map { Int32(truncatingIfNeeded: moves.image(of: Int($0))) }
        }
        return LineMap(indices: indices, isNegative: isNegative)
    }

    /// A slice of the protected model as the sites of channels alone have left it.
    ///
    /// - Parameter undoesMoves: whether the slice itself is sought where its block has moved.
    func view(
        _ slice: Site.Slice, channels: Range<Int>, in protected: Checkpoint, undoesMoves: Bool = true
    ) -> SliceView? {
        guard !leaves(slice.tensor), let (rows, columns) = protected.tensors[slice.tensor]?.matrixShape else {
            return SliceView(slice, channels: channels, in: protected)
        }
        let moved = Site.Slice(
            tensor: tensor(slice.tensor), axis: slice.axis, start: undoesMoves ? start(of: slice) : slice.start,
            representation: slice.representation, part: slice.part, across: slice.across, width: slice.width,
            stride: slice.stride)
        let across = slice.axis == 0 ? 0..<columns : slice.across ?? 0..<rows
        return SliceView(
            moved, channels: channels, in: protected, lines: lines(across, of: slice.tensor, axis: 1 - slice.axis))
    }
}
