import Checkpoints
import Glibc
import TestSupport
import Testing

/// What a sentence-transformers model needs beside its transformer, and what keeps a model from being copied.
@Suite struct ModuleTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try ModelBuilder.single(in: directory.path, large: 40_000)
        try Files.makeDirectory(directory("2_Dense"))
        try Files.write("{}", to: directory("2_Dense/config.json"))
    }

    private func writeModules(_ modules: [(path: String, type: String)]) throws {
        let list = modules.map { "{\"path\": \"\($0.path)\", \"type\": \"sentence_transformers.models.\($0.type)\"}" }
        try Files.write("[\(list.joined(separator: ", "))]", to: directory("modules.json"))
    }

    private func dense(_ tensor: String = "linear.weight", shape: [Int] = [4, 2]) -> [UInt8] {
        var builder = SafetensorsBuilder()
        builder.add(tensor, "F32", shape, byteCount: shape.reduce(4, *))
        return builder.build()
    }

    private func copied() throws -> [String] {
        let checkpoint = try Checkpoint(opening: directory.path)
        try checkpoint.checkFitForCopy(resharded: false)
        return checkpoint.sidecars.map(\.relativePath)
    }

    @Test func modulesKeepTheirWeights() throws {
        try Files.write(dense(), to: directory("2_Dense/model.safetensors"))
        #expect(try !copied().contains("2_Dense/model.safetensors"))
        try writeModules([
            ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"), ("3_Normalize", "Normalize"),
        ])
        #expect(try copied().contains("2_Dense/model.safetensors"))
        try Files.write([0x80, 2], to: directory("2_Dense/pytorch_model.bin"))
        #expect(try !copied().contains("2_Dense/pytorch_model.bin"))
    }

    @Test func modulesBehindLinksAreCopied() throws {
        let outside = try TemporaryDirectory()
        try Files.makeDirectory(outside("dense"))
        try Files.write(dense(), to: outside("dense/model.safetensors"))
        try Files.link(directory("3_Dense"), to: outside("dense"))
        #expect(try !copied().contains("3_Dense/model.safetensors"))
        try writeModules([("", "Transformer"), ("3_Dense", "Dense")])
        #expect(try copied().contains("3_Dense/model.safetensors"))
    }

    private func refuses(_ name: String, _ refusal: Refusal, at location: SourceLocation = #_sourceLocation) throws {
        #expect(throws: CheckpointError.refusedFile(path: directory(name), refusal), sourceLocation: location) {
            _ = try copied()
        }
    }

    @Test func modulesWhoseWeightsArePickledAreRefused() throws {
        try writeModules([("", "Transformer"), ("2_Dense", "Dense")])
        try Files.write([0x80, 2], to: directory("2_Dense/pytorch_model.bin"))
        try refuses("2_Dense/pytorch_model.bin", .pickledModule(folder: "2_Dense"))
        let asked = try Checkpoint(opening: directory.path, including: ["2_Dense/*.bin"])
        try asked.checkFitForCopy(resharded: false)
        #expect(asked.entries.filter(\.isIncluded).map(\.relativePath) == ["2_Dense/pytorch_model.bin"])
    }

    /// The copy of the transformer itself must not travel as a module.
    @Test func modulesThatHoldTheModelAreRefused() throws {
        try writeModules([("", "Transformer"), ("2_Dense", "Dense")])
        try Files.write(dense("middle", shape: [50_001]), to: directory("2_Dense/model.safetensors"))
        try refuses("2_Dense/model.safetensors", .modelTensors(tensor: "middle"))
    }

    @Test func listsThatLeadElsewhereAreRefused() throws {
        try writeModules([("", "Transformer"), ("2_Dense/", "Dense")])
        try Files.write(dense(), to: directory("2_Dense/model.safetensors"))
        #expect(try copied().contains("2_Dense/model.safetensors"))
        for path in ["../x", "/", "/etc", "a/../../b", ".hidden", "a//b", "a/.b"] {
            try writeModules([("", "Transformer"), (path, "Dense")])
            try refuses("modules.json", .modules(.unsafePath(path)))
        }
        try writeModules([("0_Transformer", "Transformer"), ("1_Pooling", "Pooling")])
        try refuses("modules.json", .modules(.transformerInFolder("0_Transformer")))
        for text in ["{}", "[1]", "[{\"path\": 1}]", "[{\"path\": \"\"}]", "[", ""] {
            try Files.write(text, to: directory("modules.json"))
            try refuses("modules.json", .modules(.malformed))
        }
    }

    @Test func aKeyInTheHeaderIsRefused() throws {
        var builder = SafetensorsBuilder()
        builder.metadata =
            "{\"note\":\"mergeproof secret key, version 1\\n\(String(repeating: "a1", count: 32))\\n\"}"
        builder.add("x", "U8", [3], byteCount: 3)
        try Files.write(builder.build(), to: directory("model.safetensors"))
        try refuses("model.safetensors", .keyInHeader)
    }

    @Test func adaptersAreRefused() throws {
        for name in ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"] {
            try Files.write(dense(), to: directory(name))
            try refuses(name, .adapter)
            let asked = try Checkpoint(opening: directory.path, including: ["*"])
            #expect(throws: CheckpointError.self) { try asked.checkFitForCopy(resharded: false) }
            unlink(directory(name))
        }
    }
}
