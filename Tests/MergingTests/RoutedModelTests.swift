import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import Glibc
import LinearAlgebra
import Merging
import TestSupport
import Testing

/// SMILE, row by row against its definition, which is computed here with LAPACK's singular values.
@Suite struct RoutedModelTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// A fixture and relatives of it, whose tensors all lie elsewhere unless `isChanged` says otherwise.
    private func make(
        _ family: String, _ count: Int, _ isChanged: (Int, String) -> Bool = { _, _ in true }
    ) throws -> (base: EditableModel, models: [EditableModel]) {
        let base = try EditableModel(reading: Fixtures.path(family))
        try base.write(to: folder("base"))
        let models = try (0..<count).map { number in
            var random = SmallRandom(state: UInt64(number) + 5)
            var model = base
            for tensor in model.tensors where tensor.type.isComputable && isChanged(number, tensor.name) {
                try model.editFloats(tensor.name) {
                    for i in $0.indices { $0[i] += random.uniform(in: -0.1...0.1) }
                }
            }
            try model.write(to: folder("\(number)"))
            return model
        }
        return (base, models)
    }

    private func open(_ name: String) throws -> Checkpoint { try Checkpoint(opening: folder(name)) }

    private func routed(_ count: Int, _ parameters: [String: Double], threads: Int = 2) throws -> RoutedModel {
        let base = try open("base")
        return try RoutedModel(
            (0..<count).map { try open("\($0)") }, base: base, architecture: Architecture.resolve(base),
            parameters: parameters, keeping: true, threads: threads)
    }

    private func model(_ routed: RoutedModel, threads: Int = 2) throws -> Model {
        try routed.checked { body, maps in
            Model(
                architecture: try Architecture.resolve(body), weights: Weights(body).routed(by: maps), threads: threads)
        }
    }

    // MARK: Definition

    /// W (m x n) of a map.
    private static func weight(_ map: Projection, _ model: EditableModel) throws -> Matrix<Double> {
        let (m, n) = (map.storedOutputs, map.inputCount)
        let all = try model.floats(map.weight)[((map.expert ?? 0) * m * n)...].prefix(m * n)
        let elements = Array(all)
        return map.outputAxis == 0
            ? Matrix(rows: m, columns: n, elements: elements)
            : Matrix(rows: n, columns: m, elements: elements).transposed
    }

    private static func bias(_ map: Projection, _ model: EditableModel) throws -> [Double] {
        guard let name = map.bias else { return Array(repeating: 0, count: map.storedOutputs) }
        return Array(try model.floats(name)[((map.expert ?? 0) * map.storedOutputs)...].prefix(map.storedOutputs))
    }

    private static func product(_ a: Matrix<Double>, _ x: [Double]) -> [Double] {
        (0..<a.rows).map { row in x.indices.reduce(0) { $0 + a[row, $1] * x[$1] } }
    }

    /// What the definition makes of every row, and which models it chose.
    private static func expected(
        _ map: Projection, _ x: Matrix<Double>, _ base: EditableModel, _ models: [EditableModel], gate: Int, rank: Int,
        chosen: Int
    ) throws -> (rows: [[Double]], choices: Set<Int>) {
        let (w0, b0) = (try weight(map, base), try bias(map, base))
        let parts = try models.map { model in
            let (u, s, vt) = try (weight(map, model) - w0).svd()
            return (u: u, s: s, vt: vt, shift: zip(try bias(map, model), b0).map { $0 - $1 })
        }
        var choices: Set<Int> = []
        let rows = (0..<x.rows).map { row in
            let x = (0..<x.columns).map { x[row, $0] }
            let r = parts.map { part in
                product(part.vt, x).prefix(gate).reduce(0) { $0 + $1 * $1 }.squareRoot()
            }
            let powers = r.map { exp($0 - (r.max() ?? 0)) }
            let all = powers.map { $0 / powers.reduce(0, +) }
            let top = all.indices.sorted { all[$0] > all[$1] }.prefix(chosen)
            choices.formUnion(top)
            let sum = top.reduce(0) { $0 + all[$1] }
            var y = zip(product(w0, x), b0).map { $0 + $1 }
            for expert in top {
                let part = parts[expert]
                var inner = product(part.vt, x)
                for i in inner.indices { inner[i] *= i < rank ? part.s[i] : 0 }
                let added = product(part.u, inner)
                for i in y.indices { y[i] += all[expert] / sum * (added[i] + part.shift[i]) }
            }
            return y
        }
        return (rows, choices)
    }

    /// Fused maps, Conv1D, biases, experts in one tensor; wide, tall and square maps.
    @Test(
        arguments: ["gpt2", "phi3", "gpt_oss", "bert_classifier", "mixtral"],
        [(1, 5, 1), (1, 5, 2), (3, 7, 1), (4, 0, 2), (2, 1000, 3)])
    func everyRowIsItsDefinition(family: String, ranks: (gate: Int, rank: Int, chosen: Int)) throws {
        let (base, models) = try make(family, 3)
        let found = try routed(
            3,
            ["gate_k": Double(ranks.gate), "k": Double(ranks.rank), "top_k": Double(ranks.chosen)])
        let model = try model(found)
        let maps = model.architecture.layerProjections
        let points = maps.flatMap { [ActivationPoint.input(of: $0.storedMap), .output(of: $0.storedMap)] }
        let inputs = try RecordedReference(family).inputs
        let activations = try model.double(inputs, activations: Set(points)).activations
        let single = try model.single(inputs, activations: Set(points)).activations
        var (choices, seen) = (Set<Int>(), 0)
        for map in maps {
            guard let x = activations[.input(of: map.storedMap)], let y = activations[.output(of: map.storedMap)]
            else { continue }
            let rank = ranks.rank == 0 ? .max : ranks.rank
            let expected = try Self.expected(
                map, x, base, models, gate: ranks.gate, rank: rank, chosen: ranks.chosen)
            let norm = expected.rows.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
            let error = y - Matrix(rows: y.rows, columns: y.columns, elements: Array(expected.rows.joined()))
            #expect(error.frobeniusNorm <= 1e-6 * norm, "\(map.weight) \(error.frobeniusNorm / norm)")
            choices.formUnion(expected.choices)
            seen += 1
            // In f32 the same rows are as near, where they read the same.
            if let x32 = single[.input(of: map.storedMap)], let y32 = single[.output(of: map.storedMap)] {
                let expected = try Self.expected(
                    map, Matrix<Double>(x32), base, models, gate: ranks.gate, rank: rank, chosen: ranks.chosen)
                let all = Matrix(rows: y.rows, columns: y.columns, elements: Array(expected.rows.joined()))
                #expect((Matrix<Double>(y32) - all).frobeniusNorm <= 1e-5 * norm, "\(map.weight)")
            }
        }
        #expect(seen > 5 && choices == [0, 1, 2])
    }

    // MARK: Whole differences

    /// One model, chosen by every row, is that model's linear maps to the bit.
    @Test(arguments: ["gpt2", "phi3", "gpt_oss", "bert_classifier"])
    func oneWholeDifferenceIsTheModel(family: String) throws {
        let (base, models) = try make(family, 1)
        var mixed = base
        let architecture = try Architecture.resolve(try open("base"))
        let names = Set(architecture.layerProjections.flatMap { [$0.weight, $0.bias].compactMap(\.self) })
        for name in names { mixed.tensors[try mixed.index(name)] = models[0].tensors[try models[0].index(name)] }
        try mixed.write(to: folder("mixed"))
        let inputs = try RecordedReference(family).inputs
        let (found, expected) = (try model(try routed(1, ["k": 0])), try Model(open("mixed"), threads: 1))
        #expect(try found.single(inputs).values == expected.single(inputs).values)
        #expect(try found.double(inputs).values == expected.double(inputs).values)
        #expect(try found.single(inputs).values != Model(open("base")).single(inputs).values)
    }

    // MARK: What is around

    @Test func threadsChangeNothing() throws {
        _ = try make("bert_classifier", 2)
        let inputs = try RecordedReference("bert_classifier").inputs
        let values = try [1, 3].map { threads in
            try model(try routed(2, ["k": 6, "top_k": 2], threads: threads), threads: threads).single(inputs).values
        }
        #expect(values[0] == values[1])
    }

    /// Heads and tables are the base's, or the mean of the models.
    @Test func whatIsNoMapIsTheBasesOrTheMean() throws {
        let (base, models) = try make("bert_classifier", 2)
        let maps = try Architecture.resolve(try open("base")).layerProjections
        let names = Set(maps.flatMap { [$0.weight, $0.bias].compactMap(\.self) })
        for averages in [0.0, 1.0] {
            try routed(2, ["average_experts": averages]).checked { body, _ in
                for tensor in base.tensors where tensor.type.isComputable {
                    let content = body.content(of: try #require(body.tensors[tensor.name]))
                    let values = content.bytes.bindMemory(to: Float.self).map { Double($0) }
                    let own = try base.floats(tensor.name)
                    if averages == 0 || names.contains(tensor.name) {
                        #expect(values == own, "\(tensor.name)")
                        continue
                    }
                    let others = try models.map { try $0.floats(tensor.name) }
                    #expect(
                        values.indices.allSatisfy {
                            (values[$0] - (others[0][$0] + others[1][$0]) / 2).magnitude < 1e-6
                        },
                        "\(tensor.name)")
                }
            }
        }
    }

    /// A map that no model changed is the base's; one that a model did not change is none of its.
    @Test func mapsThatAreTheBasesStay() throws {
        let still = "bert.encoder.layer.0.attention.self.query.weight"
        let half = "bert.encoder.layer.0.output.dense.weight"
        _ = try make("bert_classifier", 2) { number, name in name != still && (number == 1 || name != half) }
        let found = try routed(2, ["k": 3])
        try found.checked { _, maps in
            #expect(maps[.init(still)] == nil && maps[.init(half)] != nil && maps.count == 5)
        }
        let inputs = try RecordedReference("bert_classifier").inputs
        let (routed, alone) = (try model(found), try model(try self.routed(2, ["k": 3, "top_k": 2])))
        for model in [routed, alone] {
            #expect(try model.double(inputs).values.allSatisfy { $0.elements.allSatisfy(\.isFinite) })
        }
    }

    // MARK: Refusals

    @Test(
        arguments: [
            (["gate_k": 0], "gate_k of smile is 0.0, expected a whole number from 1 to 1000000; give it such a value"),
            (["k": 1.5], "k of smile is 1.5, expected a whole number from -1 to 1000000; give it such a value"),
            (["average_experts": 2], "average_experts of smile is 2.0, expected true or false; give it such a value"),
            (
                ["top_k": 3],
                "top_k is 3, and there are 2 models besides the base to choose from; choose no more than there are"
            ),
        ] as [([String: Double], String)])
    func valuesThatTheMethodDoesNotTakeAreRefused(parameters: [String: Double], sentence: String) throws {
        _ = try make("bert_classifier", 2)
        let error = try #require(throws: MergeError.self) { _ = try routed(2, parameters) }
        #expect("\(error)" == sentence)
    }

    @Test func valuesThatAreNoNumbersAreRefused() throws {
        var (_, models) = try make("bert_classifier", 2)
        let name = "bert.encoder.layer.0.output.dense.weight"
        try models[1].edit(name) { $0[5] = .nan }
        Files.remove(folder("1"))
        try models[1].write(to: folder("1"))
        let error = try #require(throws: MergeError.self) { _ = try routed(2, [:]) }
        #expect(error == .nonFinite(path: folder("1"), tensor: name))
    }

    @Test func thereIsNoCheckpointToWrite() throws {
        _ = try make("bert_classifier", 1)
        let expected =
            "the method smile keeps every model and routes each token among them, so that there is no checkpoint to write; "
            + "name it under merges of an audit, which evaluates it"
        let error = try #require(throws: MergeError.self) {
            try Merger(MergeConfiguration(.smile, [.init(folder("0"))], base: folder("base"))).merge(to: folder("out"))
        }
        #expect("\(error)" == expected && !Files.exists(folder("out")))
        let fault = try #require(throws: YAMLFault.self) {
            _ = try MergeConfiguration(parsing: "merge_method: smile\nbase_model: a\nmodels: [{model: b}]\n")
        }
        #expect(fault.reason == expected && fault.line == 1)
    }
}
