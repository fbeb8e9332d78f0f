import CKernels
import Foundation
import Testing

/// The C loops of the forward pass against what their formulas say, in f64 by the C library.
@Suite struct KernelTests {
    /// Both signs, from the smallest normal numbers to where exp overflows, dense around zero.
    private static let values: [Float] = {
        let powers = stride(from: -120.0, through: 7, by: 0.37).map { Float(exp2($0)) }
        let steps = stride(from: Float(-100), through: 100, by: 0.0173)
        return powers + powers.map { -$0 } + Array(steps) + [0, -0.0, 88.3, -87.4, 1e30, -1e30]
    }()

    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    private static func geluTanh(_ x: Double) -> Double {
        0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }
    private static func gelu(_ x: Double) -> Double { 0.5 * x * erfc(-x / 2.0.squareRoot()) }

    struct Function: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let single: @Sendable (UnsafeMutablePointer<Float>, Int) -> Void
        let double: @Sendable (UnsafeMutablePointer<Double>, Int) -> Void
        let formula: @Sendable (Double) -> Double
    }

    static let functions = [
        Function(testDescription: "silu", single: mp_silu_f32, double: mp_silu_f64) { $0 * sigmoid($0) },
        Function(
            testDescription: "sigmoid", single: { mp_sigmoid_f32($0, $1, 1.5) },
            double: { mp_sigmoid_f64($0, $1, 1.5) }
        ) { sigmoid(1.5 * $0) },
        Function(
            testDescription: "quick_gelu", single: { mp_quick_gelu_f32($0, $1, 1.702) },
            double: { mp_quick_gelu_f64($0, $1, 1.702) }
        ) { $0 * sigmoid(1.702 * $0) },
        Function(testDescription: "tanh", single: mp_tanh_f32, double: mp_tanh_f64) { tanh($0) },
        Function(testDescription: "gelu", single: mp_gelu_f32, double: mp_gelu_f64, formula: gelu),
        Function(testDescription: "gelu_tanh", single: mp_gelu_tanh_f32, double: mp_gelu_tanh_f64, formula: geluTanh),
    ]

    /// Relative errors of a few ulp; where a function falls to nothing, absolute ones relative to its argument.
    @Test(arguments: functions)
    func pointwise(function: Function) {
        var (single, double) = (Self.values, Self.values.map(Double.init))
        function.single(&single, single.count)
        function.double(&double, double.count)
        for (place, x) in Self.values.enumerated() {
            let expected = function.formula(Double(x))
            let scale = max(expected.magnitude, min(Double(x.magnitude), 1))
            #expect((Double(single[place]) - expected).magnitude <= 1e-6 * scale, "\(x)")
            #expect((double[place] - expected).magnitude <= 1e-15 * scale, "\(x)")
        }
    }

    /// Lengths around the number of lanes, with and without a sink, values far apart.
    @Test(arguments: [1, 2, 15, 16, 17, 31, 33, 100, 1000], [nil, -3.0, 40.0])
    func softmax(count: Int, sink: Double?) {
        let x = (0..<count).map { Double(Float(30 * sin(Double(7 * $0 + 1)))) }
        let weights = x.map { exp($0 - 40) }
        let sum = weights.reduce(sink.map { exp($0 - 40) } ?? 0, +)
        var (single, double) = (x.map(Float.init), x)
        if let sink {
            mp_softmax_f32(&single, count, [Float(sink)])
            mp_softmax_f64(&double, count, [sink])
        } else {
            mp_softmax_f32(&single, count, nil)
            mp_softmax_f64(&double, count, nil)
        }
        for (place, weight) in weights.enumerated() {
            // exp_f32 stops at exp(-87).
            #expect((Double(single[place]) - weight / sum).magnitude <= 4e-6 * weight / sum + 1e-37)
            #expect((double[place] - weight / sum).magnitude <= 2e-14 * weight / sum)
        }
    }

    @Test(arguments: [1, 15, 16, 17, 100, 1001])
    func sumsAndNorms(count: Int) {
        let x = (0..<count).map { Float(sin(Double(3 * $0 + 1)) + 0.5) }
        let gain = (0..<count).map { Float(cos(Double($0))) }
        let bias = (0..<count).map { Float(cos(Double(5 * $0))) }
        let sum = x.reduce(0.0) { $0 + Double($1) }
        let squares = x.reduce(0.0) { $0 + (Double($1) - 0.25) * (Double($1) - 0.25) }
        #expect((Double(mp_sum_f32(x, count)) - sum).magnitude < 1e-6 * Double(count))
        #expect((mp_sum_f64(x.map(Double.init), count) - sum).magnitude < 1e-14 * Double(count))
        #expect((Double(mp_sum_of_squares_f32(x, count, 0.25)) - squares).magnitude < 1e-6 * Double(count))
        #expect((mp_sum_of_squares_f64(x.map(Double.init), count, 0.25) - squares).magnitude < 1e-14 * Double(count))
        var out = [Float](repeating: .nan, count: count)
        for (hasGain, hasBias) in [(true, true), (true, false), (false, true), (false, false)] {
            mp_normalize_f32(&out, x, count, 0.25, 3, hasGain ? gain : nil, hasBias ? bias : nil)
            for i in 0..<count {
                let expected =
                    (Double(x[i]) - 0.25) * 3 * (hasGain ? Double(gain[i]) : 1) + (hasBias ? Double(bias[i]) : 0)
                #expect((Double(out[i]) - expected).magnitude < 2e-6)
            }
        }
    }

    @Test(arguments: [1, 2])
    func turnsPairs(stride: Int) {
        let count = 9
        let angles = (0..<count).map { 0.3 * Double($0) - 1 }
        var values = (0..<2 * count).map { cos(Double(11 * $0)) }
        let before = values
        let second = stride == 1 ? count : 1
        values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            mp_turn_pairs_f64(base, base + second, stride, count, angles.map { cos($0) }, angles.map { sin($0) })
        }
        for (i, angle) in angles.enumerated() {
            let (x, y) = (before[i * stride], before[i * stride + second])
            #expect((values[i * stride] - (x * cos(angle) - y * sin(angle))).magnitude < 1e-15)
            #expect((values[i * stride + second] - (x * sin(angle) + y * cos(angle))).magnitude < 1e-15)
        }
    }

    /// Noise of half an ulp to either side, flat, without a mean; zeros stay, and one seed is one noise.
    @Test(arguments: [1.0, 1.9, -3.3, 1e-3, 0.0])
    func jitterIsHalfAnUlp(value: Double) {
        let count = 100_000
        let ulp = exp2(-7.0)
        var x = [Double](repeating: value, count: count)
        mp_jitter_f64(&x, count, 5, ulp, 1e-30)
        let binade = value == 0 ? 0 : exp2(log2(value.magnitude).rounded(.down))
        let noise = x.map { ($0 - value) / (ulp * max(binade, 1e-30)) }
        #expect(noise.allSatisfy { $0.magnitude <= 0.5 })
        let mean = noise.reduce(0, +) / Double(count)
        let variance = noise.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(mean.magnitude < 0.005)
        #expect(value == 0 ? variance == 0 : (variance * 12 - 1).magnitude < 0.02)
        var (again, other) = ([Double](repeating: value, count: count), [Double](repeating: value, count: count))
        mp_jitter_f64(&again, count, 5, ulp, 1e-30)
        mp_jitter_f64(&other, count, 6, ulp, 1e-30)
        #expect(again == x && (value == 0 || other != x))
    }
}
