import Checkpoints
import Foundation
import Foundations

/// A LoRA adapter as PEFT stores it: for each map W that it adapts, `ΔW = s·B·A` with A (r x inputs), B (outputs x r) and s = alpha/r, or
/// alpha/√r where `use_rslora` says so (arXiv 2106.09685).
public struct LoRAAdapter: Sendable {
    static let weightsName = "adapter_model.safetensors"
    static let configName = "adapter_config.json"
    private static let prefix = "base_model.model."
    private static let (down, up) = (".lora_A.weight", ".lora_B.weight")

    struct Pair: Sendable {
        /// The model's tensor that it adapts.
        let tensor: TensorRecord
        let a, b: TensorRecord
    }

    public let path: String
    let weights: Checkpoint
    let configBytes: [UInt8]
    let pairs: [Pair]
    /// Whether the model stores the maps with inputs first, as GPT-2 does.
    let isTransposed: Bool
    /// Nil where the adapter scales some maps by a rule of its own.
    let scale: Double?

    /// - Parameter model: whose maps it adapts: the base, or the base with a lock.
    /// - Throws: `AdapterError` for anything but pairs of factors that fit the model.
    public init(opening path: String, for model: Checkpoint) throws {
        self.path = path
        weights = try Checkpoint(opening: path + "/" + Self.weightsName)
        let config: JSONDocument
        (configBytes, config) = try Self.config(path)
        let root = config.root
        guard root["peft_type"]?.string == "LORA" else {
            throw AdapterError.notLoRA(
                path: path, found: root["peft_type"]?.string ?? "none", expected: "peft_type LORA")
        }
        for key in ["use_dora", "use_qalora", "lora_bias"] where root[key]?.bool == true {
            throw AdapterError.notLoRA(path: path, found: "\(key) true", expected: "two factors for each map alone")
        }
        isTransposed = root["fan_in_fan_out"]?.bool ?? false
        let (rank, alpha) = (root["r"]?.double ?? 0, root["lora_alpha"]?.double ?? 0)
        let hasPatterns = ["rank_pattern", "alpha_pattern"].contains { !(root[$0]?.object?.members.isEmpty ?? true) }
        let divisor = root["use_rslora"]?.bool == true ? rank.squareRoot() : rank
        scale = hasPatterns || !(divisor > 0) || !alpha.isFinite ? nil : alpha / divisor
        pairs = try Self.pairs(weights, of: model, path: path, isTransposed: isTransposed)
    }

    private static func config(_ path: String) throws -> ([UInt8], JSONDocument) {
        let file = path + "/" + configName
        guard let data = FileManager.default.contents(atPath: file) else { throw CheckpointError.notFound(path: file) }
        let bytes = Array(data)
        do throws(JSONFault) { return (bytes, try JSONDocument(parsing: bytes)) } catch {
            throw CheckpointError.json(file: file, error)
        }
    }

    private static func pairs(
        _ weights: Checkpoint, of model: Checkpoint, path: String, isTransposed: Bool
    ) throws -> [Pair] {
        var pairs: [Pair] = []
        for a in weights.tensors.values {
            guard a.name.hasSuffix(down) || a.name.hasSuffix(up), a.name.hasPrefix(prefix), a.type.isComputable else {
                throw AdapterError.unknownTensor(path: path, tensor: a.name)
            }
            let isDown = a.name.hasSuffix(down)
            let module = String(a.name.dropLast(isDown ? down.count : up.count))
            guard let b = weights.tensors[module + (isDown ? up : down)] else {
                throw AdapterError.unpaired(path: path, tensor: a.name)
            }
            guard isDown else { continue }
            let name = String(module.dropFirst(prefix.count)) + ".weight"
            let fitting = model.tensors.values.filter {
                $0.name == name || $0.name.hasSuffix("." + name) || name.hasSuffix("." + $0.name)
            }
            guard let tensor = fitting.first(where: { $0.name == name }) ?? (fitting.count == 1 ? fitting[0] : nil)
            else { throw AdapterError.noSuchMap(path: path, tensor: a.name, model: model.path) }
            let shape = isTransposed ? tensor.shape.reversed() : tensor.shape
            guard shape.count == 2, a.shape.count == 2, b.shape.count == 2, a.type == b.type, a.shape[0] == b.shape[1],
                a.shape[1] == shape[1], b.shape[0] == shape[0]
            else {
                throw AdapterError.shape(
                    path: path, tensor: a.name, expected: "factors of \(tensor.name) \(tensor.shape)",
                    found: "\(a.shape) and \(b.shape)")
            }
            pairs.append(Pair(tensor: tensor, a: a, b: b))
        }
        guard !pairs.isEmpty else { throw AdapterError.unpaired(path: path, tensor: "any") }
        return pairs
    }
}

/// What can stop the use of an adapter.
public enum AdapterError: Error, Sendable, Equatable {
    case notLoRA(path: String, found: String, expected: String)
    case unknownTensor(path: String, tensor: String)
    case unpaired(path: String, tensor: String)
    case noSuchMap(path: String, tensor: String, model: String)
    case shape(path: String, tensor: String, expected: String, found: String)
    /// Scales differ from map to map by patterns of names.
    case scaledByPatterns(path: String)
    /// A lock that an adapter can't follow.
    case cannotFollow(path: String, tensor: String, reason: String)
}

extension AdapterError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notLoRA(let path, let found, let expected):
            "\(path): \(LoRAAdapter.configName) has \(found), expected \(expected); give a plain LoRA adapter"
        case .unknownTensor(let path, let tensor):
            "\(path): tensor \(tensor) is no factor of LoRA (lora_A, lora_B) in a floating type; give an adapter without embeddings, saved modules or magnitudes"
        case .unpaired(let path, let tensor):
            "\(path): tensor \(tensor): its other factor is missing; give the whole adapter"
        case .noSuchMap(let path, let tensor, let model):
            "\(path): tensor \(tensor) adapts no single weight of \(model); give the adapter of this model"
        case .shape(let path, let tensor, let expected, let found):
            "\(path): tensor \(tensor): expected \(expected), found \(found); give the adapter of this model"
        case .scaledByPatterns(let path):
            "\(path): \(LoRAAdapter.configName) scales maps by patterns of names, which is not read; merge the adapter with PEFT first"
        case .cannotFollow(let path, let tensor, let reason):
            "\(path): tensor \(tensor) cannot follow the lock: \(reason); train the adapter on the protected model"
        }
    }
}
