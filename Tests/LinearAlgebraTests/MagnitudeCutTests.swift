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

    /// Of enough runs some are looked at beforehand: whether they foretell the class of the cut or not, it is the same.
    @Test(arguments: [0, 1])
    func samplesChangeNothing(kind: Int) {
        var stream = KeyedRandomStream(secret: [8], info: "\(kind)")
        let values = (0..<20_000).map { place in
            // What is sampled, one run in 32, is unlike the rest in one case.
            Float(stream.nextGaussian().magnitude) * (kind == 1 && place / 64 % 32 == 0 ? 1000 : 1)
        }
        for wanted in [1, 300, 2000, 19_000] { #expect(taken(values, wanted, run: 64) == sorted(values, wanted)) }
    }

    /// A NaN counts as the largest, whatever its sign, and reads nothing beyond the classes.
    @Test func noNumberIsAmongTheLargest() {
        let values: [Float] = [1, -Float.nan, 3, .infinity, 2]
        let cut = MagnitudeCut(largest: 2, of: 5, run: 2) { range, target in
            for (place, index) in range.enumerated() { target[place] = values[index] }
        }
        #expect(values.indices.filter { cut.takes(values[$0].magnitude, at: $0) } == [1, 3])
    }

    @Test func equalsAreTakenInTheirOrder() {
        #expect(taken([1, 1, 1, 1, 1], 2, run: 2) == [0, 1])
        #expect(taken([0, 0, 3, 0], 2, run: 3) == [0, 2])
        #expect(taken([], 3, run: 4) == [])
    }
}
