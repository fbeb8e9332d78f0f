import Foundations

extension OutputPlan {
    /// The source's files with all floating weights in one type, rounded once where they had another; config.json names it.
    ///
    /// - Precondition: `type` is computable.
    public static func converting(_ source: Checkpoint, to type: ElementType) -> OutputPlan {
        let files = source.shards.map { shard in
            file(
                shard.fileName, shard.header.tensors.map { converted($0, of: source, to: type) },
                metadata: shard.header.metadata, mode: shard.mode | 0o600)
        }
        return OutputPlan(
            source, files: files, dropping: [],
            generated: [index(of: files, source), config(of: source, naming: type)].compactMap(\.self))
    }

    private static func converted(
        _ tensor: TensorRecord, of source: Checkpoint, to type: ElementType
    ) -> OutputTensor {
        guard tensor.type.isComputable, tensor.type != type else { return OutputTensor(copying: tensor, of: source) }
        return OutputTensor(
            TensorSpec(name: tensor.name, type: type, shape: tensor.shape),
            .made(ConvertingProducer(tensor, of: source, to: type)))
    }

    private static func config(of source: Checkpoint, naming type: ElementType) -> Generated? {
        guard var members = source.config?.root.object else { return nil }
        let name = [ElementType.bf16: "bfloat16", .f16: "float16", .f64: "float64"][type] ?? "float32"
        for key in ["torch_dtype", "dtype"] where members[key] != nil { members[key] = .string(name) }
        return Generated(
            name: "config.json", bytes: Array((JSONValue.object(members).serialized(indented: true) + "\n").utf8))
    }
}
