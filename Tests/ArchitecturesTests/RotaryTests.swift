import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Rotary frequencies of every kind of scaling against those of transformers, which computes them in f32.
@Suite struct RotaryTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    static let records: [JSONValue] =
        (try? JSONDocument(parsing: Files.read(Fixtures.root + "/references/rotary.json")).root.array) ?? []

    private func rotary(_ change: (inout JSONObject) -> Void) throws -> Rotary {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        change(&model.config)
        Files.remove(folder("m"))
        try model.write(to: folder("m"))
        let architecture = try Architecture.resolve(Checkpoint(opening: folder("m")))
        return try #require(architecture.attention.first?.rotary)
    }

    private func check(_ rotary: Rotary, _ record: JSONValue) {
        let expected = record["frequencies"]?.array?.compactMap(\.double) ?? []
        let frequencies = rotary.frequencies(length: record["length"]?.int ?? 0)
        #expect(frequencies.count == 6 && expected.count == 6)
        for (found, expected) in zip(frequencies, expected) { #expect((found / expected - 1).magnitude < 1e-6) }
        let factor = record["attention_factor"]?.double ?? 0
        #expect((rotary.attentionFactor / factor - 1).magnitude < 1e-9)
    }

    @Test(arguments: records.indices)
    func asVersion5Writes(number: Int) throws {
        let record = Self.records[number]
        check(try rotary { $0["rope_parameters"] = record["parameters"] ?? .null }, record)
    }

    @Test(arguments: records.indices)
    func asVersion4Writes(number: Int) throws {
        let record = Self.records[number]
        let rotary = try rotary { config in
            var scaling = record["parameters"]?.object ?? [:]
            config["rope_theta"] = scaling["rope_theta"] ?? .null
            scaling["rope_theta"] = nil
            config["rope_parameters"] = nil
            config["rope_scaling"] = .object(scaling)
        }
        check(rotary, record)
    }

    @Test func everyKindIsOnRecord() {
        let kinds = Set(Self.records.compactMap { $0["parameters"]?["rope_type"]?.string })
        #expect(kinds == ["linear", "dynamic", "llama3", "yarn", "longrope"])
    }
}
