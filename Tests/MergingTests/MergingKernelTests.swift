import CKernels
import Foundation
import Testing

/// Loops of merging's that merged tensors show only coarsely.
@Suite struct MergingKernelTests {
    @Test(arguments: [1, 5, 63, 64, 65, 1000], [0.01, 1, 30, 2000])
    func divergencesAreTheirDefinition(count: Int, width: Double) {
        var random = SmallRandom(state: UInt64(count))
        let rows = (0..<2).map { _ in (0..<count).map { _ in Float(random.uniform(in: -width...width)) } }
        func softmax(_ values: [Float]) -> [Double] {
            let top = Double(values.max() ?? 0)
            let powers = values.map { exp(Double($0) - top) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum + 1e-8 }
        }
        let expected = zip(softmax(rows[0]), softmax(rows[1])).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
        let found = mp_divergence_f32(rows[0], rows[1], count, 1e-8)
        #expect((found - expected).magnitude <= 1e-14 + 1e-13 * expected)
        #expect(mp_divergence_f32(rows[0], rows[0], count, 1e-8) == 0)
    }

    /// Of equal magnitudes the first has the lowest rank.
    @Test(arguments: [1, 2, 64, 65, 5000], [3, 1000]) func ranksAreThoseOfSorting(count: Int, steps: Int) {
        var random = SmallRandom(state: UInt64(count))
        let values = (0..<count).map { _ in Float(Int.random(in: -steps...steps, using: &random)) * 0x1p-140 }
            .enumerated().map { $0.offset % 3 == 0 ? $0.element : $0.element * 0x1p120 }
        var (ranks, work) = ([UInt32](repeating: 0, count: count), [UInt32](repeating: 0, count: count))
        mp_rank_magnitudes(&ranks, values, count, &work)
        let order = values.indices.sorted { (values[$0].magnitude, $0) < (values[$1].magnitude, $1) }
        #expect(order.map { Int(ranks[$0]) } == Array(0..<count))
    }
}
