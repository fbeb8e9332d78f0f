import Checkpoints
import Foundations
import Protections
import TestSupport
import Testing

/// Restoring proves what it gives back: nothing that was changed, in manifest, weights or files, comes back under a claim.
@Suite(.serialized) struct AuthenticationTests {
    private static let model = "llama_classifier"
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    @discardableResult
    private func protect(
        _ method: ProtectionMethod, model: String = Self.model, to name: String = "p", key: SecretKey? = nil,
        nonce: ProtectionNonce? = .zero
    ) throws -> Protector.Report {
        var options = ProtectionOptions(method: method)
        options.nonce = nonce
        return try Protector().protect(
            Checkpoint(opening: Fixtures.path(model)), to: folder(name), key: key ?? self.key, options: options)
    }

    private func restore(
        _ name: String = "p", key: SecretKey? = nil, accepting: Bool = false
    ) throws -> Protector.Report {
        Files.remove(folder("r"))
        return try Protector().restore(
            Checkpoint(opening: folder(name)), to: folder("r"), key: key ?? self.key, acceptsChanges: accepting)
    }

    /// Restoring stops and leaves nothing; told to go on, it claims nothing.
    private func refuses(_ what: String, _ expected: [Change]? = nil, accepting: Bool = true) throws {
        do {
            let report = try restore()
            Issue.record("\(what): restored, proof \(String(describing: report.proof))")
        } catch let error as ProtectionError {
            if let expected { #expect(error == .changed(path: folder("p"), expected), "\(what)") }
            #expect(!"\(error)".contains("\n"))
        } catch {
            #expect(expected == nil, "\(what): \(error)")
        }
        #expect(!Files.names(in: folder.path).contains { $0 == "r" || $0.hasSuffix("partial") }, "\(what)")
        guard accepting, let report = try? restore(accepting: true) else { return }
        #expect(report.proof?.holds == false && report.proof?.isBitForBit == false, "\(what)")
        if let expected { #expect(report.proof?.changes.filter(\.isGrave).starts(with: expected) == true, "\(what)") }
    }

    private var manifestPath: String { folder("p") + "/" + Manifest.fileName }

    private func manifest() throws -> JSONObject {
        try #require(try JSONDocument(parsing: try Files.read(manifestPath)).root.object)
    }

    private func write(_ manifest: JSONObject, to path: String? = nil) throws {
        try Files.write(JSONValue.object(manifest).serialized(indented: true) + "\n", to: path ?? manifestPath)
    }

    private func edit(_ body: (inout EditableModel) throws -> Void) throws {
        var model = try EditableModel(reading: folder("p"))
        try body(&model)
        try Files.write(model.safetensors, to: folder("p") + "/model.safetensors")
    }

    // MARK: What is claimed of an unchanged model

    @Test(arguments: ProtectionMethod.locks, [Self.model, "llama_sharded", "llama_bf16", "qwen3_moe"])
    func anUnchangedModelIsProved(method: ProtectionMethod, model: String) throws {
        let report = try protect(method, model: model)
        let read = try Manifest.read(from: Checkpoint(opening: folder("p")))
        #expect(read.nonce == report.manifest.nonce && read.keyIdentifier == report.manifest.keyIdentifier)
        let proof = try #require(try restore().proof)
        #expect(proof.holds && proof.changes.isEmpty && proof.identicalFiles == 1)
        // Under rotary embeddings pairs are flipped, which rounds nothing.
        #expect(proof.isBitForBit == (method == .lossless || method == .mergebarrier))
        let (original, restored) = (
            try EditableModel(reading: Fixtures.path(model)), try EditableModel(reading: folder("r"))
        )
        let identical = zip(original.tensors, restored.tensors).filter { $0.bytes == $1.bytes }.count
        #expect(proof.identicalTensors == identical && proof.tensors == original.tensors.count)
    }

    @Test func otherShardsAndHeadersAreTheSameModel() throws {
        try protect(.lossless, model: "llama_sharded")
        let checkpoint = try Checkpoint(opening: folder("p"))
        try CheckpointWriter().write(.resharded(checkpoint, maximumShardSize: 20_000), to: folder("many"))
        #expect(try restore("many").proof?.isBitForBit == true)
        #expect(try Checkpoint(opening: folder("many")).shards.count > 3)
        // Saved again by other software: one file, another order, no metadata.
        var model = try EditableModel(reading: folder("p"))
        model.tensors.reverse()
        for name in Files.names(in: folder("p")) where name.contains("safetensors") {
            Files.remove(folder("p") + "/" + name)
        }
        try Files.write(model.safetensors, to: folder("p") + "/model.safetensors")
        let proof = try #require(try restore().proof)
        #expect(proof.isBitForBit && proof.changes == [.headerMetadata(shard: "model.safetensors")])
    }

    @Test func whiteSpaceInTheManifestIsFree() throws {
        try protect(.lossless)
        try Files.write(JSONValue.object(try manifest()).serialized(), to: manifestPath)
        #expect(try restore().proof?.isBitForBit == true)
    }

    @Test func documentsAreNamedAndNoHindrance() throws {
        try protect(.lossless)
        try Files.write("# Locked", to: folder("p") + "/USE_POLICY.md")
        let proof = try #require(try restore().proof)
        #expect(proof.isBitForBit && proof.changes == [.addedFile("USE_POLICY.md")])
    }

    @Test func olderVersionsProveNothing() throws {
        let path = Fixtures.path("version-2")
        let report = try Protector().restore(
            Checkpoint(opening: path + "/lossless-stablelm"), to: folder("r"),
            key: try SecretKey(readingFrom: path + "/key"))
        #expect(report.proof == nil)
    }

    // MARK: What is found

    @Test(arguments: ProtectionMethod.locks)
    func everyFieldOfTheManifestCounts(method: ProtectionMethod) throws {
        try protect(method)
        let whole = try manifest()
        func tamper(_ what: String, _ expected: [Change]? = nil, _ body: (inout JSONObject) -> Void) throws {
            var changed = whole
            body(&changed)
            try #require(changed != whole, "\(what)")
            try write(changed)
            try refuses(what, expected)
        }
        for member in whole.members {
            try tamper("without \(member.key)") { $0[member.key] = nil }
            for value in Self.mutations(of: member.value) {
                try tamper("\(member.key): \(value.serialized().prefix(80))") { $0[member.key] = value }
            }
        }
        try tamper("a field more", [.manifest]) { $0["surplus"] = .string("00") }
        try tamper("a balance more", [.manifest]) { $0["balance"] = .string("AAAA") }
        try tamper("other order", [.manifest]) { $0 = JSONObject($0.members.reversed().map { ($0.key, $0.value) }) }
        for version in 1...2 {
            try tamper("format \(version)") { $0["format"] = .string("mergeproof-protection/\(version)") }
        }
        try tamper("condition", [.manifest]) { $0["condition"] = .double(8.5) }
        try tamper("layers", [.manifest]) { $0["layers"] = .array([.int(0)]) }
        try tamper("predicted rounding", [.manifest]) { $0["predicted_rounding_multiple"] = .double(9) }
        try tamper("tags swapped", [.manifest]) {
            guard var tensors = $0["tensors"]?.object else { return }
            let (a, b) = (tensors.members[0], tensors.members[1])
            (tensors[a.key], tensors[b.key]) = (b.value, a.value)
            $0["tensors"] = .object(tensors)
        }
        try write(whole)
        #expect(try restore().proof?.holds == true)
    }

    /// Values of the same kind that are not the same, and of another kind.
    private static func mutations(of value: JSONValue) -> [JSONValue] {
        switch value {
        case .string(let text):
            let end = text.hasSuffix("0") ? "1" : "0"
            return [.string(String(text.dropLast()) + end), .string(text + "0"), .null]
        case .number(let text): return [.number(text + "0"), .int(3), .string(text)]
        case .array(let values):
            return [.array(values + [.string("x")]), .array(Array(values.dropLast()) + [.null]), .null]
        case .object(let object):
            var (fewer, other) = (object, object)
            fewer[object.members[0].key] = nil
            other[object.members[0].key] = mutations(of: object.members[0].value)[0]
            return [.object(fewer), .object(other), .object(JSONObject())]
        default: return [.string("x"), .int(0)]
        }
    }

    @Test(arguments: ProtectionMethod.locks)
    func oneBitOfAnyTensorIsFound(method: ProtectionMethod) throws {
        try protect(method)
        let whole = try Files.read(folder("p") + "/model.safetensors")
        let names = try EditableModel(reading: folder("p")).tensors.map(\.name)
        for (number, name) in names.enumerated() {
            try edit { model in
                let count = model.tensors[number].bytes.count
                // The lowest bit of some value: a larger one might be refused as a number before.
                let place = [0, count - 4, count / 8 * 4][number % 3]
                model.tensors[number].bytes[place] ^= 1
            }
            try refuses(name, [.tensor(name)], accepting: number % 5 == 0)
            try Files.write(whole, to: folder("p") + "/model.safetensors")
        }
        #expect(try restore().proof?.holds == true)
    }

    @Test func tensorsThatTradePlacesAreFound() throws {
        try protect(.mergelock)
        let (a, b) = ("model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight")
        let whole = try Files.read(folder("p") + "/model.safetensors")
        func tamper(_ what: String, _ expected: [Change]?, _ body: (inout EditableModel) throws -> Void) throws {
            try edit(body)
            try refuses(what, expected)
            try Files.write(whole, to: folder("p") + "/model.safetensors")
        }
        try tamper("swapped", [.tensor(a), .tensor(b)]) { model in
            let (x, y) = (try model.index(a), try model.index(b))
            (model.tensors[x].bytes, model.tensors[y].bytes) = (model.tensors[y].bytes, model.tensors[x].bytes)
        }
        try tamper("renamed", [.missingTensor(a), .addedTensor("x")]) { $0.tensors[try $0.index(a)].name = "x" }
        try tamper("missing", [.missingTensor(a)]) { $0.tensors.remove(at: try $0.index(a)) }
        try tamper("added", [.addedTensor("x")]) {
            $0.tensors.append(.init(name: "x", type: .u8, shape: [1], bytes: [0]))
        }
        try tamper("another shape", nil) {
            let x = try $0.index(a)
            $0.tensors[x].shape.append(1)
        }
        try tamper("another type", nil) {
            try $0.convert(to: .f64) { value in withUnsafeBytes(of: Double(value)) { Array($0) } }
        }
        try tamper("another type of the same bytes", nil) { $0.tensors[try $0.index(a)].type = .i32 }
    }

    @Test(arguments: ["config.json", "tokenizer.json"])
    func filesThatALoaderReadsAreFound(name: String) throws {
        var model = try EditableModel(reading: Fixtures.path(Self.model))
        model.config["note"] = .string("x")
        try model.write(to: folder("m"))
        try Files.write("{\"version\": 1}", to: folder("m") + "/tokenizer.json")
        _ = try Protector().protect(
            Checkpoint(opening: folder("m")), to: folder("p"), key: key, options: ProtectionOptions(method: .lossless))
        #expect(try restore().proof?.identicalFiles == 2)
        let whole = try Files.read(folder("p") + "/" + name)
        try Files.write(whole + [0x20], to: folder("p") + "/" + name)
        try refuses("a blank more", [.file(name)])
        try Files.write(whole, to: folder("p") + "/" + name)
        try Files.write("import os", to: folder("p") + "/modeling.py")
        try refuses("code", [.addedFile("modeling.py")])
        Files.remove(folder("p") + "/modeling.py")
        Files.remove(folder("p") + "/" + name)
        try refuses("gone", [.missingFile(name)])
    }

    @Test func anotherModelsManifestIsFound() throws {
        try protect(.lossless)
        try protect(.lossless, to: "twin", nonce: nil)
        try protect(.lossless, model: "stablelm", to: "stranger")
        try protect(.lossless, to: "foreign", key: SecretKey(bytes: [UInt8](1...32)))
        for other in ["twin", "stranger", "foreign"] {
            try Files.write(try Files.read(folder(other) + "/" + Manifest.fileName), to: manifestPath)
            try refuses(other)
        }
    }

    @Test func aWrongKeyIsNoChange() throws {
        try protect(.lossless)
        for accepting in [false, true] {
            #expect(throws: ProtectionError.self) {
                try restore(key: SecretKey(bytes: [UInt8](1...32)), accepting: accepting)
            }
        }
        #expect(!Files.exists(folder("r")))
    }
}
