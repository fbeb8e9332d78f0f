import Checkpoints
import TestSupport
import Testing

@Suite struct OpeningTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func aModelInOneFileIsRead() throws {
        try ModelBuilder.single(in: directory.path)
        let checkpoint = try Checkpoint(opening: directory.path)
        #expect(Array(checkpoint.tensors.keys) == ["empty", "small", "large", "middle", "scalar", "other"])
        let middle = try #require(checkpoint.tensors["middle"])
        #expect(middle.type == .bf16 && middle.elementCount == 50_001)
        let file = try Files.read(directory("model.safetensors"))
        #expect(checkpoint.bytes(of: middle).elementsEqual(file[middle.dataRange]))
        #expect(checkpoint.config?["model_type"]?.string == "bert")
        #expect(checkpoint.sidecars.map(\.relativePath) == ["1_Pooling/config.json", "config.json", "vocab.txt"])
        #expect(checkpoint.leftOut.isEmpty)
        let alone = try Checkpoint(opening: directory("model.safetensors"))
        #expect(alone.isSingleFile && alone.tensors.count == 6 && alone.sidecars.isEmpty)
    }

    @Test func shardsAreReadInOrder() throws {
        try ModelBuilder.sharded(in: directory.path, tensors: [("b", 3), ("a", 4), ("c", 5)], shards: [1, 0, 0])
        let checkpoint = try Checkpoint(opening: directory.path)
        #expect(Array(checkpoint.tensors.keys) == ["a", "c", "b"])
        #expect(checkpoint.shards.count == 2 && checkpoint.tensorBytes == 12 && checkpoint.sidecars.isEmpty)
    }

    /// Whatever holds weights in another form would carry the unprotected model into the output.
    @Test func foreignWeightsAreLeftOut() throws {
        try ModelBuilder.single(in: directory.path)
        let foreign = [
            "pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "lora/adapter_model.safetensors",
            "consolidated.safetensors", "model.gguf", "optimizer.pt", "flax_model.msgpack", "weights.ONNX",
            "PYTORCH_MODEL.BIN", "weights.hdf5", "m.ckpt.data-00000-of-00001", "backup.tar.gz",
            "onnx/model.onnx", "onnx/model.onnx_data", "2_Dense/model.safetensors",
        ]
        for folder in ["onnx", "2_Dense", "lora", ".git"] { try Files.makeDirectory(directory(folder)) }
        for name in foreign + [".git/config", ".hidden"] { try Files.write("x", to: directory(name)) }
        for (link, target) in [("circle", "."), ("broken", "nowhere"), ("loop", "loop"), ("linked.txt", "vocab.txt")] {
            try Files.link(directory(link), to: target)
        }
        let checkpoint = try Checkpoint(opening: directory.path)
        #expect(checkpoint.leftOut == foreign.sorted())
        #expect(
            checkpoint.sidecars.map(\.relativePath) == [
                "1_Pooling/config.json", "config.json", "linked.txt", "vocab.txt",
            ])
    }

    /// The hub's cache keeps files as links into a store.
    @Test func linkedFilesAreFollowed() throws {
        let blobs = try TemporaryDirectory()
        try ModelBuilder.single(in: blobs.path)
        for name in ["model.safetensors", "config.json"] { try Files.link(directory(name), to: blobs(name)) }
        let checkpoint = try Checkpoint(opening: directory.path)
        #expect(checkpoint.tensors.count == 6 && checkpoint.sidecars.map(\.relativePath) == ["config.json"])
    }
}
