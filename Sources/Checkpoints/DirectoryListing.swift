import Glibc

/// A file beside the weights: tokenizer, configuration, licence.
public struct Sidecar: Sendable, Equatable {
    /// Relative to the model directory, with `/` between components.
    public let relativePath: String
    public let size: Int
}

/// What lies in a model directory.
struct DirectoryListing {
    let path: String
    let names: [String]
    private let system: any SystemCalls

    init(_ path: String, system: any SystemCalls) throws(CheckpointError) {
        self.path = path
        self.system = system
        names = try system.list(path)
    }

    /// Files to copy, and files that hold weights and are left out. Hidden files and directories are passed over.
    func sidecars(
        besides weights: Set<String>
    ) throws(CheckpointError) -> (copied: [Sidecar], leftOut: [String]) {
        var copied: [Sidecar] = []
        var leftOut: [String] = []
        var pending = [""]
        while let folder = pending.popLast() {
            let prefix = folder.isEmpty ? "" : folder + "/"
            for name in folder.isEmpty ? names : try system.list(path + "/" + folder) where !name.hasPrefix(".") {
                let relative = prefix + name
                guard !weights.contains(relative) else { continue }
                let isLink = try system.linkStatus(path + "/" + relative).kind == .link
                guard let status = try status(of: path + "/" + relative, isLink: isLink) else { continue }
                switch status.kind {
                // Directories behind links may lead in circles.
                case .directory where isLink: break
                case .directory: pending.append(relative)
                case .file where relative == Checkpoint.indexName: break
                case .file where Self.holdsWeights(name): leftOut.append(relative)
                case .file: copied.append(Sidecar(relativePath: relative, size: status.size))
                case .link, .other: break
                }
            }
        }
        return (copied.sorted { $0.relativePath < $1.relativePath }, leftOut.sorted())
    }

    /// Nil for a link that leads nowhere or in a circle: nothing that could be copied.
    private func status(of path: String, isLink: Bool) throws(CheckpointError) -> FileStatus? {
        do { return try system.status(path) } catch {
            switch error {
            case .notFound where isLink, .systemCall(_, _, ELOOP) where isLink: return nil
            default: throw error
            }
        }
    }

    private static let pickleSuffixes = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"]
    private static let otherWeightSuffixes = [
        ".safetensors", ".safetensors.index.json", ".bin.index.json", ".h5", ".hdf5", ".keras", ".msgpack",
        ".msgpack.index.json", ".onnx", ".onnx_data", ".onnx.data", ".gguf", ".ggml", ".tflite", ".mlmodel", ".npz",
        ".npy", ".ot", ".nemo", ".engine", ".llamafile", ".tar", ".tgz", ".gz", ".zip", ".7z", ".xz", ".zst",
    ]

    static func isPickle(_ name: String) -> Bool {
        let name = name.lowercased()
        return pickleSuffixes.contains { name.hasSuffix($0) }
    }

    private static func holdsWeights(_ name: String) -> Bool {
        // training_args.bin and the like are pickles too: unread, and nothing that a published model needs.
        let name = name.lowercased()
        return isPickle(name) || name.contains(".ckpt.") || otherWeightSuffixes.contains { name.hasSuffix($0) }
    }
}
