import Checkpoints
import Foundations
import Glibc

/// A folder of this run's own, removed with everything in it by `remove`, or by a signal that ends the run.
struct WorkFolder {
    let path: String
    private let remains: Interruption.Remains

    /// - Parameter purpose: names the folder, which lies in `parent`.
    init(in parent: String, for purpose: String) throws {
        let path = parent + "/mergeproof-\(purpose)-\(getpid())"
        self.path = path
        // Registered first, so that no signal comes between; made by this process, as its number is in the name.
        remains = Interruption.register { Self.remove(path) }
        do { try PosixSystemCalls().makeDirectory(path) } catch {
            Interruption.forget(remains)
            throw error
        }
    }

    func remove() {
        Self.remove(path)
        Interruption.forget(remains)
    }

    /// Removes a file or a folder with what is in it; links are not followed.
    static func remove(_ path: String) {
        let system = PosixSystemCalls()
        // A thread that is about to be ended may still add a file.
        for _ in 0..<10 {
            guard let status = try? system.linkStatus(path) else { return }
            guard status.kind == .directory else {
                try? system.unlink(path)
                return
            }
            for name in (try? system.list(path)) ?? [] { remove(path + "/" + name) }
            try? system.removeDirectory(path)
        }
    }
}
