/// Why a model could not be evaluated.
public enum ForwardError: Error, Sendable, Equatable {
    case missingTensor(path: String, tensor: String)
    /// The model takes other inputs: text, images or sound.
    case wrongInputs(path: String, expected: String, found: String)
    case tokenOutOfRange(token: Int, vocabulary: Int)
    case sequenceTooLong(length: Int, maximum: Int)
    case emptySequence
    case imageShape(expected: [Int], found: [Int])
    case notGenerative(path: String, family: String)
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
        case .sequenceTooLong(let length, let maximum):
            "a sequence has \(length) positions, the model has embeddings for \(maximum); shorten it"
        case .emptySequence: "a sequence is empty; leave it out"
        case .imageShape(let expected, let found):
            "an image has shape \(found), expected \(expected) (channels, height, width); resize it as the model's processor does"
        case .notGenerative(let path, let family):
            "\(path): \(family) models do not generate text; give a decoder with a language head"
        }
    }
}
