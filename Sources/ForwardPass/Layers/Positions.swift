import Architectures
import Glibc

/// The rows of a batch: sequences one below the other, without padding.
package struct Positions: Sendable {
    let segments: [Range<Int>]
    /// Position of the first row of each sequence: more than 0 where a cache holds what came before.
    let offset: Int

    init(lengths: [Int], offset: Int = 0) {
        var start = 0
        segments = lengths.map { length in
            defer { start += length }
            return start..<start + length
        }
        self.offset = offset
    }

    var rows: Int { segments.last?.upperBound ?? 0 }
    /// One more than the largest position.
    var extent: Int { (segments.map(\.count).max() ?? 0) + offset }
}

/// Cosines and sines of a rotary embedding: one row per position, one column per pair.
struct RotaryTable<Real: ComputeScalar>: Sendable {
    let rotary: Rotary
    private let cosine: [Real]
    private let sine: [Real]
    private let first: Int

    init(_ rotary: Rotary, _ positions: Positions) {
        self.rotary = rotary
        first = positions.offset
        let frequencies = rotary.frequencies(length: positions.extent)
        let factor = rotary.attentionFactor
        var cosine: [Real] = []
        var sine: [Real] = []
        for position in first..<max(positions.extent, first) {
            for frequency in frequencies {
                let angle = Double(position) * frequency
                cosine.append(Real(factor * cos(angle)))
                sine.append(Real(factor * sin(angle)))
            }
        }
        self.cosine = cosine
        self.sine = sine
    }

    /// Turns one head of one row in place.
    func turn(_ head: UnsafeMutablePointer<Real>, position: Int) {
        let pairs = rotary.dimensions / 2
        let base = head + rotary.offset
        let start = (position - first) * pairs
        cosine.withUnsafeBufferPointer { cosine in
            sine.withUnsafeBufferPointer { sine in
                guard let c = cosine.baseAddress, let s = sine.baseAddress else { return }
                switch rotary.layout {
                case .halfSplit:
                    Real.turnPairs(base, base + pairs, stride: 1, pairs, cosine: c + start, sine: s + start)
                case .interleaved:
                    Real.turnPairs(base, base + 1, stride: 2, pairs, cosine: c + start, sine: s + start)
                }
            }
        }
    }
}

extension AttentionBlock.Mask {
    /// The keys of 0 ..< `keys` that a query at position `t` sees; always a run.
    func visible(from t: Int, keys: Int) -> Range<Int> {
        var low = 0
        var high = isCausal ? min(t + 1, keys) : keys
        if let window {
            low = isCausal ? max(0, t - window + 1) : max(0, t - window)
            if !isCausal { high = min(keys, t + window + 1) }
        }
        if let chunk {
            low = max(low, t / chunk * chunk)
            high = min(high, (t / chunk + 1) * chunk)
        }
        return min(low, high)..<high
    }
}

/// Scores that depend on distance alone.
struct PositionScores<Real: ComputeScalar>: Sendable {
    private enum Kind: Sendable {
        case slopes([Double], isRounded: Bool)
        case table([Real], heads: Int, buckets: Int, distance: Int, isBidirectional: Bool)
    }

    private let kind: Kind
    /// ALiBi as Falcon has it lies under the softmax scale.
    let isScaled: Bool

    init(_ bias: AttentionBlock.PositionBias, heads: Int, _ weights: Weights) throws(ForwardError) {
        switch bias {
        case .alibi(let isRounded):
            kind = .slopes(Self.slopes(heads), isRounded: isRounded)
            isScaled = isRounded
        case .relative(let tensor, let buckets, let distance, let isBidirectional):
            kind = .table(
                try weights.values(tensor), heads: heads, buckets: buckets, distance: distance,
                isBidirectional: isBidirectional)
            isScaled = false
        }
    }

    /// Adds to one row of scores: query at `t`, keys from `keys.lowerBound` on, of one head.
    func add(to scores: UnsafeMutablePointer<Real>, keys: Range<Int>, query t: Int, head: Int, scale: Double) {
        switch kind {
        case .slopes(let slopes, let isRounded):
            for (place, s) in keys.enumerated() {
                let value =
                    isRounded
                    ? Self.bf16(Self.bf16(slopes[head]) * Self.bf16(Double(s))) * scale : slopes[head] * Double(s)
                scores[place] += Real(value)
            }
        case .table(let table, let heads, let buckets, let distance, let isBidirectional):
            for (place, s) in keys.enumerated() {
                let bucket = Self.bucket(s - t, buckets, distance, isBidirectional)
                scores[place] += table[bucket * heads + head]
            }
        }
    }

    private static func bf16(_ x: Double) -> Double {
        let bits = Float(x).bitPattern
        return Double(Float(bitPattern: (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000))
    }

    /// 2^(-8i/n) for the largest power of two n up to the number of heads, then every other one of twice as many.
    private static func slopes(_ heads: Int) -> [Double] {
        var power = 1
        while power * 2 <= heads { power *= 2 }
        let base = exp2(-8 / Double(power))
        var slopes = (1...power).map { pow(base, Double($0)) }
        let finer = exp2(-8 / Double(2 * power))
        for i in 0..<(heads - power) { slopes.append(pow(finer, Double(2 * i + 1))) }
        return slopes
    }

    /// T5's bucket of a relative position: exact near by, logarithmic farther off.
    private static func bucket(_ relative: Int, _ count: Int, _ distance: Int, _ isBidirectional: Bool) -> Int {
        var buckets = count
        var result = 0
        var n = relative
        if isBidirectional {
            buckets /= 2
            if n > 0 { result += buckets }
            n = abs(n)
        } else {
            n = max(-n, 0)
        }
        let exact = buckets / 2
        if n < exact { return result + n }
        let farther =
            log(Float(n) / Float(exact)) / Float(log(Double(distance) / Double(exact))) * Float(buckets - exact)
        // NaN where the table's extents give no scale.
        guard farther < Float(buckets - exact) else { return result + max(buckets - 1, 0) }
        return result + min(exact + max(Int(farther), 0), buckets - 1)
    }
}
