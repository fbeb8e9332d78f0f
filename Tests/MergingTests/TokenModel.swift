import Checkpoints
import Foundations
import TestSupport
import Testing

/// A recorded model with tables of another size, whose values tell model, row and column, and a tokenizer of a few tokens.
struct TokenModel {
    let path: String
    /// Tells the model.
    let mark: Double

    /// The tensors that count tokens.
    static let tables = [
        "llama": ["model.embed_tokens.weight", "lm_head.weight"],
        "llama_bf16": ["model.embed_tokens.weight", "lm_head.weight"],
        "gpt2": ["transformer.wte.weight"],
        "bert_masked_lm": ["bert.embeddings.word_embeddings.weight", "cls.predictions.bias"],
        "bart": ["model.shared.weight", "final_logits_bias"],
    ]

    /// - Parameters:
    ///   - pieces: of the tokenizer's model, by their numbers.
    ///   - added: tokens that follow them, or that are among them.
    ///   - rows: of the tables; as many as there are tokens, unless said otherwise.
    ///   - merges: of pieces, as pairs.
    @discardableResult
    init(
        _ path: String, mark: Double, fixture: String = "llama", pieces: [String], added: [String] = [],
        rows: Int? = nil, merges: [(String, String)] = []
    ) throws {
        (self.path, self.mark) = (path, mark)
        let count =
            rows ?? pieces.count
            + added.filter { token in !pieces.contains { $0.utf8.elementsEqual(token.utf8) } }.count
        var model = try EditableModel(reading: Fixtures.path(fixture))
        model.config["vocab_size"] = .int(count)
        for name in Self.tables[fixture] ?? [] {
            let place = try model.index(name)
            var shape = model.tensors[place].shape
            shape[name == "final_logits_bias" ? 1 : 0] = count
            model.tensors[place].shape = shape
            let bytes = shape.reduce(model.tensors[place].type.bitWidth / 8, *)
            model.tensors[place].bytes = [UInt8](repeating: 0, count: bytes)
            let columns = shape.reduce(1, *) / count
            try model.editFloats(name) {
                for i in $0.indices { $0[i] = Self.value(mark, row: i / columns, column: i % columns) }
            }
        }
        try model.write(to: path)
        try Files.write(Self.tokenizer(pieces, added, merges), to: path + "/tokenizer.json")
    }

    /// Exact in f32.
    static func value(_ mark: Double, row: Int, column: Int) -> Double {
        mark * 256 + Double(row) + Double(column) / 64
    }

    func row(_ row: Int) -> [Double] { (0..<48).map { Self.value(mark, row: row, column: $0) } }

    /// A tokenizer.json, as JSON's own writer gives it.
    static func tokenizer(_ pieces: [String], _ added: [String] = [], _ merges: [(String, String)] = []) -> String {
        let vocabulary = JSONObject(pieces.enumerated().map { ($1, .int($0)) })
        var next = pieces.count
        let tokens = added.map { token in
            let own = pieces.firstIndex { $0.utf8.elementsEqual(token.utf8) }
            if own == nil { next += 1 }
            return JSONValue.object([
                "id": .int(own ?? next - 1), "content": .string(token), "single_word": .bool(false),
                "lstrip": .bool(false),
                "rstrip": .bool(false), "normalized": .bool(false), "special": .bool(true),
            ])
        }
        let root: JSONValue = .object([
            "version": .string("1.0"), "added_tokens": .array(tokens),
            "model": .object([
                "type": .string("BPE"), "vocab": .object(vocabulary),
                "merges": .array(merges.map { .array([.string($0.0), .string($0.1)]) }),
            ]),
        ])
        return root.serialized()
    }
}

/// What a merge has made of tables and tokens.
struct MergedTokens {
    let model: EditableModel
    let tokenizer: JSONValue

    init(_ path: String) throws {
        model = try EditableModel(reading: path)
        tokenizer = try JSONDocument(parsing: Files.read(path + "/tokenizer.json"), as: .bytewise).root
    }

    /// Every token by its number: pieces, then added ones that are none.
    var tokens: [Int: [UInt8]] {
        var tokens: [Int: [UInt8]] = [:]
        for member in tokenizer["model"]?["vocab"]?.object?.members ?? [] {
            if let number = member.value.int { tokens[number] = Array(member.key.utf8) }
        }
        for token in tokenizer["added_tokens"]?.array ?? [] {
            if let number = token["id"]?.int, let text = token["content"]?.string { tokens[number] = Array(text.utf8) }
        }
        return tokens
    }

    /// The same as a list, where numbers have no gaps.
    var list: [String] {
        let tokens = tokens
        return (0..<tokens.count).map { tokens[$0].map { String(decoding: $0, as: UTF8.self) } ?? "missing" }
    }

    /// Rows of a table.
    func rows(_ name: String) throws -> [[Double]] {
        let values = try model.floats(name)
        let count = try #require(model.config["vocab_size"]?.int)
        let columns = values.count / max(count, 1)
        return (0..<count).map { Array(values[$0 * columns..<($0 + 1) * columns]) }
    }
}
