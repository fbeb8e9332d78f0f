import Checkpoints
import Foundations
import Glibc
import Protections
import TestSupport
import Testing

/// README.md tells of a protection, behind the publisher's own text, and comes back bit for bit.
@Suite struct ModelCardTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))
    private static let begin = "<!-- mergeproof: begin -->"
    private static let end = "<!-- mergeproof: end -->"

    init() throws { folder = try TemporaryDirectory() }

    private func write(_ card: String?, model: String = "llama_classifier") throws {
        Files.remove(folder("m"))
        try EditableModel(reading: Fixtures.path(model)).write(to: folder("m"))
        if let card { try Files.write(card, to: folder("m") + "/README.md") }
    }

    @discardableResult
    private func protect(
        _ method: ProtectionMethod = .lossless, _ change: (inout ProtectionOptions) -> Void = { _ in }
    ) throws -> String? {
        Files.remove(folder("p"))
        var options = ProtectionOptions(repeatable: method)
        change(&options)
        _ = try Protector.unsynchronized.protect(
            Checkpoint(opening: folder("m")), to: folder("p"), key: key, options: options)
        return text("p")
    }

    private func text(_ name: String) -> String? {
        (try? Files.read(folder(name) + "/README.md")).map { String(decoding: $0, as: UTF8.self) }
    }

    private func restore(accepting: Bool = false) throws -> RestorationProof {
        Files.remove(folder("r"))
        let report = try Protector.unsynchronized.restore(
            Checkpoint(opening: folder("p")), to: folder("r"), key: key, acceptsChanges: accepting)
        return try #require(report.proof)
    }

    /// A card, and what stands before the section of the protected model's.
    static let frontMatters: [(card: String, extended: String)] = [
        ("# Model\n", "---\ntags:\n- mergeproof\n---\n\n# Model\n\n"),
        ("# Model", "---\ntags:\n- mergeproof\n---\n\n# Model\n\n"), ("", "---\ntags:\n- mergeproof\n---\n\n"),
        ("\n\n", "---\ntags:\n- mergeproof\n---\n\n\n\n"),
        ("a\r\nb\r\n", "---\r\ntags:\r\n- mergeproof\r\n---\r\n\r\na\r\nb\r\n\r\n"),
        (
            "---\nlicense: mit\nbase_model: a/b\n---\nText\n",
            "---\nlicense: mit\nbase_model: a/b\ntags:\n- mergeproof\n---\nText\n\n"
        ),
        ("---\r\nlicense: mit\r\n---\r\n", "---\r\nlicense: mit\r\ntags:\r\n- mergeproof\r\n---\r\n\r\n"),
        ("\n---\na: b\n--- \t\nText\n\n", "\n---\na: b\ntags:\n- mergeproof\n--- \t\nText\n\n"),
        ("---\n---\n", "---\ntags:\n- mergeproof\n---\n\n"),
        ("---\n# none\n---", "---\n# none\ntags:\n- mergeproof\n---\n\n"),
        (
            "---\nlicense: mit\ntext: |\n  a\n---\n", "---\nlicense: mit\ntags:\n- mergeproof\ntext: |\n  a\n---\n\n"
        ),
        // Flow lists.
        ("---\ntags: [a, b]\nx: y\n---\n", "---\ntags: [a, b, mergeproof]\nx: y\n---\n\n"),
        ("---\ntags: []\n---\n", "---\ntags: [mergeproof]\n---\n\n"),
        ("---\ntags: [ ] # none\n---\n", "---\ntags: [mergeproof ] # none\n---\n\n"),
        ("---\ntags: [a, 'b, ]']\n---\n", "---\ntags: [a, 'b, ]', mergeproof]\n---\n\n"),
        ("---\ntags: [a,]\n---\n", "---\ntags: [a, mergeproof]\n---\n\n"),
        (
            "---\n\"tags\": [\n  a, # ]\n  \"b\" # c\n]\n---\n",
            "---\n\"tags\": [\n  a, # ]\n  \"b\", mergeproof # c\n]\n---\n\n"
        ),
        // Block lists.
        ("---\ntags:\n- a\n- b\nx: y\n---\n", "---\ntags:\n- a\n- b\n- mergeproof\nx: y\n---\n\n"),
        (
            "---\nx:\n  - c: |\n      tags:\n  - d\ntags:   # these\n\n  - a # b\n  # c\n  - 'b: c'\n\n# end\n---\n",
            "---\nx:\n  - c: |\n      tags:\n  - d\ntags:   # these\n\n  - a # b\n  # c\n  - 'b: c'\n  - mergeproof\n\n# end\n---\n\n"
        ),
        ("---\ntags:\nx: y\n---\n", "---\ntags:\n- mergeproof\nx: y\n---\n\n"),
        (
            "---\ndescription: >\n  - a\n\n  b\nquoted: \"c\n  tags: d\"\n---\n",
            "---\ndescription: >\n  - a\n\n  b\ntags:\n- mergeproof\nquoted: \"c\n  tags: d\"\n---\n\n"
        ),
    ]

    /// Cards whose front matter stays as it is: the tag is there, or what is written is not plainly understood.
    static let leftAlone = [
        "---\ntags: [a, mergeproof]\n---\n", "---\ntags:\n- 'mergeproof'\n- a\n---\n", "---\nlicense: mit\n",
        "---\nlicense: mit\nlicense: mit\n---\n", "---\ntags: a\n---\n", "---\ntags: *a\n---\n",
        "---\ntags: null\n---\n",
        "---\ntags: [a, [b]]\n---\n", "---\ntags: [a, {b: c}]\n---\n", "---\ntags: [a\n---\n", "---\ntags: 'a\n---\n",
        "---\ntags:\n- a: b\n---\n", "---\ntags:\n- - a\n---\n", "---\ntags:\n- a\n  - b\n---\n",
        "---\ntags:\n  a: b\n---\n",
        "---\ntags:\n- |\n  a\n---\n", "---\njust text\n---\n", "---\n- a\n---\n", "---\n{a: b}\n---\n",
        "---\na: b: c\n---\n",
        "---\na: [b] c\n---\n", "---\na: [b]\n  c\n---\n", "---\n\ta: b\n---\n", "---\na: b\n- c\n---\n",
        "---\n? a\n: b\n---\n",
        "---\na: @b\n---\n", "----\na: b\n----\n", " ---\na: b\n---\n", "---\ra: b\r---\r", "\u{feff}---\na: b\n---\n",
        "\u{feff}# Model\n", "--- # a\na: b\n---\n", "---\na: b\n...\n", "---\n%YAML 1.2\n---\na: b\n---\n",
    ]

    @Test(arguments: frontMatters.indices)
    func aTagIsAddedWhereItBelongs(number: Int) throws {
        let (card, extended) = Self.frontMatters[number]
        try write(card)
        let text = try #require(try protect())
        let parts = text.components(separated: Self.begin)
        #expect(parts.count == 2 && parts[0] == extended, "\(text)")
        #expect(parts.last?.hasSuffix(Self.end + (card.contains("\r\n") ? "\r\n" : "\n")) == true)
        #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
    }

    @Test(arguments: leftAlone)
    func whatIsNotUnderstoodStays(card: String) throws {
        try write(card)
        let text = try #require(try protect())
        #expect(text.components(separated: Self.begin)[0] == card + (card.hasSuffix("\n") ? "\n" : "\n\n"), "\(text)")
        #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
    }

    @Test func bytesThatAreNoTextComeBack() throws {
        try write(nil)
        try Files.write([0xff, 0xfe, 0x0a, 0x00, 0x80], to: folder("m") + "/README.md")
        chmod(folder("m") + "/README.md", 0o640)
        try protect()
        #expect(try Files.read(folder("p") + "/README.md").starts(with: [0xff, 0xfe, 0x0a, 0x00, 0x80]))
        #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
        for name in ["p", "r"] { #expect(Files.permissions(folder(name) + "/README.md") == 0o640) }
    }

    @Test func aCardOfItsOwnIsGoneAgain() throws {
        try write(nil)
        let text = try #require(try protect())
        #expect(text.hasPrefix("---\ntags:\n- mergeproof\n---\n\n" + Self.begin))
        #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
        let manifest = try Manifest.read(from: Checkpoint(opening: folder("p")))
        #expect(manifest.card?.extendsAnother == false)
    }

    @Test func noneIsWrittenUnasked() throws {
        for card in [nil, "# Model\n"] {
            try write(card)
            #expect(try protect { $0.writesCard = false } == card)
            #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
        }
        // What is no text to be copied has no section either.
        try write("mergeproof secret key, version 1\n" + String(repeating: "0f", count: 32))
        #expect(try protect() == nil)
    }

    /// A section that is there already is replaced, and comes back with all else.
    @Test func sectionsAreNotDoubled() throws {
        for card in ["# Model\n", nil] {
            try write(card)
            let first = try #require(try protect(.full))
            try write(first + "Behind.\n")
            let second = try #require(try protect(.lossless))
            #expect(second.components(separated: Self.begin).count == 2 && second.hasSuffix(Self.end + "\nBehind.\n"))
            #expect(second.contains("`lossless`") && !second.contains("`full`"))
            #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
        }
        // Two of them are left alone, and a third is added.
        let stray = "\(Self.begin)\n\(Self.end)\n"
        try write(stray + stray)
        #expect(try protect()?.components(separated: Self.begin).count == 4)
        #expect(try restore().changes == [] && Files.tree(folder("r")) == Files.tree(folder("m")))
    }

    @Test func theSameProtectionWritesTheSameCard() throws {
        try write("# Model\n")
        #expect(try protect(.full) == protect(.full))
    }

    // MARK: What it says

    @Test func itSaysWhatWasDone() throws {
        try write(nil)
        let plain = try #require(try protect(.mergelock))
        for phrase in [
            "`mergelock` ([arXiv 2509.01548]", "queries/keys and values/outputs of attention.", "rounded once",
            "The residual stream was not moved", "`mergeproof verify", "What it does not protect against",
            "arXiv:2509.01548 for `mergelock`", "arXiv 2606.30360", "fine-tuning", "quantisation",
        ] { #expect(plain.contains(phrase), "\(phrase)") }
        #expect(!plain.contains("bit for bit") && !plain.contains("hidden channels"))
        let exact = try #require(try protect(.lossless))
        #expect(
            exact.contains("bit for bit") && exact.contains("hidden channels of MLPs") && !exact.contains("To cite"))
        let full = try #require(try protect(.full))
        #expect(full.contains("The residual stream was moved, too (permuted)") && full.contains("the order of heads"))
        let kept = try #require(try protect(.full) { $0.residual = .none })
        #expect(kept.contains("The residual stream was not moved"))
        let some = try #require(try protect(.params) { $0.layers = [0] })
        #expect(some.contains("in layers 0."))
        try write(nil, model: "llama_tied")
        let turned = try #require(try protect(.full) { $0.residual = .hadamard })
        #expect(turned.contains("turned by an orthogonal matrix") && turned.contains("(`lm_head.weight`)"))
        #expect(try restore().changes == [] && Files.exists(folder("r") + "/README.md") == false)
    }

    // MARK: What is changed afterwards

    @Test func anEditedCardIsKeptWithoutOurPart() throws {
        let card = "---\nlicense: mit\n---\n# Model\n"
        try write(card)
        let whole = try #require(try protect())
        func restored(_ text: String) throws -> (String?, [Change]) {
            try Files.write(text, to: folder("p") + "/README.md")
            let proof = try restore()
            #expect(proof.isBitForBit)
            return (self.text("r"), proof.changes)
        }
        #expect(
            try restored(whole.replacing("# Model", with: "# My model")) == (
                "---\nlicense: mit\n---\n# My model\n", [.editedCard]
            ))
        #expect(try restored(whole + "More.\n") == (card + "More.\n", [.editedCard]))
        // A tag of the publisher's own, behind ours.
        let tagged = whole.replacing("- mergeproof\n", with: "- mergeproof\n- other\n")
        #expect(
            try restored(tagged) == ("---\nlicense: mit\ntags:\n- mergeproof\n- other\n---\n# Model\n", [.editedCard]))
        // The section is gone, or there are two: nothing is taken out.
        let gone = whole.components(separated: Self.begin)[0]
        #expect(try restored(gone) == (gone, [.file("README.md")]))
        #expect(try restored(whole + whole) == (whole + whole, [.file("README.md")]))
        #expect(try restored(card) == (card, [.file("README.md")]))
        Files.remove(folder("p") + "/README.md")
        let proof = try restore()
        #expect(proof.isBitForBit && proof.changes == [.missingFile("README.md")] && text("r") == nil)
    }

    @Test func anEditedCardOfOurOwnLeavesWhatWasWritten() throws {
        try write(nil)
        let whole = try #require(try protect())
        for (text, expected) in [
            (whole.replacing(Self.begin, with: "# Mine\n\n" + Self.begin), "# Mine\n"),
            (whole.replacing("Inference", with: "Inferences"), nil),
        ] {
            try Files.write(text, to: folder("p") + "/README.md")
            #expect(try restore().changes == [.editedCard] && self.text("r") == expected)
        }
    }

    /// What a manifest says of places is never followed out of the text, nor believed.
    @Test func placesThatAreTamperedWithAreFound() throws {
        try write("# Model\n")
        try protect()
        let path = folder("p") + "/mergeproof.json"
        let whole = try #require(try JSONDocument(parsing: try Files.read(path)).root.object)
        let card = try #require(whole["card"]?.object)
        func edit(_ at: JSONValue, _ count: JSONValue, _ replaced: JSONValue? = nil) -> JSONValue {
            var object: JSONObject = ["at": at, "count": count]
            object["replaced"] = replaced
            return .object(object)
        }
        for edits in [
            [], [edit(.int(0), .int(3))], [edit(.int(5), .int(.max))], [edit(.int(.max), .int(1))],
            [edit(.int(-1), .int(1))],
            [edit(.int(9), .int(9)), edit(.int(3), .int(3))], [edit(.int(0), .int(0), .string("AAAA"))],
            [edit(.int(0), .int(0), .string("?"))], [edit(.int(0), .int(100_000))], [.null],
        ] {
            var changed = card
            changed["edits"] = .array(edits)
            var manifest = whole
            manifest["card"] = .object(changed)
            try Files.write(JSONValue.object(manifest).serialized(), to: path)
            #expect(throws: ProtectionError.self) { try restore() }
            guard let proof = try? restore(accepting: true) else { continue }
            #expect(!proof.holds && !proof.isBitForBit)
        }
    }
}

extension String {
    /// By their bytes: a line end of two characters is one to Swift.
    fileprivate func components(separated separator: String) -> [String] {
        var (parts, rest) = ([String](), self[...])
        while let found = rest.firstRange(of: separator) {
            parts.append(String(rest[..<found.lowerBound]))
            rest = rest[found.upperBound...]
        }
        return parts + [String(rest)]
    }
}
