import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import LinearAlgebra
import TestSupport
import Testing
import Verification

/// The figures of a comparison against what their formulas give from the outputs of both models.
@Suite struct ComparisonTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// A model and a copy with one tensor moved well beyond rounding; their outputs in f64, and how they compare.
    private func compare(
        _ name: String, moving tensor: String
    ) throws -> (a: [Matrix<Double>], b: [Matrix<Double>], found: Comparison) {
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.edit(tensor) { for i in $0.indices where i.isMultiple(of: 7) { $0[i] *= -1.5 } }
        try model.write(to: folder(name))
        let (original, moved) = (try Checkpoint(opening: Fixtures.path(name)), try Checkpoint(opening: folder(name)))
        let inputs = try RecordedReference(name).inputs
        let report = try FunctionalVerification(threads: 2, precision: .f64).verify(original, moved, inputs: inputs)
        #expect(!report.holds)
        return (
            try Model(original).double(inputs).values, try Model(moved).double(inputs).values, report.comparison
        )
    }

    private func softmax(_ row: [Double]) -> [Double] {
        let powers = row.map { exp($0) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    private func rows(_ values: [Matrix<Double>]) -> [[Double]] {
        values.flatMap { matrix in
            (0..<matrix.rows).map { Array(matrix.elements[$0 * matrix.columns..<($0 + 1) * matrix.columns]) }
        }
    }

    @Test func logits() throws {
        let (a, b, found) = try compare("llama", moving: "model.layers.1.mlp.down_proj.weight")
        let (x, y) = (rows(a), rows(b))
        let divergences = zip(x, y).map { p, q in
            zip(softmax(p), softmax(q)).reduce(0.0) { $0 + $1.0 * log($1.0 / $1.1) }
        }
        let mean = divergences.reduce(0, +) / Double(divergences.count)
        #expect((found.drift.meanDivergence / mean - 1).magnitude < 1e-9)
        #expect((found.drift.largestDivergence / (divergences.max() ?? 0) - 1).magnitude < 1e-9)
        let (flatA, flatB) = (x.flatMap(\.self), y.flatMap(\.self))
        #expect((found.drift.relativeError / relativeError(flatB, flatA) - 1).magnitude < 1e-12)
        let largest = zip(flatA, flatB).map { ($1 - $0).magnitude }.max() ?? 0
        #expect((found.drift.largestError / largest - 1).magnitude < 1e-12)
        // Nothing lies within rounding here, so that every row is decided.
        let agreeing = zip(x, y).filter { $0.firstIndex(of: $0.max() ?? 0) == $1.firstIndex(of: $1.max() ?? 0) }.count
        #expect(found.drift.rows == x.count && found.drift.decided == x.count)
        #expect(found.drift.agreeing == agreeing && agreeing < x.count)
        #expect(found.floor.agreeing == x.count)
        #expect(found.drift.largestSimilarityChange == nil)
    }

    @Test func statesOfSentences() throws {
        let (a, b, found) = try compare("bert", moving: "encoder.layer.1.output.dense.weight")
        func cosines(_ values: [Matrix<Double>]) -> [Double] {
            let means = values.map { matrix in
                (0..<matrix.columns).map { column in (0..<matrix.rows).reduce(0.0) { $0 + matrix[$1, column] } }
            }
            func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
            return means.indices.flatMap { i in
                means.indices.map { j in
                    dot(means[i], means[j]) / (dot(means[i], means[i]) * dot(means[j], means[j])).squareRoot()
                }
            }
        }
        let change = zip(cosines(a), cosines(b)).map { ($0 - $1).magnitude }.max() ?? 0
        let reported = try #require(found.drift.largestSimilarityChange)
        #expect(change > 1e-4 && (reported - change).magnitude < 1e-12)
        #expect(found.drift.rows == 0 && found.drift.meanDivergence == 0)
    }

    /// The residual stream drifts from the moved block on and not before.
    @Test func layers() throws {
        let (_, _, found) = try compare("llama", moving: "model.layers.1.self_attn.o_proj.weight")
        #expect(
            found.layers.map(\.name)
                == ["layers.0.attention", "layers.0.mlp", "layers.1.attention", "layers.1.mlp"])
        #expect(found.layers.prefix(2).allSatisfy { $0.drift == 0 && $0.floor == 0 })
        #expect(found.layers.suffix(2).allSatisfy { $0.drift > 1e-3 && $0.floor > 0 && $0.floor < 1e-6 })
        #expect(found.firstFault?.block == "layers.1.attention")
    }

    /// Rows whose two largest scores lie closer than rounding are ties and do not count.
    @Test func tiesAreNotHeldAgainstAModel() throws {
        var model = try EditableModel(reading: Fixtures.path("bert_masked_lm"))
        let original = folder("original")
        // Two words with the same vector, and almost the same bias.
        try model.edit("cls.predictions.bias") { bias in
            for i in bias.indices { bias[i] = i == 0 ? 50 : i == 1 ? Float(50).nextDown : 0 }
        }
        let size = model.tensors[try model.index("bert.embeddings.word_embeddings.weight")].shape[1]
        try model.edit("bert.embeddings.word_embeddings.weight") { words in
            for i in 0..<size { words[size + i] = words[i] }
        }
        try model.write(to: original)
        try model.edit("cls.predictions.bias") { $0.swapAt(0, 1) }
        try model.write(to: folder("turned"))
        let report = try FunctionalVerification(threads: 1, precision: .f64)
            .verify(Checkpoint(opening: original), Checkpoint(opening: folder("turned")))
        #expect(report.drift.rows > 0 && report.drift.decided == 0)
    }
}
