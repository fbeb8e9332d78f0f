import Foundations
import Glibc

/// Streams what a plan tells of into a new directory: bytes are copied, or computed tile by tile.
///
/// Workers pull units of about 4 MiB in file order; `threads` of them compute at a time while some more wait for the disk, so
/// that reading, computing and writing overlap. Memory is bounded by the workers' buffers. The output directory appears at
/// once and whole, or not at all.
public struct CheckpointWriter: Sendable {
    /// Bytes of a unit; a tile larger than this is a unit of its own.
    static let unitBytes = 4 << 20
    /// Units that are written while others are computed.
    private static let writers = 4
    /// Computations beyond one for each thread: some wait for elements or for pages of the source.
    private static let spareComputations = 1

    private let system: any SystemCalls
    private let files: TolerantFiles
    private let threads: Int
    private let progress: (@Sendable (_ bytesDone: Int) -> Void)?

    /// - Parameter notice: told once of each promise that the file system makes weaker.
    public init(
        system: any SystemCalls = PosixSystemCalls(), threads: Int? = nil,
        notice: (@Sendable (FileSystemNotice) -> Void)? = nil,
        progress: (@Sendable (_ bytesDone: Int) -> Void)? = nil
    ) {
        self.system = system
        files = TolerantFiles(system, notice: notice)
        self.threads = WorkerThreads.count(threads)
        self.progress = progress
    }

    /// What writing a plan keeps in memory at a time: units that are computed or written, what computing them takes, and pages of what they are made of.
    ///
    /// - Parameters:
    ///   - largestTensor: of those that are made, bytes of all that is read for it.
    ///   - largestTile: of these.
    package static func workingBytes(threads: Int, largestTensor: Int, largestTile: Int, of total: Int) -> Int {
        let unit = max(unitBytes, largestTile) + OutputFile.page
        let units = min(threads + writers, total / unitBytes + 1)
        let mapped = min(largestTensor, Schedule.unitsBetweenReleases * unitBytes)
        return units * unit + (threads + spareComputations) * 2 * min(unit, total) + mapped + mapped / 2
    }

    /// Tells before any work whether an output may be made at a path.
    /// - Returns: the directory that it will lie in.
    package static func parent(
        ofOutput path: String, reading inputs: [Checkpoint], system: any SystemCalls
    ) throws(CheckpointError) -> String {
        try PartialDirectory.check(path, inputs: inputs.map(\.path), system).parent
    }

    /// - Parameters:
    ///   - path: the directory to make; must not exist.
    ///   - observer: sees every byte that is written.
    /// - Throws: `CheckpointError`, or whatever the observer and the producers throw. Nothing is left behind.
    public func write(_ plan: OutputPlan, to path: String, observer: (any TransferObserver)? = nil) throws {
        let sources = plan.sources
        let partial = try PartialDirectory(
            for: path, inputs: sources.map(\.path), mode: plan.source.mode, files: files)
        do {
            let available = try partial.availableSpace()
            guard plan.totalBytes <= available else {
                throw CheckpointError.notEnoughSpace(path: path, needed: plan.totalBytes, available: available)
            }
            for sidecar in plan.sidecars {
                try copy(sidecar, from: plan.source, into: partial.path, observer: observer)
            }
            for folder in plan.sidecarFolders { try files.synchronizeDirectory(partial.path + "/" + folder) }
            let schedule = try Schedule(plan, into: partial.path, files: files, mayClone: observer == nil)
            try stream(schedule, observer: observer)
            for source in sources { try source.checkUnchanged() }
            let late = try observer?.finish() ?? []
            for made in plan.generated {
                try write(late.first { $0.name == made.name } ?? made, into: partial.path)
            }
            try partial.publish()
        } catch {
            partial.discard()
            throw error
        }
        try partial.settle()
    }

    private func stream(_ schedule: Schedule, observer: (any TransferObserver)?) throws {
        let queue = WorkQueue(count: schedule.units.count)
        let pool = ScratchPool(count: threads > 1 ? threads + Self.spareComputations : 1)
        let reporter = ProgressCounter(progress)
        WorkerThreads.run(min(threads + Self.writers, max(schedule.units.count, 1))) { _ in
            let units = WorkerScratch()
            while let number = queue.next() {
                let unit = schedule.units[number]
                do {
                    try Interruption.check()
                    // The buffer's address is congruent to the file offset, as direct writes need it.
                    let base = units.buffer(0, of: UInt8.self, count: unit.count + OutputFile.page)
                    let output = UnsafeMutableRawBufferPointer(
                        start: base + unit.offset % OutputFile.page, count: unit.count)
                    try pool.withScratch { try schedule.fill(unit, into: output, scratch: $0, observer: observer) }
                    try schedule.files[unit.file].write(UnsafeRawBufferPointer(output), at: unit.offset)
                    reporter.add(unit.count)
                } catch { queue.fail(error) }
            }
        }
        try queue.rethrow()
    }

    /// Copies a file beside the weights, its permissions included. It must be the very file that was judged when the source was
    /// opened, and must not change meanwhile: a key or a link may have been put in its place.
    private func copy(
        _ sidecar: DirectoryEntry, from source: Checkpoint, into directory: String, observer: (any TransferObserver)?
    ) throws {
        let file = try MappedFile(path: source.path + "/" + sidecar.relativePath, system: system)
        try file.check(against: sidecar.status)
        try observer?.copied(sidecar, file.bytes)
        try makeParents(of: sidecar.relativePath, from: source, in: directory)
        try create(directory + "/" + sidecar.relativePath, file.bytes, mode: file.permissions | 0o600)
        try file.checkUnchanged()
    }

    private func write(_ made: OutputPlan.Generated, into directory: String) throws {
        try made.bytes.withUnsafeBytes { try create(directory + "/" + made.name, $0, mode: made.mode) }
    }

    private func create(
        _ path: String, _ bytes: UnsafeRawBufferPointer, mode: mode_t?
    ) throws(CheckpointError) {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let descriptor = try system.open(path, flags: flags, mode: mode == nil ? 0o666 : 0o600)
        defer { system.close(descriptor) }
        try system.write(descriptor, bytes, offset: 0, path: path)
        if let mode { try files.changeMode(descriptor, mode: mode, path: path) }
        try files.synchronize(descriptor, path: path)
    }

    private func makeParents(
        of relativePath: String, from source: Checkpoint, in directory: String
    ) throws(CheckpointError) {
        var folder = ""
        for component in relativePath.split(separator: "/").dropLast() {
            folder += (folder.isEmpty ? "" : "/") + component
            let path = directory + "/" + folder
            do { try system.makeDirectory(path) } catch {
                guard case .systemCall(_, _, EEXIST) = error else { throw error }
                continue
            }
            guard let mode = source.folders[folder] else { continue }
            let descriptor = try system.open(path, flags: O_RDONLY | O_DIRECTORY, mode: 0)
            defer { system.close(descriptor) }
            try PartialDirectory.restrict(descriptor, to: mode, path: path, files)
        }
    }
}
