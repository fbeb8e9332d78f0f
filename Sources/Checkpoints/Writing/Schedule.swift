import Foundations
import Synchronization

/// The units of work of one output: which bytes of which file come from where.
struct Schedule: Sendable {
    enum Content: Sendable {
        case header
        /// A piece of a tensor that is copied, as a range within its data.
        case copied(TensorRecord, Range<Int>)
        /// A run of tiles, as indices into the rewriter's tiles.
        case tiles(Rewriting, Range<Int>)
    }

    struct Unit: Sendable {
        let file: Int
        let offset: Int
        let count: Int
        let content: Content
    }

    /// A tensor's rewriter and how many of its units are still to come.
    final class Rewriting: Sendable {
        let tensor: TensorRecord
        let rewriter: any TensorRewriter
        let remaining: Atomic<Int>

        init(_ tensor: TensorRecord, _ rewriter: any TensorRewriter, units: Int) {
            self.tensor = tensor
            self.rewriter = rewriter
            remaining = Atomic(units)
        }
    }

    /// Of one tensor's: what it keeps mapped is this many times a unit, whatever its size.
    private static let unitsBetweenReleases = 16

    let units: [Unit]
    let files: [OutputFile]
    private let headers: [[UInt8]]

    init(
        _ plan: OutputPlan, source: Checkpoint, into directory: String, files tolerant: TolerantFiles, mayClone: Bool,
        rewriter: (TensorRecord) throws -> (any TensorRewriter)?
    ) throws {
        var units: [Unit] = []
        var files: [OutputFile] = []
        for (number, file) in plan.files.enumerated() {
            let before = units.count
            units.append(Unit(file: number, offset: 0, count: file.header.count, content: .header))
            var isRewritten = false
            for placement in file.placements where placement.tensor.byteCount > 0 {
                if let rewriter = try rewriter(placement.tensor) {
                    isRewritten = true
                    units += try Self.units(of: placement, rewriter, file: number)
                } else {
                    units += Self.copies(of: placement, file: number)
                }
            }
            let path = directory + "/" + file.name
            files.append(
                OutputFile(
                    path: path, size: file.size, mode: file.mode, parts: units.count - before, files: tolerant))
            // A file without any rewritten tensor may share the source's blocks, unless its bytes are to be looked at.
            if mayClone, !isRewritten, let shard = file.mirroredShard,
                try files[number].clone(from: source.shards[shard].file.descriptor)
            {
                units.removeSubrange(before...)
            }
        }
        self.units = units
        self.files = files
        headers = plan.files.map(\.header)
    }

    private static func copies(of placement: OutputPlan.Placement, file: Int) -> [Unit] {
        stride(from: 0, to: placement.tensor.byteCount, by: CheckpointWriter.unitBytes).map { start in
            let range = start..<min(start + CheckpointWriter.unitBytes, placement.tensor.byteCount)
            return Unit(
                file: file, offset: placement.offset + start, count: range.count,
                content: .copied(placement.tensor, range))
        }
    }

    private static func units(
        of placement: OutputPlan.Placement, _ rewriter: any TensorRewriter, file: Int
    ) throws -> [Unit] {
        let tiles = rewriter.tiles
        var runs: [Range<Int>] = []
        var (first, end) = (0, 0)
        for (number, tile) in tiles.enumerated() {
            guard tile.lowerBound == end, !tile.isEmpty else { break }
            if number > first, tile.upperBound - tiles[first].lowerBound > CheckpointWriter.unitBytes {
                runs.append(first..<number)
                first = number
            }
            end = tile.upperBound
        }
        guard end == placement.tensor.byteCount else {
            throw CheckpointError.tilesDoNotCover(tensor: placement.tensor.name, bytes: placement.tensor.byteCount)
        }
        runs.append(first..<tiles.count)
        let rewriting = Rewriting(placement.tensor, rewriter, units: runs.count)
        return runs.map { run in
            let start = tiles[run.lowerBound].lowerBound
            return Unit(
                file: file, offset: placement.offset + start, count: tiles[run.upperBound - 1].upperBound - start,
                content: .tiles(rewriting, run))
        }
    }

    /// Computes a unit's bytes.
    func fill(
        _ unit: Unit, into output: UnsafeMutableRawBufferPointer, source: Checkpoint, scratch: WorkerScratch,
        observer: (any TransferObserver)?
    ) throws {
        switch unit.content {
        case .header: output.copyBytes(from: headers[unit.file])
        case .copied(let tensor, let range):
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.bytes(of: tensor)[range]))
            // What was written is what is looked at: the mapping might change between two looks.
            let copied = UnsafeRawBufferPointer(output)
            try observer?.moved(tensor, range, from: copied, to: copied, isRewritten: false)
            source.releasePages(of: tensor, bytes: range.upperBound == tensor.byteCount ? 0..<range.upperBound : range)
        case .tiles(let rewriting, let run):
            let tiles = rewriting.rewriter.tiles
            let start = tiles[run.lowerBound].lowerBound
            for tile in tiles[run] {
                let part = output[tile.lowerBound - start..<tile.upperBound - start]
                try rewriting.rewriter.write(
                    tile, into: UnsafeMutableRawBufferPointer(rebasing: part), scratch: scratch)
            }
            let (tensor, range) = (rewriting.tensor, start..<start + unit.count)
            try observer?.moved(
                tensor, range, from: UnsafeRawBufferPointer(rebasing: source.bytes(of: tensor)[range]),
                to: UnsafeRawBufferPointer(output), isRewritten: true)
            let remaining = rewriting.remaining.subtract(1, ordering: .acquiringAndReleasing).newValue
            if remaining == 0 { rewriting.rewriter.finish() }
            // Tiles may read from anywhere in the tensor: what was read so far is let go of, wherever it lies.
            if remaining.isMultiple(of: Self.unitsBetweenReleases) { source.releasePages(of: tensor) }
        }
    }
}

/// Adds up bytes from many threads for a progress display.
final class ProgressCounter: Sendable {
    private let report: (@Sendable (Int) -> Void)?
    private let total = Mutex(0)

    init(_ report: (@Sendable (Int) -> Void)?) { self.report = report }

    func add(_ bytes: Int) {
        guard let report else { return }
        let sum = total.withLock { total in
            total += bytes
            return total
        }
        report(sum)
    }
}
