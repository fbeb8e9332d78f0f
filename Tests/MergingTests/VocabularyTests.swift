import Checkpoints
import Foundations
import Merging
import TestSupport
import Testing

/// Models of different tokenizers: rows are merged with those of the same token, and the output's tokenizer says whose they are.
@Suite struct VocabularyTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func weighted(_ model: TokenModel, _ weight: Double) -> MergeConfiguration.Source {
        .init(model.path, settings: ["weight": .value(weight)])
    }

    private func merged(_ configuration: MergeConfiguration, _ name: String = "merged") throws -> MergedTokens {
        Files.remove(folder(name))
        try Merger(configuration, threads: 2).merge(to: folder(name))
        return try MergedTokens(folder(name))
    }

    private func expect(_ found: [Double], _ expected: [Double], _ comment: String) {
        #expect(found.count <= expected.count, "\(comment)")
        for (x, y) in zip(found, expected) {
            #expect((x - y).magnitude <= 1e-6 * max(1, y.magnitude), "\(comment)")
        }
    }

    private func mixed(_ parts: [(Double, [Double])]) -> [Double] {
        (0..<48).map { column in parts.reduce(0) { $0 + $1.0 * $1.1[column] } }
    }

    /// Every table, in families that tie them, have biases, or have an axis of 1 in front: rows of the same token together; what the base lacks is the
    /// other's, and what the other lacks the base's.
    @Test(arguments: ["llama", "gpt2", "bert_masked_lm", "bart"])
    func rowsAreMatchedByToken(fixture: String) throws {
        let base = try TokenModel(folder("base"), mark: 1, fixture: fixture, pieces: ["x", "y", "z"])
        let other = try TokenModel(
            folder("other"), mark: 2, fixture: fixture, pieces: ["z", "q", "x"], added: ["<t>"])
        let found = try merged(
            .init(.taskArithmetic, [weighted(other, 0.5)], base: base.path, vocabulary: .init(.union)))
        #expect(found.list == ["x", "y", "z", "q", "<t>"])
        #expect(found.model.config["vocab_size"]?.int == 5)
        let expected = [
            mixed([(0.5, base.row(0)), (0.5, other.row(2))]), base.row(1),
            mixed([(0.5, base.row(2)), (0.5, other.row(0))]), other.row(1), other.row(3),
        ]
        for table in try #require(TokenModel.tables[fixture]) {
            let rows = try found.rows(table)
            #expect(rows.count == 5)
            for (row, values) in rows.enumerated() { expect(values, expected[row], "\(table) \(row)") }
        }
        // All else is merged as it is.
        let plain = try Checkpoint(opening: folder("merged"))
        #expect(try plain.tensors.count == Checkpoint(opening: base.path).tensors.count)
    }

    /// Where there is no base, the mean of those that have a token stands where one lacks it; where one alone has it, its row.
    @Test func whatIsLackingIsTheMean() throws {
        let models = [
            try TokenModel(folder("a"), mark: 1, pieces: ["x", "y"]),
            try TokenModel(folder("b"), mark: 2, pieces: ["y", "w", "v"]),
            try TokenModel(folder("c"), mark: 4, pieces: ["x", "y", "v"]),
        ]
        let weights = [0.5, 0.25, 0.25]
        let found = try merged(.init(.linear, zip(models, weights).map(weighted), vocabulary: .init(.union)))
        #expect(found.list == ["x", "y", "w", "v"])
        let (a, b, c) = (models[0], models[1], models[2])
        let x = mixed([(0.5, a.row(0)), (0.5, c.row(0))])
        let v = mixed([(0.5, b.row(2)), (0.5, c.row(2))])
        let expected = [
            mixed([(0.5, a.row(0)), (0.25, x), (0.25, c.row(0))]),
            mixed([(0.5, a.row(1)), (0.25, b.row(0)), (0.25, c.row(1))]), b.row(1),
            mixed([(0.5, v), (0.25, b.row(2)), (0.25, c.row(2))]),
        ]
        for (row, values) in try found.rows("lm_head.weight").enumerated() {
            expect(values, expected[row], "row \(row)")
        }
    }

    /// Where several have a token that one lacks, the base's row stands for it.
    @Test func theBasesRowComesBeforeTheMean() throws {
        let base = try TokenModel(folder("base"), mark: 1, pieces: ["x", "y"])
        let a = try TokenModel(folder("a"), mark: 2, pieces: ["y", "x"])
        let b = try TokenModel(folder("b"), mark: 4, pieces: ["y"])
        let found = try merged(
            .init(.taskArithmetic, [weighted(a, 0.5), weighted(b, 0.25)], base: base.path, vocabulary: .init(.union)))
        let rows = try found.rows("model.embed_tokens.weight")
        expect(rows[0], mixed([(0.5, base.row(0)), (0.5, a.row(1))]), "x")
        expect(rows[1], mixed([(0.25, base.row(1)), (0.5, a.row(0)), (0.25, b.row(0))]), "y")
    }

    /// A run of values may begin and end inside of any row: of a model's own, of a mean, of padding.
    @Test(arguments: [700, 660])
    func runsMayBeginInsideOfRows(count: Int) throws {
        let pieces = (0..<count).map { "t\($0)" }
        let models = [
            try TokenModel(folder("a"), mark: 1, pieces: pieces),
            try TokenModel(folder("b"), mark: 2, pieces: pieces.reversed()),
            try TokenModel(
                folder("c"), mark: 4, pieces: pieces.enumerated().filter { $0.offset % 11 != 0 }.map(\.element)),
        ]
        let third = Dictionary(uniqueKeysWithValues: (0..<count).filter { $0 % 11 != 0 }.enumerated().map { ($1, $0) })
        let expected = (0..<count).map { row in
            let (a, b) = (models[0].row(row), models[1].row(count - 1 - row))
            let c = third[row].map(models[2].row) ?? mixed([(0.5, a), (0.5, b)])
            return mixed([(1.0 / 3, a), (1.0 / 3, b), (1.0 / 3, c)])
        }
        let mean = mixed(expected.map { (1 / Double(count), $0) })
        let found = try merged(
            .init(.linear, models.map { weighted($0, 1) }, vocabulary: .init(.union, multiple: 704)))
        for (row, values) in try found.rows("lm_head.weight").enumerated() {
            expect(values, row < count ? expected[row] : mean, "row \(row)")
        }
    }

    /// Whatever the method: rows in another order, with a tokenizer that says so, are the same model.
    @Test(arguments: MergeMethod.ofWeightsAlone, ["llama", "llama_bf16"])
    func orderChangesNothing(name: String, fixture: String) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let count = min(max(method.models.lowerBound, 2), method.models.upperBound)
        let rows = 61
        let pieces = (0..<rows).map { "t\($0)" }
        func written(_ path: String, number: Int, order: [Int]) throws {
            var model = try EditableModel(reading: Fixtures.path(fixture))
            for tensor in model.tensors where tensor.type.isComputable {
                try model.editFloats(tensor.name) {
                    for i in $0.indices { $0[i] += Double((i * 7 + number * 13) % 31 - 15) * 0.002 }
                }
            }
            for table in TokenModel.tables[fixture] ?? [] {
                try model.editFloats(table) { values in
                    let (old, columns) = (values, values.count / rows)
                    for (row, own) in order.enumerated() {
                        for c in 0..<columns { values[row * columns + c] = old[own * columns + c] }
                    }
                }
            }
            try model.write(to: path)
            try Files.write(TokenModel.tokenizer(order.map { pieces[$0] }), to: path + "/tokenizer.json")
        }
        let plain = Array(0..<rows)
        try written(folder("base"), number: 0, order: plain)
        for number in 1...count {
            try written(folder("plain\(number)"), number: number, order: plain)
            try written(folder("turned\(number)"), number: number, order: plain.map { ($0 * 17 + number) % rows })
        }
        var settings: MergeConfiguration.Settings = [:]
        for parameter in method.parameters where parameter.isRequired { settings[parameter.name] = .value(1) }
        if method.parameters.contains(where: { $0.name == "density" }) { settings["density"] = .value(0.5) }
        func models(_ kind: String) -> [MergeConfiguration.Source] {
            // The first keeps its order where it is the base.
            (1...count).map { .init(folder("\(method.base == .ignored && $0 == 1 ? "plain" : kind)\($0)")) }
        }
        let base = method.base == .ignored ? nil : folder("base")
        try Merger(.init(method, models("plain"), base: base, settings: settings), seed: 3).merge(to: folder("one"))
        let configuration = MergeConfiguration(
            method, models("turned"), base: base, settings: settings, vocabulary: .init(.union))
        try Merger(configuration, seed: 3, threads: 1).merge(to: folder("two"))
        try Merger(configuration, seed: 3, threads: 3).merge(to: folder("three"))
        let (one, two) = (try EditableModel(reading: folder("one")), try EditableModel(reading: folder("two")))
        for tensor in one.tensors {
            #expect(try two.tensors[two.index(tensor.name)].bytes == tensor.bytes, "\(tensor.name)")
        }
        #expect(try Files.tree(folder("two")) == Files.tree(folder("three")))
    }

    /// What Unicode calls equal are two tokens where the bytes differ, in one vocabulary and between two.
    @Test func equivalentTokensAreTwo() throws {
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        let marks = "a" + String(repeating: "\u{301}", count: 40)
        let base = try TokenModel(folder("base"), mark: 1, pieces: ["x", composed, decomposed, marks])
        let other = try TokenModel(folder("other"), mark: 2, pieces: [decomposed, "\u{212b}", "\u{c5}", composed])
        let found = try merged(
            .init(.taskArithmetic, [weighted(other, 1)], base: base.path, vocabulary: .init(.union)))
        #expect(
            found.list.map { Array($0.utf8) }
                == ["x", composed, decomposed, marks, "\u{212b}", "\u{c5}"].map { Array($0.utf8) })
        let rows = try found.rows("lm_head.weight")
        for (row, expected) in [base.row(0), other.row(3), other.row(0), base.row(3), other.row(1), other.row(2)]
            .enumerated()
        {
            expect(rows[row], expected, "row \(row)")
        }
    }

    /// Rows without a token go; with `pad_to_multiple_of` others come, each the mean of all rows with one.
    @Test func paddingIsMadeAnew() throws {
        let base = try TokenModel(folder("base"), mark: 1, pieces: ["x", "y", "z"], rows: 8)
        let other = try TokenModel(folder("other"), mark: 2, pieces: ["y", "x"], rows: 5)
        let task = MergeConfiguration.Source(other.path, settings: ["weight": .value(1)])
        let plain = try merged(.init(.taskArithmetic, [task], base: base.path, vocabulary: .init(.base)))
        #expect(try plain.rows("lm_head.weight").count == 3)
        let found = try merged(
            .init(.taskArithmetic, [task], base: base.path, vocabulary: .init(.union, multiple: 4)))
        let rows = try found.rows("model.embed_tokens.weight")
        #expect(rows.count == 4 && found.model.config["vocab_size"]?.int == 4)
        let expected = [other.row(1), other.row(0), base.row(2)]
        for row in 0..<3 { expect(rows[row], expected[row], "row \(row)") }
        expect(rows[3], mixed(expected.map { (1.0 / 3, $0) }), "padding")
        // A number that is a multiple already stays.
        let even = try merged(.init(.taskArithmetic, [task], base: base.path, vocabulary: .init(.union, multiple: 3)))
        #expect(try even.rows("lm_head.weight").count == 3)
    }

    /// Tokens for which a model has no rows: the base's are left out of its tokenizer with their merges, and of others no row is read.
    @Test func tokensWithoutRowsAreLeftOut() throws {
        let base = try TokenModel(
            folder("base"), mark: 1, pieces: ["x", "y", "xy", "yx"], added: ["<t>"], rows: 3,
            merges: [("x", "y"), ("y", "x"), ("yx", "x")])
        let other = try TokenModel(folder("other"), mark: 2, pieces: ["y", "x", "yx", "xy", "w"], rows: 3)
        let task = MergeConfiguration.Source(other.path, settings: ["weight": .value(1)])
        let kept = try merged(.init(.taskArithmetic, [task], base: base.path, vocabulary: .init(.base)))
        #expect(kept.list == ["x", "y", "xy"])
        #expect(kept.tokenizer["model"]?["merges"]?.array?.count == 2)
        let found = try merged(.init(.taskArithmetic, [task], base: base.path, vocabulary: .init(.union)))
        #expect(found.list == ["x", "y", "xy", "yx"])
        let rows = try found.rows("lm_head.weight")
        let expected = [other.row(1), other.row(0), base.row(2), other.row(2)]
        for row in expected.indices { expect(rows[row], expected[row], "row \(row)") }
    }

    /// What is said of single tokens: zeros, another's row by number or token, one row for all models.
    @Test func rulesGiveRows() throws {
        let base = try TokenModel(folder("base"), mark: 1, pieces: ["x", "y", "z"], added: ["<p>"])
        let other = try TokenModel(folder("other"), mark: 2, pieces: ["y", "x", "w"])
        let rules: [MergeConfiguration.Vocabulary.Rule] = [
            .init("<new>", row: .zero), .init("<p>", row: .number(2, of: other.path)),
            .init("<q>", row: .token("y", of: other.path)), .init("x", row: .model(other.path), isForced: true),
            .init("y", row: .zero), .init("z", row: nil),
        ]
        let found = try merged(
            .init(
                .linear, [weighted(base, 1), weighted(other, 1)],
                vocabulary: .init(.union, rules: rules)))
        #expect(found.list == ["x", "y", "z", "<p>", "w", "<new>", "<q>"])
        let rows = try found.rows("lm_head.weight")
        let expected = [
            other.row(1), mixed([(0.5, base.row(1)), (0.5, other.row(0))]), base.row(2),
            mixed([(0.5, base.row(3)), (0.5, other.row(2))]), other.row(2), [Double](repeating: 0, count: 48),
            other.row(0),
        ]
        for row in expected.indices { expect(rows[row], expected[row], "row \(row)") }
    }

    /// A shape that differs in anything but the number of tokens ends the merge, with or without a tokenizer.
    @Test func otherShapesStayRefused() throws {
        let base = try TokenModel(folder("base"), mark: 1, pieces: ["x", "y"])
        let other = try TokenModel(folder("other"), mark: 2, pieces: ["y", "x", "z"])
        #expect(throws: MergeError.self) {
            try Merger(.init(.linear, [weighted(base, 1), weighted(other, 1)])).merge(to: folder("out"))
        }
        var narrow = try EditableModel(reading: other.path)
        let place = try narrow.index("model.layers.0.mlp.up_proj.weight")
        for name in ["up", "gate", "down"] {
            for layer in 0..<2 {
                let place = try narrow.index("model.layers.\(layer).mlp.\(name)_proj.weight")
                narrow.tensors[place].shape = name == "down" ? [48, 28] : [28, 48]
                narrow.tensors[place].bytes.removeLast(narrow.tensors[place].bytes.count / 2)
            }
        }
        narrow.config["intermediate_size"] = .int(28)
        let name = narrow.tensors[place].name
        try narrow.write(to: folder("narrow"))
        try Files.write(TokenModel.tokenizer(["x", "y", "z"]), to: folder("narrow") + "/tokenizer.json")
        let error = #expect(throws: MergeError.self) {
            try Merger(
                .init(
                    .linear, [weighted(base, 1), .init(folder("narrow"), settings: ["weight": .value(1)])],
                    vocabulary: .init(.union))
            ).merge(to: folder("out"))
        }
        guard case .otherShape(_, _, _, _, _)? = error else {
            Issue.record("\(String(describing: error)), \(name)")
            return
        }
        #expect(!Files.exists(folder("out")))
    }
}
