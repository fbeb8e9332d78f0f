import Foundations

/// The numbers of a tokenizer's tokens, given as the tokenizers library gives them.
///
/// A token that the model has keeps its number. Others follow the model's, and each the largest that an added token has: what a file says of
/// these numbers is not looked at.
struct TokenNumbers: Sendable {
    /// Those of the model: pieces that texts are cut into.
    private(set) var model: [BytewiseText: Int]
    private(set) var added: [Int: AddedToken] = [:]
    private var addedNumbers: [BytewiseText: Int] = [:]
    private var largest: Int?

    init(model: [BytewiseText: Int]) { self.model = model }

    subscript(_ token: BytewiseText) -> Int? { addedNumbers[token] ?? model[token] }

    /// The token of a number.
    func token(of number: Int) -> BytewiseText? { added[number]?.content ?? model.first { $0.value == number }?.key }

    /// Every token with its number, by numbers; of one number by bytes.
    var all: [(token: BytewiseText, number: Int)] {
        model.merging(addedNumbers) { $1 }.map { ($0.key, $0.value) }
            .sorted { $0.1 != $1.1 ? $0.1 < $1.1 : $0.0.text.utf8.lexicographicallyPrecedes($1.0.text.utf8) }
    }

    /// Adds a token, or changes what is said of one that is there. An empty one is none.
    mutating func add(_ token: AddedToken) {
        guard !token.content.text.isEmpty else { return }
        let number = self[token.content] ?? max(largest.map { $0 + 1 } ?? 0, model.count)
        added[number] = token
        addedNumbers[token.content] = number
        largest = max(largest ?? 0, number)
    }

    /// Those below a number alone.
    func limited(to count: Int) -> TokenNumbers {
        var limited = TokenNumbers(model: model.filter { $0.value < count })
        limited.added = added.filter { $0.key < count }
        limited.addedNumbers = addedNumbers.filter { $0.value < count }
        limited.largest = limited.added.keys.max()
        return limited
    }

    /// Two tokens of one number, if there are any.
    var doubled: (first: String, second: String, number: Int)? {
        let all = all
        return zip(all, all.dropFirst()).first { $0.number == $1.number }
            .map { ($0.token.text, $1.token.text, $0.number) }
    }
}
