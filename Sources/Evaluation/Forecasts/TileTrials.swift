import Checkpoints
import Foundations
import Protections
import Rewriting
import Symmetries
import Synchronization

/// How long this machine takes for parts of a protection, in processor seconds for each byte, tried on a few tiles of a model.
struct TileTrials {
    /// What tensors have in common that take as long for each byte.
    struct Kind: Hashable, Sendable {
        let type: ElementType
        let columns: Int
        /// What acts on rows and on columns.
        let acts: [String]
    }

    /// Bytes that are tried.
    private static let trial = 1 << 18
    /// Trials end when they have taken this long; what is not known then is not foretold.
    private static let patience = Duration.milliseconds(200)

    private var known: [Kind: Double] = [:]
    /// Largest tiles.
    private(set) var tileBytes: [Kind: Int] = [:]
    private var taken = Duration.zero
    private let threads: Int

    init(threads: Int) { self.threads = threads }

    subscript(_ kind: Kind) -> Double? { known[kind] }

    /// Tries what makes some tensors, one of each kind, in all threads at once.
    mutating func measure(_ producers: [(kind: Kind, producer: any TensorProducer)]) throws {
        let started = ContinuousClock.now
        let deadline = started + Self.patience - taken
        defer { taken += ContinuousClock.now - started }
        let found = Mutex<[Kind: (seconds: Double, tile: Int)]>([:])
        try WorkerThreads.forEach(producers.count, threads: threads) { number, scratch in
            guard ContinuousClock.now < deadline else { return }
            let (kind, producer) = producers[number]
            let (seconds, tile) = try Self.secondsPerByte(producer, scratch)
            found.withLock { $0[kind] = (seconds, tile) }
        }
        for (kind, result) in found.withLock(\.self) { (known[kind], tileBytes[kind]) = (result.seconds, result.tile) }
    }

    /// Tiles from the middle on, once to warm caches and once for time.
    private static func secondsPerByte(
        _ producer: any TensorProducer, _ scratch: WorkerScratch
    ) throws -> (seconds: Double, tile: Int) {
        let tiles = producer.tiles
        var (chosen, bytes) = ([Range<Int>](), 0)
        for tile in tiles[(tiles.count / 2)...] where bytes < trial {
            chosen.append(tile)
            bytes += tile.count
        }
        let largest = tiles.map(\.count).max() ?? 0
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: max(largest, 1), alignment: 64)
        defer {
            output.deallocate()
            producer.finish()
        }
        var seconds = 0.0
        for _ in 0..<2 {
            let started = ProcessUsage.threadSeconds
            for tile in chosen {
                try producer.write(
                    tile, into: UnsafeMutableRawBufferPointer(rebasing: output[..<tile.count]), scratch: scratch)
            }
            seconds = ProcessUsage.threadSeconds - started
        }
        for input in producer.inputs { input.checkpoint.releasePages(of: input.tensor) }
        return (seconds / Double(max(bytes, 1)), largest)
    }

    /// Processor seconds for each byte of what is done to all bytes: one tag, and looking at them on the way.
    static func rates(threads: Int) throws -> (tag: Double, copy: Double) {
        let count = 4 * Authenticator.pieceBytes
        let authenticator = Authenticator(Derivation(key: SecretKey(), nonce: .zero, steps: nil))
        let record = TensorRecord(name: "forecast", type: .bf16, shape: [count / 2], shard: 0, dataRange: 0..<count)
        let sums = Mutex((tag: 0.0, copy: 0.0))
        try WorkerThreads.forEach(threads, threads: threads) { _, scratch in
            let source = UnsafeMutableRawBufferPointer(
                start: scratch.buffer(0, of: UInt8.self, count: count), count: count)
            let target = scratch.buffer(1, of: UInt8.self, count: count)
            source.initializeMemory(as: UInt8.self, repeating: 1)
            target.update(repeating: 0, count: count)
            let gatherer = TagGatherer(record, .kept, authenticator)
            let started = ProcessUsage.threadSeconds
            _ = try gatherer.absorb(UnsafeRawBufferPointer(source), at: 0)
            let tagged = ProcessUsage.threadSeconds
            UnsafeMutableRawPointer(target).copyMemory(
                from: UnsafeRawPointer(source.baseAddress ?? UnsafeMutableRawPointer(target)), byteCount: count)
            _ = NonFinite.count(in: UnsafeRawBufferPointer(source), of: .bf16)
            let copied = ProcessUsage.threadSeconds
            sums.withLock { $0 = ($0.tag + tagged - started, $0.copy + copied - tagged) }
        }
        let bytes = Double(count * threads)
        return sums.withLock { ($0.tag / bytes, $0.copy / bytes) }
    }
}
