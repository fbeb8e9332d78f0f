import Checkpoints
import Foundations
import Merging
import TestSupport
import Testing

/// The files of a tokenizer beside the merged weights, and which tokenizers are refused.
@Suite struct VocabularyFilesTests {
    private let folder: TemporaryDirectory
    private let base: TokenModel
    private let other: TokenModel

    init() throws {
        folder = try TemporaryDirectory()
        base = try TokenModel(folder("base"), mark: 1, pieces: ["x", "y", "z"], added: ["<p>"])
        other = try TokenModel(folder("other"), mark: 2, pieces: ["z", "y", "w", "x"], added: ["<q>", "w"])
    }

    @discardableResult
    private func merge(
        _ vocabulary: MergeConfiguration.Vocabulary, named name: String = "merged"
    ) throws -> Merger.Report {
        Files.remove(folder(name))
        let sources = [base, other].map {
            MergeConfiguration.Source($0.path, settings: ["weight": .value(1)])
        }
        return try Merger(.init(.linear, sources, vocabulary: vocabulary)).merge(to: folder(name))
    }

    /// The base's files stay to the byte where its tokens do.
    @Test func theBasesFilesStay() throws {
        try Files.write("one", to: base.path + "/vocab.txt")
        try Files.write("{\"pad_token\": \"<p>\"}", to: base.path + "/tokenizer_config.json")
        try merge(.init(.base))
        for name in ["tokenizer.json", "tokenizer_config.json", "vocab.txt"] {
            #expect(try Files.read(folder("merged/\(name)")) == Files.read("\(base.path)/\(name)"))
        }
    }

    /// More tokens: added_tokens is all of tokenizer.json that changes, what says other things in another form goes, and what is listed elsewhere follows.
    @Test func moreTokensAreAdded() throws {
        try Files.write("one", to: base.path + "/vocab.txt")
        try Files.write("{\"<p>\": 3}", to: base.path + "/added_tokens.json")
        try Files.write("{\"pad_token\": \"<p>\"}", to: base.path + "/special_tokens_map.json")
        let listed = """
            {"added_tokens_decoder": {"3": {"content": "<p>", "lstrip": true, "normalized": false, "special": true}}, "pad_token": "<p>", "model_max_length": 1e30}
            """
        try Files.write(listed, to: base.path + "/tokenizer_config.json")
        try merge(.init(.union))
        let found = try MergedTokens(folder("merged"))
        // w is an added token of the other's: it is one here.
        #expect(found.list == ["x", "y", "z", "<p>", "w", "<q>"])
        let added = try #require(found.tokenizer["added_tokens"]?.array)
        #expect(added.compactMap { $0["content"]?.string } == ["<p>", "w", "<q>"])
        #expect(added.allSatisfy { $0["special"]?.bool == true } && added[0]["lstrip"]?.bool == true)
        #expect(!Files.exists(folder("merged/vocab.txt")) && !Files.exists(folder("merged/added_tokens.json")))
        #expect(
            try Files.read(folder("merged/special_tokens_map.json"))
                == Files.read(base.path + "/special_tokens_map.json"))
        let settings = try JSONDocument(parsing: Files.read(folder("merged/tokenizer_config.json")))
        #expect(settings["added_tokens_decoder"]?.object?.members.map(\.key) == ["3", "4", "5"])
        #expect(settings["added_tokens_decoder"]?["5"]?["content"]?.string == "<q>")
        #expect(String(decoding: settings.bytes, as: UTF8.self).hasSuffix("\"model_max_length\": 1e30}"))
        let old = try String(decoding: Files.read(base.path + "/tokenizer.json"), as: UTF8.self)
        let new = try String(decoding: Files.read(folder("merged/tokenizer.json")), as: UTF8.self)
        let end = try #require(old.range(of: "\"model\"")).lowerBound
        #expect(new.hasSuffix(old[end...]))
    }

    /// Another model's tokenizer: its files, and its numbers in config.json and generation_config.json.
    @Test func anothersFilesComeAlong() throws {
        var model = try EditableModel(reading: base.path)
        model.config["bos_token_id"] = .int(0)
        model.config["eos_token_id"] = .array([.int(2), .int(1)])
        model.config["pad_token_id"] = .int(3)
        try Files.write(JSONValue.object(model.config).serialized(), to: base.path + "/config.json")
        try Files.write("{\"bos_token_id\": 0, \"max_length\": 20}", to: base.path + "/generation_config.json")
        try Files.write("one", to: base.path + "/vocab.txt")
        try Files.write("{\"eos_token\": \"x\"}", to: base.path + "/special_tokens_map.json")
        try Files.write("{\"pad_token\": \"<q>\"}", to: other.path + "/tokenizer_config.json")
        let report = try merge(.init(.model(other.path)))
        #expect(report.notes.isEmpty)
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            #expect(try Files.read(folder("merged/\(name)")) == Files.read("\(other.path)/\(name)"))
        }
        #expect(!Files.exists(folder("merged/vocab.txt")) && !Files.exists(folder("merged/special_tokens_map.json")))
        let config = try EditableModel(reading: folder("merged")).config
        #expect(config["vocab_size"]?.int == 5 && config["bos_token_id"]?.int == 3)
        #expect(config["eos_token_id"]?.array?.map(\.int) == [0, 1])
        // <p> is no token there; what has its role is.
        #expect(config["pad_token_id"]?.int == 4)
        let generation = try JSONDocument(parsing: Files.read(folder("merged/generation_config.json")))
        #expect(generation["bos_token_id"]?.int == 3 && generation["max_length"]?.int == 20)
        // A tokenizer without a model.
        try Files.makeDirectory(folder("alone"))
        try Files.write(TokenModel.tokenizer(["w", "x"]), to: folder("alone/tokenizer.json"))
        let lost = try merge(.init(.model(folder("alone"))))
        #expect(try MergedTokens(folder("merged")).list == ["w", "x"])
        #expect(lost.notes.count == 1 && lost.notes[0].contains("pad_token_id"))
        #expect(try EditableModel(reading: folder("merged")).config["pad_token_id"]?.isNull == true)
    }

    /// A model without a tokenizer is taken for one with the base's, and that is said.
    @Test func noTokenizerIsTheBases() throws {
        let twin = try TokenModel(folder("twin"), mark: 3, pieces: ["a", "b", "c", "d"])
        Files.remove(twin.path + "/tokenizer.json")
        let sources = [base, twin].map { MergeConfiguration.Source($0.path, settings: ["weight": .value(1)]) }
        let report = try Merger(.init(.linear, sources, vocabulary: .init(.union))).merge(to: folder("merged"))
        #expect(report.notes.count == 1 && report.notes[0].hasPrefix(twin.path))
        let rows = try MergedTokens(folder("merged")).rows("lm_head.weight")
        #expect(rows[2][0] == (base.row(2)[0] + twin.row(2)[0]) / 2)
    }

    /// Each in one sentence, and nothing is left behind.
    @Test func whatCannotBeReadIsRefused() throws {
        func refuses(_ text: String?, file: String = "tokenizer.json", words: String) throws {
            let kept = try Files.read(other.path + "/tokenizer.json")
            defer { try? Files.write(kept, to: other.path + "/tokenizer.json") }
            Files.remove(other.path + "/tokenizer.json")
            if let text { try Files.write(text, to: other.path + "/" + file) }
            do {
                try merge(.init(.union))
                Issue.record("merged: \(words)")
            } catch {
                let said = "\(error)"
                #expect(said.contains(words) && !said.contains("\n") && said.contains(other.path), "\(said)")
            }
            #expect(!Files.exists(folder("merged")))
            if file != "tokenizer.json" { Files.remove(other.path + "/" + file) }
        }
        try refuses("pieces", file: "tokenizer.model", words: "tokenizer.model and no tokenizer.json")
        try refuses("a\nb\n", file: "vocab.txt", words: "vocab.txt and no tokenizer.json")
        try refuses("{\"model\": {}}", words: "model.vocab is missing")
        try refuses("{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}}}", words: "both have the number 0")
        try refuses("{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}", words: "stands twice")
        try refuses("{\"model\": {\"vocab\": {\"a\": -1}}}", words: "is -1")
        try refuses("{\"model\": {\"vocab\": {\"a\": 4000000000}}}", words: "4000000000")
        try refuses("{\"model\": {\"vocab\": {\"a\": 0.5}}}", words: "0.5")
        try refuses("{\"model\": {\"vocab\": [[\"a\", -1.5], [\"a\", -2]]}}", words: "stands twice")
        try refuses("{\"model\": {\"vocab\": [\"a\"]}}", words: "piece 0")
        try refuses("{\"added_tokens\": [{\"id\": 1}], \"model\": {\"vocab\": {\"a\": 0}}}", words: "no content")
        try refuses("{\"model\": {\"vocab\": {\"a\": 0}}", words: "ends too early")
        // An added token gets the number behind the pieces, which a gap in theirs has made another's.
        try refuses(
            "{\"added_tokens\": [{\"id\": 9, \"content\": \"b\"}], \"model\": {\"vocab\": {\"a\": 1}}}",
            words: "number 1")
    }

    @Test func whatRulesNameHasToBeThere() throws {
        typealias Rule = MergeConfiguration.Vocabulary.Rule
        func refuses(_ rule: Rule, _ error: MergeError) {
            #expect(throws: error) { try merge(.init(.union, rules: [rule])) }
            #expect(!error.description.contains("\n") && !Files.exists(folder("merged")))
        }
        refuses(
            Rule("<n>", row: .model("nobody")),
            .noTokenSource(token: "<n>", model: "nobody", known: [base.path, other.path]))
        refuses(Rule("<n>", row: .model(base.path)), .noTokenRow(token: "<n>", model: base.path, row: "token \"<n>\""))
        refuses(
            Rule("<n>", row: .number(4, of: base.path)), .noTokenRow(token: "<n>", model: base.path, row: "number 4"))
        refuses(
            Rule("<n>", row: .token("w", of: base.path)),
            .noTokenRow(token: "<n>", model: base.path, row: "token \"w\""))
        // Where every model has the token, nobody asks.
        try merge(.init(.union, rules: [Rule("x", row: .model("nobody"))]))
    }

    @Test func modelsWithoutTokensAreRefused() throws {
        let images = Fixtures.path("vit")
        #expect(throws: MergeError.noVocabulary(path: images)) {
            try Merger(
                .init(.linear, [.init(images, settings: ["weight": .value(1)])], vocabulary: .init(.base))
            ).merge(to: folder("merged"))
        }
        let plain = Fixtures.path("llama")
        #expect(throws: MergeError.noTokenizer(path: plain)) {
            try Merger(
                .init(.linear, [.init(plain, settings: ["weight": .value(1)])], vocabulary: .init(.base))
            ).merge(to: folder("merged"))
        }
    }

    // MARK: YAML

    @Test func everyFormIsRead() throws {
        func read(_ yaml: String) throws -> MergeConfiguration.Vocabulary? {
            try MergeConfiguration(parsing: "merge_method: linear\nmodels: [{model: a}]\n" + yaml).vocabulary
        }
        #expect(try read("") == nil && read("tokenizer_source: null") == nil)
        #expect(try read("tokenizer_source: base") == .init(.base))
        #expect(try read("tokenizer_source: union") == .init(.union))
        #expect(try read("tokenizer_source: some/path") == .init(.model("some/path")))
        #expect(try read("tokenizer_source: {model: {path: some/path}}") == .init(.model("some/path")))
        #expect(try read("tokenizer: {}") == .init(.union))
        #expect(try read("tokenizer: {source: base, pad_to_multiple_of: 0}") == .init(.base))
        let yaml = """
            tokenizer:
              source: some/path
              pad_to_multiple_of: 64
              tokens:
                <a>: {source: {kind: zero}}
                <b>: {source: m, force: true}
                <c>: {source: {kind: model_token, model: m, token_id: 3}}
                <d>: {source: {kind: model_token, model: {model: {path: m}}, token: "7"}}
                <e>: {}
            """
        #expect(
            try read(yaml)
                == .init(
                    .model("some/path"),
                    rules: [
                        .init("<a>", row: .zero), .init("<b>", row: .model("m"), isForced: true),
                        .init("<c>", row: .number(3, of: "m")), .init("<d>", row: .token("7", of: "m")),
                        .init("<e>", row: nil),
                    ], multiple: 64))
    }

    @Test(
        arguments: [
            ("tokenizer_source: base\ntokenizer: {source: base}", 4, "both"),
            ("tokenizer: union", 3, "expected a map"),
            ("tokenizer: {sauce: base}", 3, "unknown"),
            ("tokenizer: {pad_to_multiple_of: -2}", 3, "pad_to_multiple_of"),
            ("tokenizer: {pad_to_multiple_of: 1.5}", 3, "pad_to_multiple_of"),
            ("tokenizer:\n  tokens: [a]", 4, "map of tokens"),
            ("tokenizer:\n  tokens:\n    a: {source: m, force: maybe}", 5, "true or false"),
            ("tokenizer:\n  tokens:\n    a: {force: true}", 5, "forced"),
            ("tokenizer:\n  tokens:\n    a: {source: {kind: one}}", 5, "kind"),
            ("tokenizer:\n  tokens:\n    a: {source: {kind: model_token, model: m}}", 5, "kind"),
            ("tokenizer:\n  tokens:\n    a: {source: {kind: model_token, model: m, token_id: -1}}", 5, "token_id"),
            ("chat_template: auto", 3, "chat_template"),
        ])
    func faultsNameTheirLine(yaml: String, line: Int, words: String) throws {
        do {
            _ = try MergeConfiguration(parsing: "merge_method: linear\nmodels: [{model: a}]\n" + yaml)
            Issue.record("read: \(yaml)")
        } catch {
            #expect(error.line == line && error.reason.contains(words), "\(error)")
        }
    }
}
