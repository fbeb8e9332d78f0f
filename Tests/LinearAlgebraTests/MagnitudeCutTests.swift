import LinearAlgebra
import Testing

/// The largest of many magnitudes, against sorting.
@Suite struct MagnitudeCutTests {
    /// What is taken by the definition: by magnitude, the first of equals first.
    private func sorted(_ values: [Float], _ count: Int) -> Set<Int> {
        Set(values.indices.sorted { (values[$1], $0) < (values[$0], $1) }.prefix(max(count, 0)))
    }

    private func taken(_ values: [Float], _ count: Int, run: Int) -> Set<Int> {
        let cut = MagnitudeCut(largest: count, of: values.count, run: run) { range, target in
            for (place, index) in range.enumerated() { target[place] = values[index] }
        }
        return Set(values.indices.filter { cut.takes(values[$0], at: $0) })
    }

    @Test(arguments: 0..<24)
    func takesWhatSortingTakes(seed: Int) {
        var stream = KeyedRandomStream(secret: [7], info: "\(seed)")
        let count = 1 + stream.nextIndex(below: 400)
        let values: [Float] = (0..<count).map { _ in
            let drawn = stream.nextGaussian().magnitude
            return switch seed % 4 {
            case 0: Float(drawn)
            // Many equals, zeros among them.
            case 1: Float((drawn * 3).rounded(.down)) / 4
            case 2: Float(drawn * 1e-41)
            default: drawn > 1 ? .greatestFiniteMagnitude : Float(drawn)
            }
        }
        for wanted in [0, 1, count / 10, count / 2, count - 1, count, count + 5] {
            for run in [1, 7, 512] { #expect(taken(values, wanted, run: run) == sorted(values, wanted)) }
        }
    }

    @Test func equalsAreTakenInTheirOrder() {
        #expect(taken([1, 1, 1, 1, 1], 2, run: 2) == [0, 1])
        #expect(taken([0, 0, 3, 0], 2, run: 3) == [0, 2])
        #expect(taken([], 3, run: 4) == [])
    }
}
