import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// config.json as Python writes it: numbers that JSON does not have, and a byte order mark.
@Suite struct LenientConfigTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// The llama fixture with the text of its config.json changed.
    private func resolve(_ change: (String) -> String) throws -> Architecture {
        Files.remove(folder("m"))
        let path = try EditableModel(reading: Fixtures.path("llama")).write(to: folder("m"))
        let text = String(decoding: try Files.read(path + "/config.json"), as: UTF8.self)
        try Files.write(change(text), to: path + "/config.json")
        return try Architecture.resolve(try Checkpoint(opening: path))
    }

    private func adding(_ member: String) -> (String) -> String {
        { "{" + member + "," + $0.dropFirst() }
    }

    @Test(arguments: ["NaN", "Infinity", "-Infinity", "[1, Infinity]", "1e999"])
    func numbersThatJSONDoesNotHave(number: String) throws {
        #expect(try resolve(adding("\"aside\": \(number)")).notes == [])
    }

    @Test(arguments: ["NaN", "Infinity", "-Infinity"])
    func whereTheyAreReadTheyAreRefused(number: String) throws {
        #expect(
            throws: ArchitectureError.invalidConfigValue(
                path: folder("m"), key: "rms_norm_eps", found: number, expected: "0 or a positive number")
        ) {
            try resolve { $0.replacing("1e-06", with: number) }
        }
    }

    @Test(arguments: ["nan", "Inf", "+Infinity", "- Infinity", "Infinit", "InfinityX", "--Infinity"])
    func nothingElseIsANumber(number: String) throws {
        #expect(throws: CheckpointError.self) { try resolve(adding("\"aside\": \(number)")) }
    }

    @Test func aByteOrderMarkIsNoted() throws {
        let notes = try resolve { "\u{feff}" + $0 }.notes
        #expect(notes.count == 1 && notes[0].contains("byte order mark"))
        #expect(throws: CheckpointError.self) { try resolve { "\u{feff}\u{feff}" + $0 } }
    }

    /// Headers of weights stay strict, and so do all other documents.
    @Test func onlyConfigIsLenient() throws {
        #expect(throws: JSONFault.self) { try JSONDocument(parsing: Array("[Infinity]".utf8)) }
        #expect(throws: JSONFault.self) { try JSONDocument(parsing: Array("\u{feff}{}".utf8)) }
        let document = try JSONDocument(parsing: Array("\u{feff}{\"a\": -Infinity}".utf8), as: .lenient)
        #expect(document["a"]?.double == -.infinity && document["a"]?.int == nil)
        let changed = try #require(document.setting(["b"], to: .int(1)))
        #expect(changed.bytes == Array("\u{feff}{\"a\": -Infinity,\"b\": 1}".utf8))
    }
}
