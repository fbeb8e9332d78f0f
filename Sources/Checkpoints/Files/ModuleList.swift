import Foundations

/// The modules of a sentence-transformers model, as `modules.json` lists them: the transformer itself and what comes after it
/// (pooling, dense layers, normalisation), each in a folder of its own.
struct ModuleList {
    static let fileName = "modules.json"

    /// Folders besides the model's own, relative to the model directory.
    private(set) var folders: Set<String> = []

    /// No modules.
    init() {}

    init(_ document: JSONDocument) throws(ModuleFault) {
        guard let modules = document.root.array else { throw .malformed }
        for module in modules {
            guard let written = module["path"]?.string, let type = module["type"]?.string else { throw .malformed }
            let path = written.hasSuffix("/") ? String(written.dropLast()) : written
            let components = path.split(separator: "/", omittingEmptySubsequences: false)
            guard !written.isEmpty, path != "." else { continue }
            guard !path.utf8.contains(0), components.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else {
                throw .unsafePath(written)
            }
            let kind = type.split(separator: ".").last.map(String.init) ?? type
            guard !Self.transformers.contains(kind) else { throw .transformerInFolder(path) }
            folders.insert(path)
        }
    }

    /// Kinds of modules that hold whole transformers.
    private static let transformers: Set = ["Transformer", "MLMTransformer", "CLIPModel", "Asym", "Router"]

    /// The folder of a module that a file lies in directly, or nil.
    func folder(of relativePath: String) -> String? {
        guard let slash = relativePath.lastIndex(of: "/") else { return nil }
        let folder = String(relativePath[..<slash])
        return folders.contains(folder) ? folder : nil
    }
}

/// What may be wrong with `modules.json`.
public enum ModuleFault: Error, Sendable, Equatable {
    case malformed
    case unsafePath(String)
    case transformerInFolder(String)
}

extension ModuleFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed: "expected a list of modules with path and type; repair the file or remove it"
        case .unsafePath(let path):
            "the module path \"\(path)\" leads outside the model or to a hidden folder; do not trust this model"
        case .transformerInFolder(let path):
            "the transformer lies in \(path): protect that folder by itself and put the result in its place in a copy of the rest"
        }
    }
}
