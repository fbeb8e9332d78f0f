import Checkpoints
import LinearAlgebra
import Symmetries

/// The stored weights of some of a slice's channels: `indices` runs along the slice's axis, each of `lines` elements across it.
struct SliceView {
    let slice: Site.Slice
    let type: ElementType
    let base: UnsafeRawPointer
    /// Elements from one stored row to the next.
    let rowLength: Int
    /// Channels times their width.
    let indices: Int
    let lines: Int
    /// Element offset of the first index' first line; of the first index alone where lines are mapped.
    private let origin: Int
    /// Where the lines stand; nil where they stand in order.
    private let map: LineMap?
    private let buffer: LineBuffer?
    /// Lets go of the tensor's pages while it is read.
    let window: PageWindow

    /// Runs lie one behind the other; otherwise they are columns.
    var isRows: Bool { slice.axis == 0 }

    /// Nil when the channels do not fit the tensor, or it is of a type that is not computed in.
    ///
    /// - Parameters:
    ///   - channels: of the slice's own.
    ///   - map: where the lines stand, if not in order.
    init?(_ slice: Site.Slice, channels: Range<Int>, in checkpoint: Checkpoint, lines map: LineMap? = nil) {
        guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable,
            let base = checkpoint.bytes(of: tensor).baseAddress
        else { return nil }
        let (rows, columns) = tensor.matrixShape
        let band = slice.across ?? 0..<rows
        let start = slice.start + channels.lowerBound * slice.width
        indices = channels.count * slice.width
        let lines = slice.axis == 0 ? columns : band.count
        guard start >= 0, start + indices <= (slice.axis == 0 ? rows : columns), band.lowerBound >= 0,
            band.upperBound <= rows, map.map({ $0.isInside(slice.axis == 0 ? columns : rows, count: lines) }) ?? true
        else { return nil }
        self.lines = lines
        self.map = map
        buffer = map.map { _ in LineBuffer() }
        self.slice = slice
        self.base = base
        type = tensor.type
        window = PageWindow(checkpoint, tensor)
        rowLength = columns
        origin = slice.axis == 0 ? start * columns : (map == nil ? band.lowerBound * columns : 0) + start
    }

    private var elementSize: Int { type.bitWidth / 8 }

    /// Elements that lie one behind the other: an index' run where runs are rows, else a line's indices.
    var runCount: Int { isRows ? indices : lines }
    var runLength: Int { isRows ? lines : indices }
    var runBytes: Int { runLength * elementSize }

    /// The bytes of a run, until the next is asked for.
    func run(_ number: Int) -> UnsafeRawPointer {
        guard let map, let buffer else { return base + (origin + number * rowLength) * elementSize }
        guard !isRows else {
            return buffer.gather(
                base + (origin + number * rowLength) * elementSize, type, map, count: lines, isNegative: false)
        }
        let stored = base + (origin + Int(map.indices[number]) * rowLength) * elementSize
        guard map.isNegative[number] else { return stored }
        return buffer.gather(stored, type, nil, count: indices, isNegative: true)
    }

    /// Whether all that differs from another slice of the same shape is small beside the whole.
    func isNear(_ other: SliceView, _ tolerance: Double) -> Bool {
        let (a, b) = (ChannelValues(self), ChannelValues(other))
        var (error, size) = (0.0, 0.0)
        for channel in 0..<indices / max(slice.width, 1) {
            let sums = a.distance(of: channel, times: 1, to: b, channel)
            error += sums.error * sums.error
            size += sums.size * sums.size
        }
        return error <= tolerance * tolerance * size
    }

    /// One element, exactly.
    func value(index: Int, line: Int) -> Double {
        let place = map.map { Int($0.indices[line]) } ?? line
        let pointer = base + (origin + (isRows ? index * rowLength + place : place * rowLength + index)) * elementSize
        var value = 0.0
        type.widen(pointer, into: &value, 1)
        return map?.isNegative[line] == true ? -value : value
    }

    /// The lines of one index, exactly.
    func read(index: Int, into target: UnsafeMutablePointer<Double>) {
        if isRows { return type.widen(run(index), into: target, lines) }
        for line in 0..<lines { target[line] = value(index: index, line: line) }
    }

    /// Everything in storage order, run behind run: exactly, but f64 as f32.
    func read(into target: UnsafeMutablePointer<Float>) {
        for number in 0..<runCount { type.widen(run(number), into: target + number * runLength, runLength) }
    }

    /// Everything in storage order, run behind run, exactly.
    func read(into target: UnsafeMutablePointer<Double>) {
        for number in 0..<runCount { type.widen(run(number), into: target + number * runLength, runLength) }
    }
}

/// One part of a site in both models: a head's weight and bias.
struct PartViews {
    let part: Site.Part
    let isDirect: Bool
    let pieces: [(original: SliceView, protected: SliceView)]

    var lines: Int { pieces.reduce(0) { $0 + $1.original.lines } }

    /// A site's parts, the direct one first; nil where the tensors do not fit.
    static func all(
        of site: Site, channels: Range<Int>, _ original: Checkpoint, _ protected: Checkpoint,
        _ placement: Placement = .unmoved
    ) -> [PartViews]? {
        all(of: site.slices, channels: channels, original, protected, placement)
    }

    /// - Parameter undoesMoves: whether slices are sought where their blocks have moved.
    static func all(
        of slices: [Site.Slice], channels: Range<Int>, _ original: Checkpoint, _ protected: Checkpoint,
        _ placement: Placement, undoesMoves: Bool = true
    ) -> [PartViews]? {
        var parts: [PartViews] = []
        for slice in slices {
            guard let a = SliceView(slice, channels: channels, in: original),
                let b = placement.view(slice, channels: channels, in: protected, undoesMoves: undoesMoves),
                a.type == b.type, a.rowLength == b.rowLength, a.lines == b.lines
            else { return nil }
            if let place = parts.firstIndex(where: { $0.part == slice.part }) {
                parts[place] = PartViews(
                    part: slice.part, isDirect: parts[place].isDirect, pieces: parts[place].pieces + [(a, b)])
            } else {
                parts.append(
                    PartViews(part: slice.part, isDirect: slice.representation == .direct, pieces: [(a, b)]))
            }
        }
        return parts.filter(\.isDirect) + parts.filter { !$0.isDirect }
    }

    /// ‖·‖² of one channel over weight and bias.
    func squares(ofChannel channel: Int) -> (original: Double, protected: Double) {
        func square(_ view: SliceView) -> Double {
            withUnsafeTemporaryAllocation(of: Double.self, capacity: max(view.lines, 1)) { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                view.read(index: channel, into: base)
                return (0..<view.lines).reduce(0) { $0 + base[$1] * base[$1] }
            }
        }
        return pieces.reduce(into: (0.0, 0.0)) { sums, piece in
            sums.0 += square(piece.original)
            sums.1 += square(piece.protected)
        }
    }

    /// The tensor and the place in it that the part's `line` stands for.
    func place(ofLine line: Int) -> String {
        var line = line
        for (view, _) in pieces {
            if line < view.lines { return "\(view.slice.tensor), input \(line)" }
            line -= view.lines
        }
        return "\(part)"
    }
}
