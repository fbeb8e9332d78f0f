import Foundations

extension OutputPlan {
    /// The source's files with all floating weights in one type, rounded once where they had another; config.json names it.
    ///
    /// - Precondition: `type` is computable.
    public static func converting(_ source: Checkpoint, to type: ElementType) -> OutputPlan {
        replacing(source, naming: type) { converted($0, of: source, to: type) }
    }

    /// The source's files with other tensors in the place of its own.
    /// - Parameters:
    ///   - type: what config.json names as the weights' type; nil to leave it, and then headers stay as they are, too.
    ///   - tensor: what stands where a tensor of the source stood, of its name and shape.
    package static func replacing(
        _ source: Checkpoint, naming type: ElementType?, dropping dropped: Set<String> = [],
        _ tensor: (TensorRecord) -> OutputTensor
    ) -> OutputPlan {
        guard let type else {
            let kept = keepingShards(of: source, dropping: dropped)
            return OutputPlan(kept, files: kept.files.map { $0.replacing { source.tensors[$0.name].map(tensor) } })
        }
        let restated = source.restatement?.tensors ?? []
        let files = source.shards.enumerated().map { number, shard in
            let tensors = shard.header.tensors + restated.filter { $0.home == number }.map(\.record)
            return file(
                shard.fileName, tensors.map(tensor), metadata: shard.header.metadata, mode: shard.mode | 0o600)
        }
        let config = source.config?.root.object.map { members in
            Generated(
                name: "config.json",
                bytes: Array((JSONValue.object(naming(type, in: members)).serialized(indented: true) + "\n").utf8))
        }
        return OutputPlan(
            source, files: files, dropping: dropped, generated: [index(of: files, source), config].compactMap(\.self))
    }

    /// A configuration that names a type as the weights'.
    package static func naming(_ type: ElementType, in config: JSONObject) -> JSONObject {
        var config = config
        let name = [ElementType.bf16: "bfloat16", .f16: "float16", .f64: "float64"][type] ?? "float32"
        for key in ["torch_dtype", "dtype"] where config[key] != nil { config[key] = .string(name) }
        return config
    }

    private static func converted(
        _ tensor: TensorRecord, of source: Checkpoint, to type: ElementType
    ) -> OutputTensor {
        guard tensor.type.isComputable, tensor.type != type else { return OutputTensor(copying: tensor, of: source) }
        return OutputTensor(
            TensorSpec(name: tensor.name, type: type, shape: tensor.shape),
            .made(ConvertingProducer(tensor, of: source, to: type)))
    }
}
