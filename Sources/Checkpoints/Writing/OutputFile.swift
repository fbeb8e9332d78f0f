import CSystemShims
import Glibc
import Synchronization

/// A file of known size that many workers write parts of, in any order.
///
/// Whole pages go through a descriptor that bypasses the page cache (O_DIRECT); a page that parts share waits in memory for the last of
/// them, as an ordinary write would hold up all others. Only the file's last bytes go the ordinary way, or everything where the file
/// system has no O_DIRECT: the two ways never meet on a page.
final class OutputFile: Sendable {
    static let page = 4096

    /// A page of which some parts have come; whoever completes it owns it.
    private struct SharedPage: @unchecked Sendable {
        let bytes: UnsafeMutableRawPointer
        var missing: Int
    }

    private struct State {
        var ordinary: Int32 = -1
        var direct: Int32 = -1
        /// By their offsets.
        var shared: [Int: SharedPage] = [:]
        var missingParts: Int
    }

    private let path: String
    private let size: Int
    /// Set when the file is whole; until then only its owner can read it.
    private let mode: mode_t
    private let system: any SystemCalls
    private let files: TolerantFiles
    private let state: Mutex<State>

    init(path: String, size: Int, mode: mode_t, parts: Int, files: TolerantFiles) {
        self.path = path
        self.size = size
        self.mode = mode
        self.files = files
        system = files.system
        state = Mutex(State(missingParts: parts))
    }

    deinit { state.withLock { close(&$0) } }

    private func close(_ state: inout State) {
        for descriptor in [state.ordinary, state.direct] where descriptor >= 0 { system.close(descriptor) }
        (state.ordinary, state.direct) = (-1, -1)
        for page in state.shared.values { page.bytes.deallocate() }
        state.shared = [:]
    }

    private func open(_ state: inout State) throws(CheckpointError) {
        guard state.ordinary < 0 else { return }
        state.ordinary = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try files.allocate(state.ordinary, size: size, path: path)
        state.direct = (try? system.open(path, flags: O_WRONLY | mp_open_direct_flag(), mode: 0)) ?? -1
    }

    /// Shares the source's blocks instead of writing; false where the file system cannot.
    func clone(from source: Int32) throws(CheckpointError) -> Bool {
        var failure: CheckpointError?
        let done = state.withLock { state -> Bool in
            do throws(CheckpointError) {
                state.ordinary = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                guard system.clone(state.ordinary, from: source) else {
                    close(&state)
                    try system.unlink(path)
                    return false
                }
                try files.changeMode(state.ordinary, mode: mode, path: path)
                try files.synchronize(state.ordinary, path: path)
                close(&state)
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return done
    }

    /// Writes one part. `bytes` must lie in memory at an address that is congruent to `offset` modulo a page. With the last
    /// part the file is made durable and closed.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        let (ordinary, direct) = try descriptors()
        if direct >= 0 {
            let start = min((offset + Self.page - 1) / Self.page * Self.page - offset, bytes.count)
            let end = max((offset + bytes.count) / Self.page * Self.page - offset, start)
            try share(UnsafeRawBufferPointer(rebasing: bytes[..<start]), at: offset)
            try writePages(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: offset + start)
            try share(UnsafeRawBufferPointer(rebasing: bytes[end...]), at: offset + end)
        } else {
            try system.write(ordinary, bytes, offset: offset, path: path)
        }
        let isLast = state.withLock { state in
            state.missingParts -= 1
            return state.missingParts == 0
        }
        if isLast {
            try files.changeMode(ordinary, mode: mode, path: path)
            try files.synchronize(ordinary, path: path)
            state.withLock { close(&$0) }
        }
    }

    private func writePages(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        guard !bytes.isEmpty else { return }
        let (ordinary, direct) = try descriptors()
        do throws(CheckpointError) { try system.write(direct, bytes, offset: offset, path: path) } catch {
            // Some file systems refuse direct writes only when they come.
            guard case .systemCall(_, _, let code) = error, code == EINVAL || code == EOPNOTSUPP else { throw error }
            try system.write(ordinary, bytes, offset: offset, path: path)
        }
    }

    /// Keeps a piece of a page until the rest has come.
    private func share(_ piece: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        guard !piece.isEmpty else { return }
        let start = offset / Self.page * Self.page
        let count = min(Self.page, size - start)
        let whole = state.withLock { state -> SharedPage? in
            var page =
                state.shared[start]
                ?? SharedPage(bytes: .allocate(byteCount: Self.page, alignment: Self.page), missing: count)
            UnsafeMutableRawBufferPointer(start: page.bytes, count: Self.page)[(offset - start)...].copyBytes(
                from: piece)
            page.missing -= piece.count
            state.shared[start] = page.missing > 0 ? page : nil
            return page.missing > 0 ? nil : page
        }
        guard let whole else { return }
        defer { whole.bytes.deallocate() }
        let bytes = UnsafeRawBufferPointer(start: whole.bytes, count: count)
        if count == Self.page {
            try writePages(bytes, at: start)
        } else {
            try system.write(try descriptors().ordinary, bytes, offset: start, path: path)
        }
    }

    private func descriptors() throws(CheckpointError) -> (ordinary: Int32, direct: Int32) {
        var failure: CheckpointError?
        let result = state.withLock { state -> (Int32, Int32) in
            do throws(CheckpointError) { try open(&state) } catch { failure = error }
            return (state.ordinary, state.direct)
        }
        if let failure { throw failure }
        return result
    }
}
