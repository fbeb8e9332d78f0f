import Checkpoints
import Evaluation
import Foundations
import Glibc
import Protections
import TestSupport
import Testing
import Verification

/// A receipt says what went in, what came out, what was done and what was found; whatever is changed since is told.
@Suite struct ReceiptTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws {
        folder = try TemporaryDirectory()
        try EditableModel(reading: Fixtures.path("llama_classifier")).write(to: folder("m"))
        try Files.write("# Model\n", to: folder("m") + "/README.md")
        try Files.makeDirectory(folder("m") + "/extra")
        try Files.write("{}", to: folder("m") + "/extra/a.json")
        var options = ProtectionOptions(repeatable: .full)
        options.maximumShardSize = 20_000
        _ = try Protector.unsynchronized.protect(
            Checkpoint(opening: folder("m")), to: folder("p"), key: key, options: options)
    }

    private func make(evaluating: Bool = false, key: SecretKey? = nil) throws -> Receipt {
        let pair = try ModelPair(Checkpoint(opening: folder("m")), Checkpoint(opening: folder("p")), threads: 1)
        let outputs = evaluating ? try FunctionalVerification(threads: 1).verify(pair) : nil
        return try Receipt(
            pair, key: key ?? self.key, weights: AlgebraicVerification(threads: 1).verify(pair), outputs: outputs,
            version: "1.2.3", threads: 2)
    }

    private func read(_ json: JSONValue) throws -> Receipt {
        try Files.write(json.serialized(), to: folder("receipt"))
        return try Receipt(readingFrom: folder("receipt"))
    }

    private func check(
        _ receipt: Receipt, original: Bool = true, key: SecretKey? = SecretKey(bytes: [UInt8](0..<32))
    ) throws -> ReceiptCheck {
        try ReceiptCheck(receipt, protected: folder("p"), original: original ? folder("m") : nil, key: key, threads: 2)
    }

    private static func json(_ receipt: Receipt) throws -> JSONValue {
        try JSONDocument(parsing: Array(receipt.text.utf8)).root
    }

    // MARK: What it says

    @Test func itSaysWhatIsThere() throws {
        let receipt = try make(evaluating: true)
        let json = try Self.json(receipt)
        #expect(json["_type"]?.string == "https://in-toto.io/Statement/v1")
        #expect(json["predicateType"]?.string == "urn:mergeproof:receipt:1")
        for (listed, directory) in [(json["subject"], folder("p")), (json["predicate"]?["materials"], folder("m"))] {
            let sums = try CommandRunner.shell("cd \(directory) && find . -type f | sort | xargs sha256sum").output
            let expected = sums.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            let found = try #require(listed?.array).map {
                [$0["digest"]?["sha256"]?.string ?? "", "./" + ($0["name"]?.string ?? "")]
            }
            #expect(Set(found) == Set(expected) && found.count == expected.count && found.count > 3)
        }
        let predicate = try #require(json["predicate"])
        #expect(predicate["mergeproof"]?.string == "1.2.3" && predicate["architecture"]?.string == "llama")
        #expect(predicate["steps"]?.array?.first?["method"]?.string == "full")
        let manifest = try Manifest.read(from: Checkpoint(opening: folder("p")))
        #expect(predicate["key"]?["key_id"]?.string == manifest.keyIdentifier)
        #expect(predicate["blas"]?.string == manifest.blas && predicate["core_type"]?.string == manifest.coreType)
        let weights = try #require(predicate["verification"]?["weights"])
        #expect(weights["same_function"]?.bool == true && weights["sites"]?.array?.first?["kind"]?.string == "vo")
        #expect(weights["sites"]?.array?.allSatisfy { ($0["worst_invariant_error"]?.double ?? 1) < 1e-5 } == true)
        let outputs = try #require(predicate["verification"]?["outputs"])
        #expect(outputs["same_function"]?.bool == true && (outputs["rounding_floor"]?.double ?? 0) > 0)
        #expect(try Self.json(make())["predicate"]?["verification"]?["outputs"]?.isNull == true)
        #expect(!receipt.text.contains("000102030405060708090a0b0c0d0e0f"))
        let checked = try check(receipt)
        #expect(checked.holds && checked.checked.count == 4 && checked.unchecked.count == 2, "\(checked)")
        let less = try check(receipt, original: false, key: nil)
        #expect(less.holds && less.checked.count == 2 && less.unchecked.count == 3, "\(less)")
    }

    @Test func itIsTheSameWhenReadAgain() throws {
        let receipt = try make()
        try receipt.write(to: folder("r"))
        #expect(Files.permissions(folder("r")) == 0o600)
        #expect(throws: CheckpointError.outputExists(path: folder("r"))) { try receipt.write(to: folder("r")) }
        #expect(try Receipt(readingFrom: folder("r")) == receipt)
        // White space is free.
        #expect(try check(read(Self.json(receipt))).holds)
    }

    @Test func itLiesOutsideOfModels() throws {
        try Files.link(folder("l"), to: folder("p"))
        for path in ["p/r", "p/extra/r", "l/r", "p", "m/r", "new/r", "new/deeper/r"] {
            #expect(throws: CheckpointError.self, "\(path)") {
                try Receipt.checkPlace(folder(path), outside: [folder("m"), folder("p") + "/", folder("new")])
            }
        }
        #expect(throws: CheckpointError.outputParentMissing(path: folder("none"))) {
            try Receipt.checkPlace(folder("none") + "/r", outside: [folder("m")])
        }
        for path in ["r", "pr", "new.json"] {
            try Receipt.checkPlace(folder(path), outside: [folder("p"), folder("new")])
        }
    }

    @Test func whatProvesNothingHasNone() throws {
        #expect(throws: ProtectionError.self) { try make(key: SecretKey(bytes: [UInt8](1...32))) }
        let path = folder("p") + "/mergeproof.json"
        let whole = String(decoding: try Files.read(path), as: UTF8.self)
        try Files.write(whole.replacing("\"left_out\": []", with: "\"left_out\": [\"x\"]"), to: path)
        #expect(throws: ReceiptError.changedManifest(path: folder("p"))) { try make() }
        let old = Fixtures.path("version-2")
        let pair = try ModelPair(
            Checkpoint(opening: Fixtures.path("stablelm")), Checkpoint(opening: old + "/lossless-stablelm"), threads: 1)
        #expect(throws: ReceiptError.unproved(path: old + "/lossless-stablelm")) {
            try Receipt(
                pair, key: SecretKey(readingFrom: old + "/key"),
                weights: AlgebraicVerification(threads: 1).verify(pair),
                outputs: nil, version: "1")
        }
    }

    /// The receipt of a model that does not compute the same says so, and never holds.
    @Test func aFaultIsOnRecord() throws {
        var model = try EditableModel(reading: folder("m"))
        try model.edit("model.layers.0.self_attn.v_proj.weight") { $0[0] += 1 }
        try Files.write(model.safetensors, to: folder("m") + "/model.safetensors")
        let receipt = try make()
        #expect(try !receipt.sameFunction && !check(receipt).holds)
    }

    /// A base that was looked at is listed with its weights, and what changed weights is a claim like others.
    @Test func theBaseAndWhatChangedWeightsAreListed() throws {
        try EditableModel.base(of: folder("m")).write(to: folder("b"))
        let base = try Checkpoint(opening: folder("b"))
        func make(_ methods: ProtectionMethod..., listing base: Checkpoint?) throws -> Receipt {
            Files.remove(folder("p"))
            let steps = methods.map(StepOptions.init(method:))
            var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
            options.base = try Checkpoint(opening: folder("b"))
            _ = try Protector.unsynchronized.protect(
                Checkpoint(opening: folder("m")), to: folder("p"), key: key, options: options)
            let pair = try ModelPair(Checkpoint(opening: folder("m")), Checkpoint(opening: folder("p")), threads: 1)
            return try read(
                Self.json(
                    Receipt(
                        pair, base: base, key: key, weights: AlgebraicVerification(threads: 1).verify(pair),
                        outputs: nil, version: "1", threads: 1)))
        }
        func check(_ receipt: Receipt, base: String?) throws -> ReceiptCheck {
            try ReceiptCheck(receipt, protected: folder("p"), original: folder("m"), base: base, key: key, threads: 1)
        }
        let receipt = try make(.params, listing: base)
        let sum = try CommandRunner.shell("cd \(folder("b")) && sha256sum model.safetensors").output
        #expect(receipt.base.map { $0.sha256 + "  " + $0.name + "\n" } == [sum])
        let checked = try check(receipt, base: folder("b"))
        #expect(checked.holds && checked.checked.count == 5, "\(checked)")
        let less = try check(receipt, base: nil)
        #expect(less.holds && less.unchecked.contains("the base's files, as no base was given"), "\(less)")
        #expect(try !check(receipt, base: folder("m")).holds)
        #expect(try Self.json(receipt)["predicate"]?["changed_by"] == nil)
        let bare = try make(.params, listing: nil)
        #expect(try check(bare, base: nil).holds && !check(bare, base: folder("b")).holds)
        let masked = try make(.mergeguard, .lossless, listing: base)
        let json = try Self.json(masked)
        #expect(json["predicate"]?["changed_by"] == .array([.string("mergeguard")]))
        var (whole, predicate) = (json.object ?? [:], json["predicate"]?.object ?? [:])
        predicate["changed_by"] = .array([.string("decoy")])
        whole["predicate"] = .object(predicate)
        let failures = try check(read(.object(whole)), base: folder("b")).failures
        #expect(failures.contains { $0.hasPrefix("the receipt says otherwise than mergeproof.json") }, "\(failures)")
    }

    // MARK: What is told of

    private func fails(_ receipt: Receipt, _ phrase: String, key: SecretKey? = nil) throws {
        let check = try check(receipt, key: key ?? self.key)
        #expect(!check.holds && check.failures.contains { $0.contains(phrase) }, "\(phrase): \(check.failures)")
    }

    @Test func everyFileCounts() throws {
        let receipt = try make()
        for (directory, isProtected) in [(folder("p"), true), (folder("m"), false)] {
            for name in ["config.json", "extra/a.json", "README.md"]
                + Files.names(in: directory).filter({ $0.hasSuffix("tensors") })
            {
                let path = directory + "/" + name
                let whole = try Files.read(path)
                var bytes = whole
                bytes[bytes.count / 2] ^= 1
                try Files.write(bytes, to: path)
                try fails(receipt, "\(name) in \(directory) is not the file")
                Files.remove(path)
                try fails(receipt, "\(name) is in the receipt and not in \(directory)")
                try Files.makeDirectory(path)
                try fails(receipt, "\(name) is in the receipt and not in \(directory)")
                Files.remove(path)
                try Files.write(whole, to: path)
            }
            for name in ["b.json", ".hidden", "extra/b.py", "e\u{301}"] {
                try Files.write("x", to: directory + "/" + name)
                if isProtected {
                    try fails(receipt, "\(name) is in \(directory) and not")
                } else {
                    #expect(try check(receipt).holds)
                }
                Files.remove(directory + "/" + name)
            }
        }
        for target in ["/nowhere", folder("m")] {
            try Files.link(folder("p") + "/l", to: target)
            try fails(receipt, "l in \(folder("p")) is no file")
            Files.remove(folder("p") + "/l")
        }
        try Files.write("*.safetensors filter=lfs", to: folder("p") + "/.gitattributes")
        try Files.makeDirectory(folder("p") + "/.git")
        try Files.write("x", to: folder("p") + "/.git/HEAD")
        let check = try check(receipt)
        #expect(check.holds && check.checked.contains { $0.hasSuffix("no loader reads what else there is") })
        for what in [
            "what lies in \(folder("p"))/.git", ".gitattributes in \(folder("p")), which is not in the receipt",
        ] {
            #expect(check.unchecked.contains(what), "\(check.unchecked)")
        }
    }

    @Test func anotherKeyIsTold() throws {
        try fails(make(), "is not the one that the receipt names", key: SecretKey(bytes: [UInt8](1...32)))
    }

    /// With the key every field counts; without it those that files and manifest bear out.
    @Test func everyFieldCounts() throws {
        let whole = try Self.json(make(evaluating: true))
        var kept: Set<String> = []
        var count = 0
        for (place, changed) in Self.mutations(of: whole) {
            count += 1
            guard let receipt = try? read(changed) else { continue }
            #expect(try !check(receipt).holds, "\(place)")
            if try check(receipt, key: nil).holds { kept.insert(place) }
        }
        #expect(count > 60)
        let unproved = ["predicate.mergeproof", "predicate.key.commitment", "predicate.verification."]
        // A list of what was read that is shorter is one of which nothing is missing.
        kept.remove("predicate.materials")
        #expect(kept.allSatisfy { place in unproved.contains { place.hasPrefix($0) } }, "\(kept)")
        #expect(kept.contains("predicate.verification.weights.displacement"))
        for place in ["predicate.steps.0.condition", "predicate.steps.0.method", "predicate.steps.0.sites"] {
            #expect(!kept.contains(place))
        }
    }

    /// The value with one of its leaves changed, and where.
    private static func mutations(of value: JSONValue) -> [(String, JSONValue)] {
        switch value {
        case .null: [("", .bool(true))]
        case .bool(let value): [("", .bool(!value))]
        case .number(let text): [("", .number(text == "3" ? "4" : "3"))]
        case .string(let text): [("", .string(String(text.dropLast()) + (text.last == "0" ? "1" : "0")))]
        case .array(let values):
            values.enumerated().flatMap { number, item in
                mutations(of: item).map { place, changed in
                    var all = values
                    all[number] = changed
                    return ("\(number)." + place, .array(all))
                }
            } + [("", .array(Array(values.dropLast())))]
        case .object(let object):
            object.members.flatMap { member in
                mutations(of: member.value).map { place, changed in
                    var all = object
                    all[member.key] = changed
                    return (member.key + (place.isEmpty ? "" : "." + place), .object(all))
                }
            }
        }
    }

    // MARK: What is no receipt

    @Test func onlyWhatIsKnownIsRead() throws {
        let whole = try Self.json(make(evaluating: true))
        func refuses(_ json: JSONValue, _ phrase: String) {
            do {
                _ = try read(json)
                Issue.record("read: \(phrase)")
            } catch {
                #expect(error is ReceiptError && "\(error)".contains(phrase) && !"\(error)".contains("\n"), "\(error)")
            }
        }
        for (place, changed) in Self.objects(in: whole) {
            refuses(changed("surplus", .int(1)), (place + "surplus").replacing("..", with: ".") + " is no field")
        }
        for (place, key, changed) in Self.removals(in: whole) {
            // These may be missing.
            if ["assigned", "residual"].contains(key) { continue }
            refuses(changed, "\(place)\(key) is missing")
        }
        func set(_ name: String, _ value: JSONValue) -> JSONValue {
            var object = whole.object ?? JSONObject()
            object[name] = value
            return .object(object)
        }
        refuses(set("_type", .string("https://in-toto.io/Statement/v0.1")), "is no receipt of this version")
        refuses(set("predicateType", .string("https://slsa.dev/provenance/v1")), "is no receipt of this version")
        let digest = JSONValue.object(["sha256": .string(String(repeating: "0", count: 64))])
        for name in ["/etc/passwd", "../m/config.json", "a//b", ".", "", "a/", "a\u{0}b"] {
            refuses(set("subject", .array([.object(["name": .string(name), "digest": digest])])), "subject[0].name")
        }
        let twice = JSONValue.object(["name": .string("a"), "digest": digest])
        refuses(set("subject", .array([twice, twice])), "subject[1].name")
        for text in ["", "0", String(repeating: "0", count: 63) + "A", String(repeating: "g", count: 64)] {
            let file = JSONValue.object(["name": .string("a"), "digest": .object(["sha256": .string(text)])])
            refuses(set("subject", .array([file])), "subject[0].digest.sha256")
        }
        refuses(.array([whole]), "the whole is missing or malformed")
        let text = whole.serialized()
        for (number, text) in ["", "{", String(text.dropLast()), text + text, "{\"_type\": 1, \"_type\": 1}"]
            .enumerated()
        {
            try Files.write(text, to: folder("t"))
            #expect(throws: CheckpointError.self, "\(number)") { try Receipt(readingFrom: folder("t")) }
        }
        try #require(mkfifo(folder("pipe"), 0o600) == 0)
        for name in ["p", "pipe"] {
            #expect(throws: ReceiptError.notAReceipt(file: folder(name))) { try Receipt(readingFrom: folder(name)) }
        }
        try Files.write("", to: folder("large"))
        truncate(folder("large"), 65 << 20)
        #expect(throws: ReceiptError.notAReceipt(file: folder("large"))) { try Receipt(readingFrom: folder("large")) }
    }

    /// Every object, with a way to give it one more member.
    private static func objects(
        in value: JSONValue, _ place: String = ""
    ) -> [(place: String, with: (String, JSONValue) -> JSONValue)] {
        switch value {
        case .object(let object):
            [
                (
                    place,
                    {
                        var more = object; more[$0] = $1; return .object(more)
                    }
                )
            ]
                + object.members.flatMap { member in
                    objects(in: member.value, place + member.key + ".").map { inner in
                        (
                            inner.place,
                            { (key: String, extra: JSONValue) in
                                var more = object
                                more[member.key] = inner.with(key, extra)
                                return .object(more)
                            }
                        )
                    }
                }
        case .array(let values):
            values.prefix(2).enumerated().flatMap { number, item in
                objects(in: item, place.dropLast() + "[\(number)].").map { inner in
                    (
                        inner.place,
                        { (key: String, extra: JSONValue) in
                            var all = values
                            all[number] = inner.with(key, extra)
                            return .array(all)
                        }
                    )
                }
            }
        default: []
        }
    }

    /// Every member of every object left out.
    private static func removals(in value: JSONValue, _ place: String = "") -> [(String, String, JSONValue)] {
        switch value {
        case .object(let object):
            object.members.flatMap { member -> [(String, String, JSONValue)] in
                var fewer = object
                fewer[member.key] = nil
                return [(place, member.key, .object(fewer))]
                    + removals(in: member.value, place + member.key + ".").map { inner in
                        var other = object
                        other[member.key] = inner.2
                        return (inner.0, inner.1, .object(other))
                    }
            }
        case .array(let values):
            values.prefix(2).enumerated().flatMap { number, item in
                removals(in: item, place.dropLast() + "[\(number)].").map { inner in
                    var all = values
                    all[number] = inner.2
                    return (inner.0, inner.1, .array(all))
                }
            }
        default: []
        }
    }
}
