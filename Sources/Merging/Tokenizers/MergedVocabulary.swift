import Architectures
import Checkpoints
import Foundations

/// The vocabulary of a merged model: its tokens' numbers, and where each model has their rows.
struct MergedVocabulary: Sendable {
    typealias Rule = MergeConfiguration.Vocabulary.Rule

    /// The axis of each tensor that counts tokens.
    let axes: [String: Int]
    /// How many rows the tables have.
    let rowCount: Int
    /// How many tokens each model has rows for.
    let sizes: [String: Int]
    let numbers: TokenNumbers
    let files: VocabularyFiles
    let notes: [String]
    /// Of each model, its row for each of the output's.
    private let own: [String: [Int32]]
    private let rules: [(row: Int, rule: Rule)]
    /// The numbers of tokens that rules name, nil where a model lacks it.
    private let named: [NamedToken: Int]

    private struct NamedToken: Hashable {
        let token: BytewiseText
        let model: String
    }

    /// - Parameter opening: finds the directory of a tokenizer that no merged model has.
    init(
        _ said: MergeConfiguration.Vocabulary, names: [String], models: [String: Checkpoint],
        system: any SystemCalls, opening: (String) throws -> String
    ) throws {
        guard let first = names.first, let donor = models[first] else { throw MergeError.noModels }
        axes = try VocabularyTables.axes(of: donor)
        var sizes: [String: Int] = [:]
        for (name, model) in models { sizes[name] = try VocabularyTables.size(of: model) }
        let reader = TokenizerReader(system: system)
        let base = try reader.need(donor.path)
        let stripped = base.limited(to: sizes[first] ?? 0)
        var (tokens, notes): ([String: TokenNumbers], [String]) = ([first: stripped.numbers], [])
        for name in names.dropFirst() {
            guard let model = models[name] else { continue }
            if let own = try reader.read(model.path) {
                tokens[name] = own.numbers
            } else {
                tokens[name] = stripped.numbers
                notes.append("\(model.path) has no tokenizer: its tokens are taken for those of \(donor.path)")
            }
        }
        // What comes out.
        var source = stripped
        var numbers: TokenNumbers
        switch said.source {
        case .base: numbers = stripped.numbers
        case .union:
            numbers = Self.union(
                stripped, names.compactMap { name in tokens[name].map { $0.limited(to: sizes[name] ?? 0) } })
        case .model(let name):
            source = try name == first ? base : reader.need(models[name]?.path ?? opening(name))
            numbers = source.numbers
        }
        for rule in said.rules where numbers[BytewiseText(rule.token)] == nil {
            numbers.add(AddedToken(rule.token, isSpecial: false))
        }
        if let twins = numbers.doubled {
            throw MergeError.invalidTokenizer(
                path: source.path + "/" + Tokenizer.fileName,
                reason:
                    "its numbers have gaps, so that the added token \(Tokenizer.quoted(twins.second)) gets the number of \(Tokenizer.quoted(twins.first))"
            )
        }
        let all = numbers.all
        let count = (all.last?.number ?? -1) + 1
        let multiple = said.multiple ?? 1
        rowCount = (count + multiple - 1) / multiple * multiple
        own = tokens.reduce(into: [:]) { own, entry in
            var rows = [Int32](repeating: -1, count: count)
            for (token, row) in all {
                if let number = entry.value[token], number < sizes[entry.key] ?? 0 { rows[row] = Int32(number) }
            }
            own[entry.key] = rows
        }
        rules = said.rules.compactMap { rule in numbers[BytewiseText(rule.token)].map { ($0, rule) } }
        named = said.rules.reduce(into: [:]) { named, rule in
            guard case .token(let token, let model)? = rule.row else { return }
            let key = BytewiseText(token)
            named[NamedToken(token: key, model: model)] = tokens[model]?[key]
        }
        files = try VocabularyFiles(source, numbers, donor: base)
        (self.sizes, self.numbers, self.notes) = (sizes, numbers, notes)
    }

    /// The base's vocabulary, then what others have more, model by model and by numbers: first pieces of theirs, then added tokens.
    private static func union(_ base: Tokenizer, _ tokens: [TokenNumbers]) -> TokenNumbers {
        var added: [AddedToken] = []
        var seen: Set<BytewiseText> = []
        for numbers in tokens {
            for (_, token) in numbers.added.sorted(by: { $0.key < $1.key }) {
                if seen.insert(token.content).inserted { added.append(token) }
            }
        }
        var union = base.restoringSpecial()
        for numbers in tokens {
            for (token, _) in numbers.all where !seen.contains(token) && base.numbers[token] == nil {
                if seen.insert(token).inserted { union.add(AddedToken(token.text, isSpecial: false)) }
            }
        }
        for token in added { union.add(token) }
        return union
    }

    // MARK: Rows

    /// Where the rows of each model's tables come from.
    ///
    /// - Parameters:
    ///   - models: those that are merged.
    ///   - base: what the others are seen from; what it has stands where others lack it.
    func maps(of models: [String], base: String?) throws(MergeError) -> [RowMap] {
        var own = models.map { self.own[$0] ?? [] }
        let count = own.map(\.count).min() ?? 0
        let seen = base.flatMap(models.firstIndex)
        var fills: [Int: RowMap.Fill] = [:]
        let ruled = Set(rules.filter { $0.rule.row != nil }.map(\.row))
        for row in 0..<count where !ruled.contains(row) {
            let present = models.indices.filter { own[$0][row] >= 0 }
            guard present.count < models.count, let first = present.first else { continue }
            if present.count == 1 {
                fills[row] = .row(Int(own[first][row]), of: first)
            } else if let seen, own[seen][row] >= 0 {
                fills[row] = .row(Int(own[seen][row]), of: seen)
            } else {
                fills[row] = .mean(present.map { (Int(own[$0][row]), $0) })
            }
        }
        for (row, rule) in rules where rule.row != nil {
            guard rule.isForced || models.indices.contains(where: { own[$0][row] < 0 }) else { continue }
            fills[row] = try fill(rule, row, models)
            if rule.isForced { for model in models.indices { own[model][row] = -1 } }
        }
        return own.map { RowMap(own: $0, fills: fills, rowCount: rowCount) }
    }

    /// What a rule puts in the place of a row; nil for zeros.
    private func fill(_ rule: Rule, _ row: Int, _ models: [String]) throws(MergeError) -> RowMap.Fill? {
        func place(_ model: String) throws(MergeError) -> Int {
            guard let place = models.firstIndex(of: model) else {
                throw .noTokenSource(token: rule.token, model: model, known: models)
            }
            return place
        }
        func found(_ number: Int?, _ model: String, _ token: String) throws(MergeError) -> RowMap.Fill {
            let place = try place(model)
            guard let number, (0..<(sizes[model] ?? 0)).contains(number) else {
                throw .noTokenRow(token: rule.token, model: model, row: token)
            }
            return .row(number, of: place)
        }
        switch rule.row {
        case .zero, nil: return nil
        case .model(let model):
            let number = try place(model)
            let own = Int(self.own[models[number]]?[row] ?? -1)
            return try found(own < 0 ? nil : own, model, "token \(Tokenizer.quoted(rule.token))")
        case .number(let number, let model): return try found(number, model, "number \(number)")
        case .token(let token, let model):
            return try found(
                named[NamedToken(token: BytewiseText(token), model: model)], model, "token \(Tokenizer.quoted(token))")
        }
    }
}
