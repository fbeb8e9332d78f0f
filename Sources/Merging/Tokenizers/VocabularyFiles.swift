import Checkpoints
import Foundations

/// The files that say what a merged model's tokens are, and what its other files say of their numbers.
struct VocabularyFiles: Sendable {
    /// What is written in the place of the donor's files.
    let generated: [OutputPlan.Generated]
    /// The donor's files that say something else.
    let dropped: Set<String>
    private let former: TokenNumbers
    private let numbers: TokenNumbers
    private let special: [(role: String, content: String)]
    private let isOther: Bool

    private static let chatTemplate = "chat_template.jinja"
    /// Lists of numbers of tokens in generation_config.json.
    private static let lists = ["suppress_tokens", "begin_suppress_tokens"]

    /// - Parameters:
    ///   - numbers: of the output's tokens.
    ///   - donor: the tokenizer whose files would go along.
    init(_ source: Tokenizer, _ numbers: TokenNumbers, donor: Tokenizer) throws {
        (former, self.numbers, special) = (donor.numbers, numbers, source.special)
        isOther = source.path != donor.path
        let isSame = source.limit == nil && numbers.added == source.numbers.added
        let names = [Tokenizer.fileName, Tokenizer.settingsName, Tokenizer.mapName, Self.chatTemplate]
        let forms = [Tokenizer.addedName] + TokenizerReader.otherForms
        var generated: [OutputPlan.Generated] = []
        if isOther {
            for name in names + (isSame ? [Tokenizer.addedName] : []) {
                if let bytes = try source.bytes(of: name) { generated.append(.init(name: name, bytes: bytes)) }
            }
        }
        if !isSame {
            generated.removeAll { [Tokenizer.fileName, Tokenizer.settingsName].contains($0.name) }
            generated += try source.files(numbers)
        }
        dropped = isSame && !isOther ? [] : Set(isOther ? names + forms : forms).subtracting(generated.map(\.name))
        self.generated = generated
    }

    /// What stands for a number of the donor's tokens: that of the same token, else of what has the key's role.
    private func number(_ old: Int, key: String) -> Int? {
        let token = former.token(of: old)
        if let token, let number = numbers[token] { return number }
        let role = key.hasSuffix("_id") ? String(key.dropLast(3)) : key
        if let content = special.first(where: { $0.role == role })?.content { return numbers[BytewiseText(content)] }
        return nil
    }

    private func isNumbers(_ key: String) -> Bool {
        ["_token_id", "_token_ids", "_token_index"].contains { key.hasSuffix($0) } || Self.lists.contains(key)
    }

    /// A configuration in which numbers of tokens are the output's; one that no token of the output has is null.
    ///
    /// - Parameter lost: told of keys that become null.
    func renumbered(_ object: JSONObject, rowCount: Int, lost: (String) -> Void) -> JSONObject {
        var result = object
        for member in object.members {
            if let inner = member.value.object {
                result[member.key] = .object(renumbered(inner, rowCount: rowCount, lost: lost))
            }
            guard isNumbers(member.key) else { continue }
            func new(_ old: Int) -> Int? {
                number(old, key: member.key) ?? (!isOther && former.token(of: old) == nil && old < rowCount ? old : nil)
            }
            if let old = member.value.int, old >= 0 {
                if let new = new(old) {
                    result[member.key] = .int(new)
                } else {
                    lost(member.key)
                    result[member.key] = .null
                }
            } else if let list = member.value.array, !list.isEmpty, list.allSatisfy({ $0.int != nil }) {
                result[member.key] = .array(list.compactMap { $0.int.flatMap(new).map(JSONValue.int) })
            }
        }
        return result
    }
}

extension Tokenizer {
    /// tokenizer.json with the output's tokens, and what tokenizer_config.json says of them.
    fileprivate func files(_ numbers: TokenNumbers) throws -> [OutputPlan.Generated] {
        let added = numbers.added.sorted { $0.key < $1.key }
        var files: [OutputPlan.Generated] = []
        let limited = limit.map { document.limited(to: $0) } ?? document
        let list = JSONValue.array(added.map { $0.value.json(number: $0.key) })
        files.append(.init(name: Self.fileName, bytes: (limited.setting(["added_tokens"], to: list) ?? limited).bytes))
        if let settings {
            let decoder = added.map { (String($0.key), $0.value.json(number: nil)) }
            let isListed = settings["added_tokens_decoder"]?.object != nil
            let changed =
                isListed ? settings.setting(["added_tokens_decoder"], to: .object(JSONObject(decoder))) : settings
            files.append(.init(name: Self.settingsName, bytes: (changed ?? settings).bytes))
        }
        return files
    }
}

extension JSONDocument {
    /// tokenizer.json without tokens from a number on, and without merges of such.
    fileprivate func limited(to count: Int) -> JSONDocument {
        guard var model = self["model"]?.object else { return self }
        var gone: Set<BytewiseText> = []
        if let vocabulary = model["vocab"]?.object {
            let kept = vocabulary.members.filter { $0.value.int.map { $0 < count } ?? true }
            gone = Set(
                vocabulary.members.filter { $0.value.int.map { $0 >= count } ?? false }.map { BytewiseText($0.key) })
            model["vocab"] = .object(JSONObject(kept.map { ($0.key, $0.value) }))
        } else if let pieces = model["vocab"]?.array {
            model["vocab"] = .array(Array(pieces.prefix(count)))
        }
        if let merges = model["merges"]?.array {
            model["merges"] = .array(
                merges.filter { merge in
                    let parts =
                        merge.array?.compactMap(\.string)
                        ?? merge.string?.split(separator: " ", omittingEmptySubsequences: false).map(String.init) ?? []
                    return !parts.contains { gone.contains(BytewiseText($0)) }
                })
        }
        return setting(["model"], to: .object(model)) ?? self
    }
}
