import Foundations

/// A token that is found in texts before a tokenizer's model sees them, as tokenizer.json lists it.
struct AddedToken: Sendable, Equatable {
    let content: BytewiseText
    private(set) var isSingleWord = false
    private(set) var stripsLeft = false
    private(set) var stripsRight = false
    private(set) var isNormalized: Bool
    var isSpecial: Bool

    init(_ content: String, isSpecial: Bool) {
        (self.content, self.isSpecial) = (BytewiseText(content), isSpecial)
        isNormalized = !isSpecial
    }

    /// A text, or an object with a content; nil for what is neither.
    init?(_ value: JSONValue, isSpecial standard: Bool) {
        if let text = value.string {
            self.init(text, isSpecial: standard)
            return
        }
        guard let object = value.object, let content = object["content"]?.string else { return nil }
        self.init(content, isSpecial: object["special"]?.bool ?? standard)
        isSingleWord = object["single_word"]?.bool ?? false
        stripsLeft = object["lstrip"]?.bool ?? false
        stripsRight = object["rstrip"]?.bool ?? false
        isNormalized = object["normalized"]?.bool ?? !isSpecial
    }

    /// - Parameter number: nil where it stands elsewhere.
    func json(number: Int?) -> JSONValue {
        let members: [(String, JSONValue)] = [
            ("content", .string(content.text)), ("single_word", .bool(isSingleWord)), ("lstrip", .bool(stripsLeft)),
            ("rstrip", .bool(stripsRight)), ("normalized", .bool(isNormalized)), ("special", .bool(isSpecial)),
        ]
        return .object(JSONObject((number.map { [("id", .int($0))] } ?? []) + members))
    }
}
