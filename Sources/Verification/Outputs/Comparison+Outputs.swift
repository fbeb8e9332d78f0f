import ForwardPass
import Glibc
import LinearAlgebra

extension Comparison.Outputs {
    /// All but the agreement of `b` with `a`, of the same shapes.
    init<Real: ComputeScalar>(of b: [Matrix<Real>], beside a: [Matrix<Real>], _ kind: OutputKind) {
        var (difference, size) = (0.0, 0.0)
        for (x, y) in zip(a, b) {
            for (p, q) in zip(x.elements, y.elements) {
                let error = Double(q) - Double(p)
                difference += error * error
                size += Double(p) * Double(p)
                largestError = max(largestError, error.isNaN ? .infinity : error.magnitude)
            }
            guard kind == .logits || kind == .classes else { continue }
            for row in 0..<x.rows {
                let range = row * x.columns..<(row + 1) * x.columns
                let divergence = Self.divergence(of: y.elements[range], from: x.elements[range])
                meanDivergence += divergence
                largestDivergence = max(largestDivergence, divergence)
                rows += 1
            }
        }
        meanDivergence /= Double(max(rows, 1))
        if kind == .states { largestSimilarityChange = SentenceSimilarity.largestChange(a, b) }
        let ratio = difference == 0 ? 0 : (difference / size).squareRoot()
        relativeError = ratio.isFinite && a.count == b.count ? ratio : .infinity
    }

    /// Σ p log(p / q), of softmax p of a and q of b.
    private static func divergence<Real: ComputeScalar>(of b: ArraySlice<Real>, from a: ArraySlice<Real>) -> Double {
        func normalizer(_ row: ArraySlice<Real>) -> Double {
            let top = Double(row.max() ?? 0)
            return top + log(row.reduce(0.0) { $0 + exp(Double($1) - top) })
        }
        let (za, zb) = (normalizer(a), normalizer(b))
        var sum = 0.0
        for (x, y) in zip(a, b) {
            let logP = Double(x) - za
            sum += exp(logP) * (logP - (Double(y) - zb))
        }
        return sum.isNaN ? .infinity : max(sum, 0)
    }

    /// Counts the rows whose largest entry in `a` leads by more than `margin`, and those of them where it is the largest in `b`.
    mutating func countAgreement<Real: ComputeScalar>(of b: [Matrix<Real>], with a: [Matrix<Real>], margin: Double) {
        guard rows > 0 else { return }
        for (x, y) in zip(a, b) {
            for row in 0..<x.rows {
                let range = row * x.columns..<(row + 1) * x.columns
                let (best, second) = Self.largestTwo(x.elements[range])
                guard best.value - second.value > margin else { continue }
                decided += 1
                if Self.largestTwo(y.elements[range]).best.place == best.place { agreeing += 1 }
            }
        }
    }

    /// The largest entry, the first of several, and the largest of the others.
    private static func largestTwo<Real: ComputeScalar>(
        _ row: ArraySlice<Real>
    ) -> (best: (place: Int, value: Double), second: (place: Int, value: Double)) {
        var (best, second) = ((place: -1, value: -Double.infinity), (place: -1, value: -Double.infinity))
        for (place, value) in row.enumerated() {
            if Double(value) > best.value {
                second = best
                best = (place, Double(value))
            } else if Double(value) > second.value {
                second = (place, Double(value))
            }
        }
        return (best, second)
    }
}
