import Checkpoints
import Foundations
import Glibc
import LinearAlgebra

/// A Llama-shaped bf16 checkpoint with Gaussian weights, or with none but zeros, for benchmarks: real format, real shapes, no training.
public struct SyntheticModel: Sendable {
    public var hidden = 2048
    public var intermediate = 4096
    public var layers = 16
    public var heads = 32
    public var keyValueHeads = 8
    public var vocabulary = 32000
    public var maximumShardSize = 500_000_000
    /// All weights zero, in files without blocks: as large as the file system admits, whatever the space left.
    public var isSparse = false

    public init() {}

    /// A model of 70 billion weights' layers, as many as it takes to have `bytes`; all zero.
    public static func sparse(bytes: Int) -> SyntheticModel {
        var model = SyntheticModel()
        (model.hidden, model.intermediate, model.heads) = (8192, 28672, 64)
        model.maximumShardSize = 5_000_000_000
        model.isSparse = true
        model.layers = 1
        let ends = 2 * 2 * model.vocabulary * model.hidden
        model.layers = max(1, (bytes - ends) / (model.bytes - ends) + 1)
        return model
    }

    /// Bytes of all tensors.
    private var bytes: Int { tensors.reduce(0) { $0 + $1.shape.reduce(2, *) } }

    private var headDimension: Int { hidden / heads }

    private var tensors: [(name: String, shape: [Int])] {
        var tensors: [(String, [Int])] = [("model.embed_tokens.weight", [vocabulary, hidden])]
        for layer in 0..<layers {
            let prefix = "model.layers.\(layer)."
            tensors += [
                (prefix + "input_layernorm.weight", [hidden]),
                (prefix + "mlp.down_proj.weight", [hidden, intermediate]),
                (prefix + "mlp.gate_proj.weight", [intermediate, hidden]),
                (prefix + "mlp.up_proj.weight", [intermediate, hidden]),
                (prefix + "post_attention_layernorm.weight", [hidden]),
                (prefix + "self_attn.k_proj.weight", [keyValueHeads * headDimension, hidden]),
                (prefix + "self_attn.o_proj.weight", [hidden, heads * headDimension]),
                (prefix + "self_attn.q_proj.weight", [heads * headDimension, hidden]),
                (prefix + "self_attn.v_proj.weight", [keyValueHeads * headDimension, hidden]),
            ]
        }
        return tensors + [("model.norm.weight", [hidden]), ("lm_head.weight", [vocabulary, hidden])]
    }

    private var config: JSONValue {
        .object([
            "architectures": .array([.string("LlamaForCausalLM")]), "hidden_act": .string("silu"),
            "hidden_size": .int(hidden), "intermediate_size": .int(intermediate), "model_type": .string("llama"),
            "num_attention_heads": .int(heads), "num_hidden_layers": .int(layers),
            "num_key_value_heads": .int(keyValueHeads), "rms_norm_eps": .double(1e-5), "rope_theta": .double(10000),
            "tie_word_embeddings": .bool(false), "torch_dtype": .string("bfloat16"), "vocab_size": .int(vocabulary),
        ])
    }

    /// Writes the model into a new directory. Returns the bytes of its tensors.
    public func write(to path: String) throws -> Int {
        let system = PosixSystemCalls()
        try system.makeDirectory(path)
        try write(Array(config.serialized(indented: true).utf8), to: path + "/config.json", system)
        var shards: [[(name: String, shape: [Int])]] = [[]]
        var filled = 0
        for tensor in tensors {
            let bytes = tensor.shape.reduce(2, *)
            if filled > 0, filled + bytes > maximumShardSize {
                shards.append([])
                filled = 0
            }
            shards[shards.count - 1].append(tensor)
            filled += bytes
        }
        let noise = isSparse ? [] : Self.noise()
        var map = JSONObject()
        for (number, shard) in shards.enumerated() {
            let name = OutputPlan.shardName(number + 1, of: shards.count)
            for tensor in shard { map[tensor.name] = .string(name) }
            try write(shard, noise, to: path + "/" + name, system)
        }
        let index = JSONValue.object([
            "metadata": .object(["total_size": .int(bytes)]), "weight_map": .object(map),
        ])
        try write(Array(index.serialized(indented: true).utf8), to: path + "/" + Checkpoint.indexName, system)
        return bytes
    }

    /// A block of N(0, 0.02²) in bf16; its length has no common factor with any width, so that no two rows are alike.
    private static func noise() -> [UInt16] {
        var stream = KeyedRandomStream(secret: [], info: "mergeproof/synthetic")
        return (0..<1_000_003).map { _ in
            UInt16(truncatingIfNeeded: Float(0.02 * stream.nextGaussian()).bitPattern >> 16)
        }
    }

    private func write(
        _ shard: [(name: String, shape: [Int])], _ noise: [UInt16], to path: String, _ system: PosixSystemCalls
    ) throws {
        let header = SafetensorsHeader.bytes(
            for: shard.map { TensorSpec(name: $0.name, type: .bf16, shape: $0.shape) },
            metadata: .object(["format": .string("pt")]))
        let descriptor = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        defer { system.close(descriptor) }
        var offset = header.count
        var position = 0
        try header.withUnsafeBytes { try system.write(descriptor, $0, offset: 0, path: path) }
        if isSparse {
            let end = shard.reduce(header.count) { $0 + $1.shape.reduce(2, *) }
            return try withUnsafeBytes(of: UInt8(0)) { try system.write(descriptor, $0, offset: end - 1, path: path) }
        }
        for tensor in shard {
            var remaining = tensor.shape.reduce(1, *)
            while remaining > 0 {
                try Interruption.check()
                let count = min(remaining, noise.count - position)
                try noise[position..<position + count].withUnsafeBytes {
                    try system.write(descriptor, $0, offset: offset, path: path)
                }
                offset += 2 * count
                remaining -= count
                position = (position + count) % noise.count
            }
        }
        try system.synchronize(descriptor, path: path)
    }

    private func write(_ bytes: [UInt8], to path: String, _ system: PosixSystemCalls) throws {
        let descriptor = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        defer { system.close(descriptor) }
        try bytes.withUnsafeBytes { try system.write(descriptor, $0, offset: 0, path: path) }
    }
}
