/// Logarithm, exponential and sine from + - * / alone, in a fixed order: the same bits on every IEEE CPU, where a
/// system's libm may differ in the last place. Errors stay below 4 ulp (sine and cosine: below 4e-16 absolute).
public enum PortableMath {
    private static let ln2High = 0x1.62e42feep-1
    private static let ln2Low = 0x1.a39ef35793c76p-33

    /// Natural logarithm of a positive normal number: `x = 2^e·m`, `ln m = 2·artanh((m-1)/(m+1))` by its series.
    public static func log(_ x: Double) -> Double {
        guard x > 0, x.isFinite else { return x == 0 ? -.infinity : x == .infinity ? x : .nan }
        var exponent = Double(x.exponent)
        var mantissa = x.significand
        if mantissa > 1.4142135623730951 {
            mantissa /= 2
            exponent += 1
        }
        let s = (mantissa - 1) / (mantissa + 1)
        let square = s * s
        var tail = 0.0
        for n in stride(from: 25.0, through: 3.0, by: -2.0) { tail = (tail + 1 / n) * square }
        return exponent * ln2High + (exponent * ln2Low + (2 * s * tail + 2 * s))
    }

    /// 2^x: the fraction's exponential by its Taylor series.
    public static func exp2(_ x: Double) -> Double {
        guard x < 1024, x > -1076 else { return x > 0 ? .infinity : x < 0 ? 0 : .nan }
        let whole = x.rounded(.toNearestOrEven)
        let t = (x - whole) * 0.6931471805599453
        var sum = 1.0
        for n in stride(from: 17.0, through: 1.0, by: -1.0) { sum = sum * t / n + 1 }
        return Double(sign: .plus, exponent: Int(whole), significand: sum)
    }

    /// (sin 2πt, cos 2πt) for t in turns: reduction to an eighth of a turn is exact, then Taylor series.
    public static func sinCosTwoPi(_ turns: Double) -> (sine: Double, cosine: Double) {
        guard turns.isFinite else { return (.nan, .nan) }
        let t = turns - turns.rounded(.toNearestOrEven)
        let quarter = (4 * t).rounded(.toNearestOrEven)
        let angle = (t - quarter / 4) * 6.283185307179586
        let square = angle * angle
        var sine = 1.0
        var cosine = 1.0
        for n in stride(from: 20.0, through: 2.0, by: -2.0) {
            sine = 1 - sine * square / (n * (n + 1))
            cosine = 1 - cosine * square / ((n - 1) * n)
        }
        sine *= angle
        switch Int(quarter) & 3 {
        case 0: return (sine, cosine)
        case 1: return (cosine, -sine)
        case 2: return (-sine, -cosine)
        default: return (-cosine, sine)
        }
    }
}
