import Foundations
import Glibc

/// The directory beside the target in which an output grows until it is whole. It is locked while its run lives; what a killed
/// run left is removed by the next run for the same target.
struct PartialDirectory {
    static let suffix = ".mergeproof-partial"
    /// Bytes of a file's name that every file system takes.
    private static let longestName = 255

    let path: String
    private let target: String
    private let parent: String
    private let lock: Int32
    private let remains: Interruption.Remains
    private let system: any SystemCalls
    private let files: TolerantFiles

    /// - Parameters:
    ///   - inputs: the directories that are read, which the target may not lie in.
    ///   - mode: what the output allows at most.
    init(for target: String, inputs: [String], mode: mode_t, files: TolerantFiles) throws(CheckpointError) {
        self.files = files
        system = files.system
        let name: String
        (self.target, parent, name) = try Self.check(target, inputs: inputs, system)
        let path = (parent.hasSuffix("/") ? parent : parent + "/") + Self.name(for: name)
        self.path = path
        (lock, remains) = try Self.create(path, target: self.target, mode: mode, files)
    }

    /// Whether an output may be made there.
    static func check(
        _ target: String, inputs: [String], _ system: any SystemCalls
    ) throws(CheckpointError) -> (target: String, parent: String, name: String) {
        var trimmed = Substring(target)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        let name = Checkpoint.lastComponent(String(trimmed))
        let above = String(trimmed.dropLast(name.count))
        let (target, parent) = (String(trimmed), above.isEmpty ? "." : above)
        if try isThere(target, system) { throw .outputExists(path: target) }
        let realParent = try real(parent, system)
        guard try system.status(realParent).kind == .directory else { throw .outputParentMissing(path: parent) }
        for input in inputs {
            guard (realParent + "/").hasPrefix(try system.realPath(input) + "/") else { continue }
            throw .outputOverlapsInput(output: target, input: input)
        }
        return (target, parent, name)
    }

    /// A hidden name that follows from the target's, cut where it would be too long for a file system.
    static func name(for target: String) -> String {
        let whole = "." + target + suffix
        guard whole.utf8.count > longestName else { return whole }
        // FNV-1a tells apart what the cut makes alike.
        let hash = target.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        let ending = "~" + String(hash, radix: 16) + suffix
        var start = Substring("." + target)
        while start.utf8.count + ending.utf8.count > longestName { start.removeLast() }
        return start + ending
    }

    /// Also true for a link that leads nowhere.
    private static func isThere(_ path: String, _ system: any SystemCalls) throws(CheckpointError) -> Bool {
        do {
            _ = try system.linkStatus(path)
            return true
        } catch {
            switch error {
            case .notFound, .systemCall(_, _, ENOTDIR): return false
            default: throw error
            }
        }
    }

    private static func real(_ parent: String, _ system: any SystemCalls) throws(CheckpointError) -> String {
        do { return try system.realPath(parent) } catch {
            if case .notFound = error { throw .outputParentMissing(path: parent) }
            throw error
        }
    }

    /// Makes the directory, or takes over one that no living run holds, and locks it.
    private static func create(
        _ path: String, target: String, mode: mode_t, _ files: TolerantFiles
    ) throws(CheckpointError) -> (lock: Int32, remains: Interruption.Remains) {
        let system = files.system
        // Before the directory is there: a signal in between must find it.
        let isOurs = OwnershipFlag()
        let remains = Interruption.register { if isOurs.isSet { remove(path, system) } }
        do throws(CheckpointError) {
            var isFresh = true
            do { try system.makeDirectory(path) } catch {
                guard case .systemCall(_, _, EEXIST) = error else { throw error }
                isFresh = false
            }
            do throws(CheckpointError) {
                let descriptor = try system.open(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, mode: 0)
                do throws(CheckpointError) {
                    guard try files.lock(descriptor, path: path, isFresh: isFresh) else {
                        throw .outputBusy(path: target)
                    }
                    isOurs.set()
                    if !isFresh { try removeContents(of: path, system) }
                    try restrict(descriptor, to: mode, path: path, files)
                } catch {
                    system.close(descriptor)
                    throw error
                }
                return (descriptor, remains)
            } catch {
                if isFresh { try? system.removeDirectory(path) }
                throw error
            }
        } catch {
            Interruption.forget(remains)
            throw error
        }
    }

    /// Takes from a directory what `mode` does not allow; its owner keeps everything.
    static func restrict(
        _ descriptor: Int32, to mode: mode_t, path: String, _ files: TolerantFiles
    ) throws(CheckpointError) {
        let own = try files.system.status(descriptor, path: path).mode
        let stricter = own & (mode | ~0o777) | 0o700
        if stricter != own { try files.changeMode(descriptor, mode: stricter, path: path) }
    }

    private static func removeContents(of path: String, _ system: any SystemCalls) throws(CheckpointError) {
        for name in try system.list(path) {
            let child = path + "/" + name
            do { try system.unlink(child) } catch {
                switch error {
                case .notFound: continue
                case .systemCall(_, _, EISDIR), .systemCall(_, _, EPERM): break
                default: throw error
                }
                try removeContents(of: child, system)
                try system.removeDirectory(child)
            }
        }
    }

    /// Removes the directory although others may still write into it.
    private static func remove(_ path: String, _ system: any SystemCalls) {
        for _ in 0..<10 {
            try? removeContents(of: path, system)
            do { return try system.removeDirectory(path) } catch {
                if case .notFound = error { return }
            }
        }
    }

    /// Removes everything; called when the run failed.
    func discard() {
        Self.remove(path, system)
        Interruption.forget(remains)
        system.close(lock)
    }

    /// Makes the whole output visible at once, under its own name.
    func publish() throws(CheckpointError) {
        try files.synchronize(lock, path: path)
        try Interruption.settle(remains) { () throws(CheckpointError) in try files.publish(path, as: target) }
    }

    /// Makes the new name durable; the output is complete already.
    func settle() throws(CheckpointError) {
        system.close(lock)
        try files.synchronizeDirectory(parent)
    }

    /// Bytes that may still be written here.
    func availableSpace() throws(CheckpointError) -> Int { try system.availableSpace(path) }
}
