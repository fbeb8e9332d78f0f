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
    /// Element offset of the first index' first line.
    private let origin: Int

    /// Runs lie one behind the other; otherwise they are columns.
    var isRows: Bool { slice.axis == 0 }

    /// - Parameter channels: of the slice's own; nil when they do not fit the tensor, or it is of a type that is not computed in.
    init?(_ slice: Site.Slice, channels: Range<Int>, in checkpoint: Checkpoint) {
        guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable,
            let base = checkpoint.bytes(of: tensor).baseAddress
        else { return nil }
        let (rows, columns) = tensor.matrixShape
        let band = slice.across ?? 0..<rows
        let start = slice.start + channels.lowerBound * slice.width
        indices = channels.count * slice.width
        guard start >= 0, start + indices <= (slice.axis == 0 ? rows : columns), band.lowerBound >= 0,
            band.upperBound <= rows
        else { return nil }
        self.slice = slice
        self.base = base
        type = tensor.type
        rowLength = columns
        lines = slice.axis == 0 ? columns : band.count
        origin = slice.axis == 0 ? start * columns : band.lowerBound * columns + start
    }

    private var elementSize: Int { type.bitWidth / 8 }

    /// Elements that lie one behind the other: an index' run where runs are rows, else a line's indices.
    var runCount: Int { isRows ? indices : lines }
    var runLength: Int { isRows ? lines : indices }
    var runBytes: Int { runLength * elementSize }

    func run(_ number: Int) -> UnsafeRawPointer { base + (origin + number * rowLength) * elementSize }

    /// One element, exactly.
    func value(index: Int, line: Int) -> Double {
        let pointer = run(isRows ? index : line) + (isRows ? line : index) * elementSize
        var value = 0.0
        type.widen(pointer, into: &value, 1)
        return value
    }

    /// The lines of one index, exactly.
    func read(index: Int, into target: UnsafeMutablePointer<Double>) {
        if isRows { return type.widen(run(index), into: target, lines) }
        for line in 0..<lines { type.widen(run(line) + index * elementSize, into: target + line, 1) }
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
        _ placement: HeadPlacement = .unmoved
    ) -> [PartViews]? {
        var parts: [PartViews] = []
        for slice in site.slices {
            guard let a = SliceView(slice, channels: channels, in: original),
                let b = SliceView(placement.slice(slice), channels: channels, in: protected), a.type == b.type,
                a.rowLength == b.rowLength, a.lines == b.lines
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
