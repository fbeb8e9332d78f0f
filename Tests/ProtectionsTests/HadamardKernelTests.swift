import CKernels
import LinearAlgebra
import Testing

/// Hadamard's transform against its definition: `H[i, j] = (-1)^(bits that i and j share)`.
@Suite struct HadamardKernelTests {
    @Test(arguments: [1, 2, 4, 8, 16, 32, 64, 128, 512], [1, 2, 5, 64])
    func isTheDefinition(order: Int, width: Int) { check(order, width) }

    /// Longer than a first-level cache.
    @Test(arguments: [(2048, 1), (2048, 8), (4096, 1), (8192, 1)])
    func isTheDefinitionWhereItIsLong(order: Int, width: Int) { check(order, width) }

    private func check(_ order: Int, _ width: Int) {
        var stream = KeyedRandomStream(secret: [3], info: "hadamard/\(order)/\(width)")
        let values = (0..<order * width).map { _ in stream.nextUnit() - 0.5 }
        let expected = (0..<order).flatMap { i in
            (0..<width).map { column in
                (0..<order).reduce(0.0) { sum, j in
                    (i & j).nonzeroBitCount % 2 == 0
                        ? sum + values[j * width + column] : sum - values[j * width + column]
                }
            }
        }
        var (doubles, floats) = (values, values.map { Float($0) })
        mp_hadamard_f64(&doubles, order, width, 1)
        mp_hadamard_f32(&floats, order, width, 1)
        for place in expected.indices {
            #expect((doubles[place] - expected[place]).magnitude < 1e-12)
            #expect((Double(floats[place]) - expected[place]).magnitude < 1e-4)
        }
    }
}
