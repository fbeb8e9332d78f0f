import Foundations
import Synchronization

/// The units of work of one output: which bytes of which file come from where.
struct Schedule: Sendable {
    enum Content: Sendable {
        case header
        /// A piece of a tensor that is copied, as a range within its data.
        case copied(OutputTensor, TensorRecord, of: Checkpoint, Range<Int>)
        /// A run of tiles, as indices into the producer's tiles.
        case tiles(Production, Range<Int>)
    }

    struct Unit: Sendable {
        let file: Int
        let offset: Int
        let count: Int
        let content: Content
    }

    /// A tensor's producer and how many of its units are still to come.
    final class Production: Sendable {
        let tensor: OutputTensor
        let producer: any TensorProducer
        private let remaining: Atomic<Int>

        init(_ tensor: OutputTensor, _ producer: any TensorProducer, units: Int) {
            self.tensor = tensor
            self.producer = producer
            remaining = Atomic(units)
        }

        /// Called once for each unit.
        func endUnit() {
            let remaining = remaining.subtract(1, ordering: .acquiringAndReleasing).newValue
            if remaining == 0 { producer.finish() }
            // Tiles may read from anywhere in a tensor: what was read so far is let go of, wherever it lies.
            guard remaining.isMultiple(of: Schedule.unitsBetweenReleases) else { return }
            for input in producer.inputs { input.checkpoint.releasePages(ofTensor: input.tensor.name) }
        }
    }

    /// Of one tensor's: what it keeps mapped is this many times a unit, whatever its size.
    static let unitsBetweenReleases = 16

    let units: [Unit]
    let files: [OutputFile]
    private let headers: [[UInt8]]

    /// - Parameter mayClone: a file that only repeats the source's may share its blocks, as nobody looks at its bytes.
    init(_ plan: OutputPlan, into directory: String, files tolerant: TolerantFiles, mayClone: Bool) throws {
        var units: [Unit] = []
        var files: [OutputFile] = []
        for (number, file) in plan.files.enumerated() {
            let before = units.count
            units.append(Unit(file: number, offset: 0, count: file.header.count, content: .header))
            for placement in file.placements where placement.tensor.byteCount > 0 {
                switch placement.tensor.content {
                case .copied(let tensor, let checkpoint):
                    units += Self.copies(of: placement, tensor, checkpoint, file: number)
                case .made(let producer): units += try Self.units(of: placement, producer, file: number)
                }
            }
            let path = directory + "/" + file.name
            files.append(
                OutputFile(
                    path: path, size: file.size, mode: file.mode, parts: units.count - before, files: tolerant))
            if mayClone, file.placements.allSatisfy(\.tensor.isCopied), let shard = file.mirroredShard,
                try files[number].clone(from: plan.source.shards[shard].file.descriptor)
            {
                units.removeSubrange(before...)
            }
        }
        self.units = units
        self.files = files
        headers = plan.files.map(\.header)
    }

    private static func copies(
        of placement: OutputPlan.Placement, _ tensor: TensorRecord, _ checkpoint: Checkpoint, file: Int
    ) -> [Unit] {
        stride(from: 0, to: placement.tensor.byteCount, by: CheckpointWriter.unitBytes).map { start in
            let range = start..<min(start + CheckpointWriter.unitBytes, placement.tensor.byteCount)
            return Unit(
                file: file, offset: placement.offset + start, count: range.count,
                content: .copied(placement.tensor, tensor, of: checkpoint, range))
        }
    }

    private static func units(
        of placement: OutputPlan.Placement, _ producer: any TensorProducer, file: Int
    ) throws -> [Unit] {
        let tiles = producer.tiles
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
        let production = Production(placement.tensor, producer, units: runs.count)
        return runs.map { run in
            let start = tiles[run.lowerBound].lowerBound
            return Unit(
                file: file, offset: placement.offset + start, count: tiles[run.upperBound - 1].upperBound - start,
                content: .tiles(production, run))
        }
    }

    /// Computes a unit's bytes.
    func fill(
        _ unit: Unit, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch,
        observer: (any TransferObserver)?
    ) throws {
        switch unit.content {
        case .header: output.copyBytes(from: headers[unit.file])
        case .copied(let tensor, let input, let source, let range):
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.bytes(of: input)[range]))
            // What was written is what is looked at: the mapping might change between two looks.
            try observer?.moved(tensor, range, UnsafeRawBufferPointer(output))
            source.releasePages(of: input, bytes: range.upperBound == input.byteCount ? 0..<range.upperBound : range)
        case .tiles(let production, let run):
            let tiles = production.producer.tiles
            let start = tiles[run.lowerBound].lowerBound
            for tile in tiles[run] {
                let part = output[tile.lowerBound - start..<tile.upperBound - start]
                try production.producer.write(
                    tile, into: UnsafeMutableRawBufferPointer(rebasing: part), scratch: scratch)
            }
            try observer?.moved(production.tensor, start..<start + unit.count, UnsafeRawBufferPointer(output))
            production.endUnit()
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
