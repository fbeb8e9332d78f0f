import Checkpoints
import Merging
import TestSupport
import Testing

/// Merges that are evaluated without being written are those that would be.
@Suite struct MergedModelTests {
    private let folder: TemporaryDirectory
    private let base, first, second: Checkpoint

    init() throws {
        folder = try TemporaryDirectory()
        var models: [Checkpoint] = []
        for (number, name) in ["base", "first", "second"].enumerated() {
            var model = try EditableModel(reading: Fixtures.path("llama_bf16"))
            for tensor in model.tensors.indices where number > 0 {
                for place in stride(from: number, to: model.tensors[tensor].bytes.count, by: 2 * number)
                where place % 2 == 0 {
                    model.tensors[tensor].bytes[place] ^= UInt8(number) << 4
                }
            }
            models.append(try Checkpoint(opening: model.write(to: folder(name))))
        }
        (base, first, second) = (models[0], models[1], models[2])
    }

    private static let methods: [MergeMethod] = [
        .linear, .taskArithmetic, .ties, .dareLinear, .della, .slerp, .magMax, .tsvM,
    ]

    @Test(arguments: methods, [true, false])
    func bytesAreThoseOfTheMerger(_ method: MergeMethod, keeping: Bool) throws {
        let isPair = method.models == 1...1
        var settings: MergeConfiguration.Settings = ["density": .value(0.5), "epsilon": .value(0.1)]
        settings = settings.filter { parameter in method.parameters.contains { $0.name == parameter.key } }
        for name in ["t", "task"] where method.parameters.contains(where: { $0.name == name }) {
            settings[name] = .value(name == "t" ? 0.25 : 1)
        }
        let own: MergeConfiguration.Settings =
            method.parameters.contains { $0.name == "weight" } ? ["weight": .value(0.75)] : [:]
        let hasBase = method.base != .ignored
        let sources = (isPair ? ["second"] : ["first", "second"]).map {
            MergeConfiguration.Source($0 == "first" ? "1" : isPair ? "1" : "2", settings: own)
        }
        let named = isPair ? ["0": first, "1": second] : ["0": base, "1": first, "2": second]
        let configuration = MergeConfiguration(method, sources, base: hasBase ? "0" : nil, settings: settings)
        try Merger(configuration, seed: 7).merge(to: folder("out")) { try #require(named[$0]) }
        let merged = try MergedModel(
            method, (isPair ? [second] : [first, second]).map { .init($0, settings: own) },
            base: isPair ? first : hasBase ? base : nil, settings: settings, seed: 7, keeping: keeping, threads: 2)
        let written = try Checkpoint(opening: folder("out"))
        try merged.checked { merged in
            #expect(Array(merged.tensors.keys) == Array(written.tensors.keys))
            var differ = 0
            for (name, tensor) in merged.tensors {
                let record = try #require(written.tensors[name])
                let content = merged.content(of: tensor)
                #expect(content.bytes.elementsEqual(written.bytes(of: record)), "\(name)")
                differ += content.bytes.elementsEqual(base.bytes(of: try #require(base.tensors[name]))) ? 0 : 1
            }
            #expect(differ > 0)
        }
    }

    /// What is asked for again is the same memory, where all is kept.
    @Test func whatIsKeptIsMadeOnce() throws {
        for keeping in [true, false] {
            let merged = try MergedModel(
                .linear, [first, second].map { .init($0, settings: ["weight": .value(1)]) }, base: nil,
                keeping: keeping, threads: 1)
            try merged.checked { merged in
                let tensors = Array(merged.tensors.values)
                let before = merged.content(of: tensors[0]).bytes.baseAddress
                let held = tensors.dropFirst().map { merged.content(of: $0) }
                if keeping { #expect(merged.content(of: tensors[0]).bytes.baseAddress == before) }
                withExtendedLifetime(held) {}
            }
        }
    }

    @Test func weightsThatAreNoNumbersAreToldOnceTheyAreLookedAt() throws {
        var model = try EditableModel(reading: first.path)
        let place = try model.index("model.layers.0.mlp.up_proj.weight")
        model.tensors[place].bytes[0] = 0xc0
        model.tensors[place].bytes[1] = 0x7f
        let broken = try Checkpoint(opening: model.write(to: folder("nan")))
        let merged = try MergedModel(
            .linear, [broken, second].map { .init($0, settings: ["weight": .value(1)]) }, base: nil, keeping: true,
            threads: 2)
        try merged.checked { _ in }
        #expect(throws: MergeError.nonFinite(path: broken.path, tensor: model.tensors[place].name)) {
            try merged.checked { _ = $0.content(of: try #require($0.tensors[model.tensors[place].name])) }
        }
    }

    /// A part that is left out of all is nobody's.
    @Test func tensorsThatAreLeftOutAreNotMerged() throws {
        let gone: Set = ["lm_head.weight"]
        let merged = try MergedModel(
            .linear, [first, second].map { .init(Checkpoint($0, without: gone), settings: ["weight": .value(1)]) },
            base: nil,
            keeping: true, threads: 1)
        try merged.checked { #expect(Set($0.tensors.keys) == Set(first.tensors.keys).subtracting(gone)) }
    }
}
