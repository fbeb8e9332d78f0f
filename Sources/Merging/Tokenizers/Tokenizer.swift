import Checkpoints
import Foundations

/// A tokenizer as transformers reads it: tokenizer.json, and the tokens that the files beside it name.
struct Tokenizer: Sendable {
    static let fileName = "tokenizer.json"
    static let settingsName = "tokenizer_config.json"
    static let mapName = "special_tokens_map.json"
    static let addedName = "added_tokens.json"
    /// Numbers lie below this: more rows than any table has.
    private static let mostNumbers = 1 << 24
    /// Roles of special tokens in the order in which transformers adds them.
    private static let roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map { $0 + "_token" }

    /// The directory.
    let path: String
    private let system: any SystemCalls
    let document: JSONDocument
    /// tokenizer_config.json.
    let settings: JSONDocument?
    private(set) var numbers: TokenNumbers
    /// What has each role, such as `pad_token`.
    private(set) var special: [(role: String, content: String)] = []
    /// Numbers from here on are left out; nil where all are kept.
    private(set) var limit: Int?

    /// Nil where a directory has no tokenizer.json.
    init?(directory path: String, system: any SystemCalls) throws {
        guard let document = try Checkpoint.document(Self.fileName, in: path, as: .bytewise, system) else {
            return nil
        }
        (self.path, self.system) = (path, system)
        self.document = document
        settings = try Checkpoint.document(Self.settingsName, in: path, as: .bytewise, system)
        let file = path + "/" + Self.fileName
        numbers = TokenNumbers(model: try Self.modelNumbers(document.root, file: file))
        let listed = try Self.added(document["added_tokens"], file: file)
        for token in listed { numbers.add(token) }
        try addNamed(listed)
        if let twins = numbers.doubled {
            throw MergeError.invalidTokenizer(
                path: file,
                reason:
                    "tokens \(Self.quoted(twins.first)) and \(Self.quoted(twins.second)) both have the number \(twins.number)"
            )
        }
        if let large = numbers.all.last, large.number >= Self.mostNumbers {
            throw MergeError.invalidTokenizer(
                path: file,
                reason:
                    "token \(Self.quoted(large.token.text)) has the number \(large.number), expected one below \(Self.mostNumbers)"
            )
        }
    }

    /// Without the tokens for which there are no rows.
    func limited(to count: Int) -> Tokenizer {
        guard let last = numbers.all.last, last.number >= count else { return self }
        var limited = self
        limited.numbers = numbers.limited(to: count)
        limited.limit = count
        return limited
    }

    /// The same with the special tokens that were left out, behind all others: whoever loads it adds them again.
    func restoringSpecial() -> TokenNumbers {
        var restored = numbers
        for token in special where restored[BytewiseText(token.content)] == nil {
            restored.add(AddedToken(token.content, isSpecial: true))
        }
        return restored
    }

    /// A file beside it, or nil when there is none of that name.
    func bytes(of name: String) throws(CheckpointError) -> [UInt8]? { try Checkpoint.bytes(of: name, in: path, system) }

    static func quoted(_ token: String) -> String { "\"\(PrintableText.line(token))\"" }

    // MARK: Reading

    /// The numbers of the model's pieces: an object, or a list of pieces with their scores.
    private static func modelNumbers(_ root: JSONValue, file: String) throws(MergeError) -> [BytewiseText: Int] {
        var numbers: [BytewiseText: Int] = [:]
        if let members = root["model"]?["vocab"]?.object?.members {
            numbers.reserveCapacity(members.count)
            for member in members {
                guard let number = member.value.int, (0..<mostNumbers).contains(number) else {
                    throw .invalidTokenizer(
                        path: file,
                        reason:
                            "the number of token \(quoted(member.key)) is \(member.value.serialized().prefix(40)), expected one below \(mostNumbers)"
                    )
                }
                numbers[BytewiseText(member.key)] = number
            }
        } else if let pieces = root["model"]?["vocab"]?.array {
            for (number, piece) in pieces.enumerated() {
                guard let text = piece.array?.first?.string else {
                    throw .invalidTokenizer(
                        path: file, reason: "piece \(number) of the model's vocabulary is no text with a score")
                }
                guard numbers.updateValue(number, forKey: BytewiseText(text)) == nil else {
                    throw .invalidTokenizer(
                        path: file, reason: "piece \(quoted(text)) stands twice in the model's vocabulary")
                }
            }
        } else {
            throw .invalidTokenizer(path: file, reason: "model.vocab is missing, which says the numbers of the tokens")
        }
        return numbers
    }

    private static func added(_ value: JSONValue?, file: String) throws(MergeError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        for item in value?.array ?? [] {
            guard let token = AddedToken(item, isSpecial: false) else {
                throw .invalidTokenizer(path: file, reason: "an item of added_tokens has no content")
            }
            tokens.append(token)
        }
        return tokens
    }

    /// Adds what the files beside tokenizer.json name, in transformers' order.
    private mutating func addNamed(_ listed: [AddedToken]) throws {
        var values = settings?.root.object ?? JSONObject()
        var known: [BytewiseText: AddedToken] = [:]
        var further: [(number: Int, token: AddedToken)] = []
        if let decoder = values["added_tokens_decoder"]?.object {
            for member in decoder.members {
                guard let number = Int(member.key), let token = AddedToken(member.value, isSpecial: false) else {
                    throw MergeError.invalidTokenizer(
                        path: path + "/" + Self.settingsName,
                        reason: "added_tokens_decoder has an item that is no token")
                }
                further.append((number, token))
            }
        } else {
            for token in listed { known[token.content] = token }
            let map = try Checkpoint.document(Self.mapName, in: path, as: .bytewise, system)
            for member in map?.root.object?.members ?? [] { values[member.key] = member.value }
            let names = try Checkpoint.document(Self.addedName, in: path, as: .bytewise, system)
            for member in names?.root.object?.members ?? [] where known[BytewiseText(member.key)] == nil {
                guard let number = member.value.int else { continue }
                further.append((number, AddedToken(member.key, isSpecial: false)))
            }
        }
        for item in further { known[item.token.content] = item.token }
        let named = Self.named(values)
        special = named.compactMap { name in name.role.map { ($0, name.token.content.text) } }
        let contents = Set(named.map(\.token.content))
        for var token in further.sorted(by: { $0.number < $1.number }).map(\.token) {
            if contents.contains(token.content) { token.isSpecial = true }
            numbers.add(token)
        }
        for name in named {
            var token = known[name.token.content] ?? name.token
            token.isSpecial = true
            numbers.add(token)
        }
    }

    /// Special tokens: those with a role, the standard ones first, and then those without.
    private static func named(_ values: JSONObject) -> [(role: String?, token: AddedToken)] {
        let others = values.members.map(\.key).filter { $0.hasSuffix("_token") && !roles.contains($0) }
        var named: [(role: String?, token: AddedToken)] = []
        for role in roles + others {
            guard let value = values[role], let token = AddedToken(value, isSpecial: true) else { continue }
            named.append((role, token))
        }
        let extra = [values["extra_special_tokens"], values["additional_special_tokens"]].compactMap(\.self)
            .first { $0.object?.members.isEmpty == false || $0.array?.isEmpty == false }
        named += (extra?.object?.members ?? []).compactMap { member in
            AddedToken(member.value, isSpecial: true).map { (member.key, $0) }
        }
        return named + (extra?.array ?? []).compactMap { AddedToken($0, isSpecial: true).map { (nil, $0) } }
    }
}
