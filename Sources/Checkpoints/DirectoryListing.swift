/// A file beside the weights: tokenizer, configuration, licence.
public struct Sidecar: Sendable, Equatable {
    /// Relative to the model directory, with `/` between components.
    public let relativePath: String
    public let size: Int
}

/// What lies in a model directory.
struct DirectoryListing {
    private static let maximumDepth = 8

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
                // A dangling link is nothing that could be copied.
                guard let status = try? system.status(path + "/" + relative) else { continue }
                switch status.kind {
                case .directory:
                    if relative.split(separator: "/").count < Self.maximumDepth { pending.append(relative) }
                case .file where relative == Checkpoint.indexName: break
                case .file where Self.holdsWeights(name): leftOut.append(relative)
                case .file: copied.append(Sidecar(relativePath: relative, size: status.size))
                case .other: break
                }
            }
        }
        return (copied.sorted { $0.relativePath < $1.relativePath }, leftOut.sorted())
    }

    private static let pickleSuffixes = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"]
    private static let otherWeightSuffixes = [
        ".safetensors", ".safetensors.index.json", ".bin.index.json", ".h5", ".msgpack", ".msgpack.index.json",
        ".onnx", ".onnx_data", ".onnx.data", ".gguf", ".ggml", ".tflite", ".mlmodel", ".mlpackage", ".npz", ".npy",
        ".ot", ".nemo", ".engine", ".llamafile",
    ]

    static func isPickle(_ name: String) -> Bool { pickleSuffixes.contains { name.hasSuffix($0) } }

    private static func holdsWeights(_ name: String) -> Bool {
        // training_args.bin and the like are pickles too: unread, and nothing that a published model needs.
        isPickle(name) || otherWeightSuffixes.contains { name.lowercased().hasSuffix($0) }
    }
}
