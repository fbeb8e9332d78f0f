import ForwardPass
import LinearAlgebra

/// Cosine similarities of sequences by the mean of their last hidden states, as sentence encoders are read.
enum SentenceSimilarity {
    /// Pairs grow with the square of the sequences.
    private static let largestCount = 1024

    /// max |cos(b_i, b_j) - cos(a_i, a_j)| over pairs i < j of the first 1024 sequences, each the mean over its rows; nil without a pair.
    static func largestChange<Real: ComputeScalar>(_ a: [Matrix<Real>], _ b: [Matrix<Real>]) -> Double? {
        let count = min(a.count, b.count, largestCount)
        guard count > 1 else { return nil }
        let (x, y) = (a.prefix(count).map(direction), b.prefix(count).map(direction))
        var largest = 0.0
        for i in 1..<count {
            for j in 0..<i {
                let change = (dot(y[i], y[j]) - dot(x[i], x[j])).magnitude
                largest = max(largest, change.isNaN ? .infinity : change)
            }
        }
        return largest
    }

    /// The sum over rows, scaled to length one: the mean's direction.
    private static func direction<Real: ComputeScalar>(_ states: Matrix<Real>) -> [Double] {
        var sum = [Double](repeating: 0, count: states.columns)
        for row in 0..<states.rows {
            for column in 0..<states.columns { sum[column] += Double(states[row, column]) }
        }
        let length = dot(sum, sum).squareRoot()
        return sum.map { $0 / length }
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
