/// Why a model could not be evaluated.
public enum ForwardError: Error, Sendable, Equatable {
    case missingTensor(path: String, tensor: String)
    /// The model takes other inputs: text, images or sound.
    case wrongInputs(path: String, expected: String, found: String)
    case tokenOutOfRange(token: Int, vocabulary: Int)
    case typeOutOfRange(type: Int, types: Int)
    /// Segment types are given, but not one for each token.
    case typesDoNotFit(tokens: [Int], types: [Int])
    case sequenceTooLong(length: Int, maximum: Int)
    case emptySequence
    case imageShape(expected: [Int], found: [Int])
    case soundShape(expected: [Int], found: [Int])
    /// What is asked for would need more positions than the model has.
    case tooManyTokens(prompt: Int, count: Int, maximum: Int)
    case severalPrompts(count: Int)
    case notFinite(path: String, position: Int)
    case notGenerative(path: String, family: String)
    /// No place of the model has this name.
    case unknownActivation(path: String, name: String, nearest: String)
    /// A classifier reads the decoder where the encoder's text ends.
    case noEndOfText(sequence: Int, token: Int)
    case decoderDoesNotFit(tokens: Int, decoder: Int)
}

extension ForwardError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingTensor(let path, let tensor):
            "\(path): tensor \(tensor) is missing or not stored as F64, F32, F16 or BF16; download the model again"
        case .wrongInputs(let path, let expected, let found):
            "\(path): the model reads \(expected), found \(found); give inputs of that kind"
        case .tokenOutOfRange(let token, let vocabulary):
            "token \(token) lies outside of the vocabulary of \(vocabulary) tokens; tokenize with the model's own tokenizer"
        case .typeOutOfRange(let type, let types):
            "token type \(type) lies outside of the model's \(types) types; leave token_type_ids out or mend them"
        case .typesDoNotFit(let tokens, let types):
            "token_type_ids have lengths \(types), the tokens \(tokens); give one type for each token or none at all"
        case .sequenceTooLong(let length, let maximum):
            "a sequence has \(length) positions, the model has embeddings for \(maximum); shorten it"
        case .emptySequence: "a sequence is empty; leave it out"
        case .imageShape(let expected, let found):
            "an image has shape \(found), expected \(expected) (channels, height, width); resize it as the model's processor does"
        case .soundShape(let expected, let found):
            "a spectrogram has shape \(found), expected \(expected) (mel bins, frames); pad it as the model's processor does"
        case .tooManyTokens(let prompt, let count, let maximum):
            "\(count) tokens behind a prompt of \(prompt) need more than the model's \(maximum) positions; ask for fewer"
        case .severalPrompts(let count): "text is continued for one prompt at a time, found \(count); give one"
        case .notFinite(let path, let position):
            "\(path): the scores at position \(position) are not finite; the weights hold NaN or infinite values, or overflow"
        case .notGenerative(let path, let family):
            "\(path): this \(family) model does not generate text; give a causal decoder with a language head"
        case .unknownActivation(let path, let name, let nearest):
            "\(path): no activation is called \(name), the nearest that the model has is \(nearest); ask for that or another"
        case .noEndOfText(let sequence, let token):
            "sequence \(sequence) (from 0) does not hold the end-of-text token \(token), where this classifier reads; append it"
        case .decoderDoesNotFit(let tokens, let decoder):
            "a sequence has \(tokens) tokens and \(decoder) for the decoder; this classifier reads both side by side: give as many of each"
        }
    }
}
