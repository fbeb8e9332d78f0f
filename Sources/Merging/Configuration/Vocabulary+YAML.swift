import Foundations

extension MergeConfiguration.Vocabulary {
    /// More rows are no padding.
    private static let largestMultiple = 1 << 20

    /// Reads `tokenizer_source` or `tokenizer`; nil where neither says anything.
    init?(_ members: [String: YAMLValue]) throws(YAMLFault) {
        let said = ["tokenizer_source", "tokenizer"].compactMap { members[$0] }.filter { !$0.isNull }
        guard let value = said.first else { return nil }
        guard said.count == 1 else {
            throw YAMLFault(line: said[1].line, reason: "expected one of tokenizer_source and tokenizer, found both")
        }
        guard let block = members["tokenizer"], !block.isNull else {
            self.init(try Self.source(value))
            return
        }
        let own = try block.members(of: ["source", "tokens", "pad_to_multiple_of"])
        var rules: [Rule] = []
        if let tokens = own["tokens"], !tokens.isNull {
            guard case .map(let list, _) = tokens else {
                throw YAMLFault(line: tokens.line, reason: "tokens is a map of tokens to their source")
            }
            for member in list { rules.append(try Self.rule(member)) }
        }
        self.init(
            try own["source"].map(Self.source) ?? .union, rules: rules,
            multiple: try own["pad_to_multiple_of"].flatMap(Self.multiple))
    }

    private static func source(_ value: YAMLValue) throws(YAMLFault) -> Source {
        switch value.text {
        case "base": .base
        case "union": .union
        default: .model(try value.modelName())
        }
    }

    private static func multiple(_ value: YAMLValue) throws(YAMLFault) -> Int? {
        if value.isNull { return nil }
        guard let count = value.number.flatMap(Int.init(exactly:)), (0...largestMultiple).contains(count) else {
            throw YAMLFault(
                line: value.line, reason: "pad_to_multiple_of: expected a whole number up to \(largestMultiple)")
        }
        return count == 0 ? nil : count
    }

    private static func rule(_ member: YAMLValue.Member) throws(YAMLFault) -> Rule {
        let own = try member.value.members(of: ["source", "force"])
        var isForced = false
        if let value = own["force"], !value.isNull {
            guard let flag = value.bool else { throw YAMLFault(line: value.line, reason: "force is true or false") }
            isForced = flag
        }
        let row = try own["source"].flatMap(row)
        guard row != nil || !isForced else {
            throw YAMLFault(
                line: member.line, reason: "token \(PrintableText.line(member.key)) is forced and has no source")
        }
        guard !member.key.isEmpty else { throw YAMLFault(line: member.line, reason: "a token is empty") }
        return Rule(member.key, row: row, isForced: isForced)
    }

    private static func row(_ value: YAMLValue) throws(YAMLFault) -> Row? {
        if value.isNull { return nil }
        guard case .map(let members, let line) = value, members.contains(where: { $0.key == "kind" }) else {
            return .model(try value.modelName())
        }
        let own = try value.members(of: ["kind", "model", "token_id", "token"])
        switch (own["kind"]?.text, own["model"], own["token_id"], own["token"]) {
        case ("zero", nil, nil, nil): return .zero
        case ("model_token", let model?, let number?, nil):
            guard let number = number.number.flatMap(Int.init(exactly:)), number >= 0 else {
                throw YAMLFault(line: number.line, reason: "token_id is a whole number from 0")
            }
            return .number(number, of: try model.modelName())
        case ("model_token", let model?, nil, let token?):
            return .token(try token.need("a token"), of: try model.modelName())
        default:
            throw YAMLFault(
                line: line,
                reason: "expected kind: zero, or kind: model_token with a model and one of token_id and token"
            )
        }
    }
}
