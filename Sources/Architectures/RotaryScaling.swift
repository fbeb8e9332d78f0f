import Glibc

/// How a family stretches rotary frequencies to longer contexts, as transformers' `rope_type` names it.
public enum RotaryScaling: Sendable, Equatable {
    case none
    /// ω / factor.
    case linear(factor: Double)
    /// θ grows with the sequence once that is longer than the model was trained for.
    case dynamic(factor: Double, trained: Double)
    /// Low frequencies divided by the factor, high ones kept, a linear blend between (Llama 3.1).
    case llama3(factor: Double, low: Double, high: Double, trained: Double)
    /// Arxiv 2309.00071: a ramp between interpolated and kept frequencies over pair numbers, and an attention factor.
    case yarn(factor: Double, trained: Double, fast: Double, slow: Double, attention: Double, truncates: Bool)
    /// Arxiv 2402.13753: one factor per pair, from either of two lists by the length of the sequence.
    case longRope(short: [Double], long: [Double], trained: Double, attention: Double)
}

extension Rotary {
    private var pairs: Int { dimensions / 2 }

    private func base(_ theta: Double) -> [Double] {
        (0..<pairs).map { 1 / pow(theta, Double(2 * $0) / Double(dimensions)) }
    }

    /// ω_p for a sequence of `length` tokens, radians per position.
    public func frequencies(length: Int) -> [Double] {
        let plain = base(theta)
        switch scaling {
        case .none: return plain
        case .linear(let factor): return plain.map { $0 / factor }
        case .dynamic(let factor, let trained):
            let ratio = 1 + factor * (max(Double(length), trained) / trained - 1)
            return base(theta * pow(ratio, Double(dimensions) / Double(dimensions - 2)))
        case .llama3(let factor, let low, let high, let trained):
            return plain.map { frequency in
                let turns = trained * frequency / (2 * Double.pi)
                if turns < low { return frequency / factor }
                if turns > high { return frequency }
                let smooth = (turns - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        case .yarn(let factor, let trained, let fast, let slow, _, let truncates):
            func pair(turning turns: Double) -> Double {
                Double(dimensions) * log(trained / (turns * 2 * Double.pi)) / (2 * log(theta))
            }
            var (first, last) = (pair(turning: fast), pair(turning: slow))
            if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
            first = max(first, 0)
            last = min(last, Double(dimensions - 1))
            if first == last { last += 0.001 }
            return plain.enumerated().map { p, frequency in
                let ramp = min(max((Double(p) - first) / (last - first), 0), 1)
                return frequency / factor * ramp + frequency * (1 - ramp)
            }
        case .longRope(let short, let long, let trained, _):
            let factors = Double(length) > trained ? long : short
            return zip(plain, factors).map { $0 / $1 }
        }
    }

    /// What cosines and sines are multiplied by.
    public var attentionFactor: Double {
        switch scaling {
        case .yarn(_, _, _, _, let attention, _), .longRope(_, _, _, let attention): attention
        default: 1
        }
    }
}
