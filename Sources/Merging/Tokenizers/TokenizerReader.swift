import Checkpoints
import Foundations

/// Reads the tokenizers of models, each once.
struct TokenizerReader {
    /// Forms of a tokenizer beside tokenizer.json.
    static let otherForms = [
        "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json", "vocab.json", "merges.txt",
        "vocab.txt",
    ]

    let system: any SystemCalls

    /// Nil where a directory has none.
    /// - Throws: `MergeError` for one in another form than tokenizer.json.
    func read(_ path: String) throws -> Tokenizer? {
        if let tokenizer = try Tokenizer(directory: path, system: system) { return tokenizer }
        if let form = try Self.otherForms.first(where: { try Checkpoint.holds($0, in: path, system) }) {
            throw MergeError.otherTokenizer(path: path, file: form)
        }
        return nil
    }

    func need(_ path: String) throws -> Tokenizer {
        guard let tokenizer = try read(path) else { throw MergeError.noTokenizer(path: path) }
        return tokenizer
    }
}
