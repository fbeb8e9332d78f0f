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
        remains = Interruption.register { FileTree.remove(path) }
        do { try PosixSystemCalls().makeDirectory(path) } catch {
            Interruption.forget(remains)
            throw error
        }
    }

    func remove() {
        FileTree.remove(path)
        Interruption.forget(remains)
    }
}
