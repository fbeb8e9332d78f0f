import Checkpoints

/// Writes small model directories.
public enum ModelBuilder {
    /// A model in one file: odd sizes, an odd header, tensors of no bytes, small and large ones.
    /// - Parameter large: Bytes of the largest tensor, a multiple of 4.
    public static func single(in directory: String, large: Int = 400_004, padding: Int = 3) throws {
        var builder = SafetensorsBuilder()
        builder.metadata = "{\"format\":\"pt\"}"
        builder.padding = padding
        builder.add("empty", "F32", [0, 7], byteCount: 0)
        builder.add("small", "U8", [5], byteCount: 5)
        builder.add("large", "F32", [large / 4], byteCount: large)
        builder.add("middle", "BF16", [50_001], byteCount: 100_002)
        builder.add("scalar", "I64", [], byteCount: 8)
        builder.add("other", "F16", [3, 20_001], byteCount: 120_006)
        try Files.write(builder.build(), to: directory + "/model.safetensors")
        try writeSidecars(in: directory)
    }

    public static func writeSidecars(in directory: String) throws {
        try Files.write("{\"model_type\": \"bert\"}\n", to: directory + "/config.json")
        try Files.write("tokens\n", to: directory + "/vocab.txt")
        try Files.makeDirectory(directory + "/1_Pooling")
        try Files.write("{}", to: directory + "/1_Pooling/config.json")
    }

    /// A model in shards: tensor number i of `tensors`, with its size in bytes, lies in shard `shards[i]`.
    public static func sharded(
        in directory: String, tensors: [(name: String, bytes: Int)], shards: [Int], padding: Int = 0
    ) throws {
        let count = (shards.max() ?? 0) + 1
        func name(_ shard: Int) -> String {
            "model-0000\(shard + 1)-of-0000\(count).safetensors"
        }
        var map: [String] = []
        for shard in 0..<count {
            var builder = SafetensorsBuilder()
            builder.metadata = "{\"format\":\"pt\"}"
            builder.padding = padding
            for (tensor, place) in zip(tensors, shards) where place == shard {
                builder.add(tensor.name, "U8", [tensor.bytes], byteCount: tensor.bytes)
                map.append("\"\(tensor.name)\": \"\(name(shard))\"")
            }
            try Files.write(builder.build(), to: directory + "/" + name(shard))
        }
        let total = tensors.reduce(0) { $0 + $1.bytes }
        let text =
            "{\"metadata\": {\"total_size\": \(total), \"note\": \"x\"}, \"weight_map\": {\(map.joined(separator: ", "))}}\n"
        try Files.write(text, to: directory + "/model.safetensors.index.json")
    }
}
