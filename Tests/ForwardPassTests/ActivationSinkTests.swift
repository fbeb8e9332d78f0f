import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra
import TestSupport
import Testing

/// Each sink against a direct computation from kept activations.
@Suite struct ActivationSinkTests {
    private static func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
        var state = seed
        return Matrix(
            rows: rows, columns: columns,
            elements: (0..<rows * columns).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Double(Int64(bitPattern: state) >> 20) / 0x1p43
            })
    }

    /// In f32 and f64, over several evaluations, at points that are computed once and at a map that twelve layers share.
    @Test(arguments: ["llama_bf16", "albert", "t5", "mixtral", "vit"])
    func modelsFillThem(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 2)
        let inputs = try RecordedReference(name).inputs
        let shared = try #require(model.architecture.storedMaps.min { $0.tensor < $1.tensor })
        for point in [try #require(model.architecture.streamPoints.dropFirst().first), .input(of: shared)] {
            let (gram, ranges, kept) = (GramSink(threads: 2), ChannelRanges(), KeptActivations<Double>())
            var rows: [[Double]] = []
            for _ in 0..<2 {
                let x = try model.single(inputs, activations: [point], sinks: [point: gram]).activations[point]
                _ = try model.single(inputs, sinks: [point: ranges])
                _ = try model.single(inputs, sinks: [point: kept])
                guard let x else { continue }
                rows += (0..<x.rows).map { row in (0..<x.columns).map { Double(x[row, $0]) } }
            }
            #expect(gram.count == rows.count && ranges.count == rows.count && !rows.isEmpty)
            #expect(kept.matrix.elements == rows.flatMap(\.self))
            let wide = try #require(try model.double(inputs, activations: [point]).activations[point])
            #expect(
                wide.columns == kept.columns
                    && relativeError(kept.matrix.elements, wide.elements + wide.elements) < 1e-4)
            try check(gram.matrix, ranges, rows)
        }
    }

    /// Against sums row by row, to a few roundings of the largest sum.
    private func check(_ gram: Matrix<Double>, _ ranges: ChannelRanges, _ rows: [[Double]]) throws {
        let channels = try #require(rows.first).count
        try #require(gram.rows == channels && gram.columns == channels && ranges.minimum.count == channels)
        var worst = 0.0
        for i in 0..<channels {
            for j in 0..<channels {
                let terms = rows.map { $0[i] * $0[j] }
                let bound = Double(rows.count) * 0x1p-53 * terms.reduce(0) { $0 + $1.magnitude }
                worst = max(worst, (gram[i, j] - terms.reduce(0, +)).magnitude / max(bound, .leastNormalMagnitude))
            }
        }
        #expect(worst <= 2 && gram == gram.transposed)
        let channel = (0..<channels).map { channel in rows.map { $0[channel] } }
        #expect(ranges.minimum == channel.compactMap { $0.min() } && ranges.maximum == channel.compactMap { $0.max() })
    }

    /// More rows and channels than one tile has, in windows of a wider matrix; threads change nothing.
    @Test(arguments: [(1, 1), (3, 130), (600, 140), (257, 257)])
    func anyShape(rows: Int, columns: Int) throws {
        let wide = Self.random(rows, columns + 5, seed: UInt64(rows * columns))
        let sinks = [1, 3].map { GramSink(threads: $0) }
        let ranges = ChannelRanges()
        try wide.withView { view in
            let part = view.window(rows: 0..<rows, columns: 2..<columns + 2)
            for sink in sinks { try sink.take(part) }
            try ranges.take(part)
        }
        #expect(sinks[0].matrix == sinks[1].matrix && sinks[0].count == rows)
        try check(sinks[0].matrix, ranges, (0..<rows).map { row in (0..<columns).map { wide[row, $0 + 2] } })
    }

    /// Products of f32 values lose nothing: whole numbers are summed exactly.
    @Test func productsAreExact() throws {
        let x = Matrix<Float>(rows: 300, columns: 3, elements: (0..<900).map { Float(3_999_999 - $0) })
        let gram = GramSink()
        try x.withView { try gram.take($0) }
        for (i, j) in [(0, 0), (0, 2), (1, 2)] {
            let exact = (0..<300).reduce(0) { $0 + Int(x[$1, i]) * Int(x[$1, j]) }
            #expect(gram.matrix[i, j] == Double(exact))
        }
    }

    @Test func notANumberIsSeen() throws {
        let ranges = ChannelRanges()
        for value in [1.0, .nan, 2.0] {
            try Matrix(rows: 1, columns: 2, elements: [value, -value]).withView { try ranges.take($0) }
        }
        #expect(ranges.minimum.allSatisfy(\.isNaN) && ranges.maximum.allSatisfy(\.isNaN))
    }

    @Test func widthsMustAgree() throws {
        let sinks: [any ActivationSink] = [GramSink(), ChannelRanges(), KeptActivations<Float>()]
        for sink in sinks {
            try Self.random(2, 3, seed: 1).withView { try sink.take($0) }
            #expect(throws: LinearAlgebraError.self) { try Self.random(2, 4, seed: 1).withView { try sink.take($0) } }
        }
    }
}
