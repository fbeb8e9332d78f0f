/// What LAPACK's info codes and bad shapes mean.
public enum LinearAlgebraError: Error, Sendable, Equatable {
    /// info > 0 of a factorisation: the pivot (counted from 1) is exactly zero.
    case singular(routine: String, pivot: Int)
    /// info > 0 of an iteration: the algorithm did not converge.
    case notConverged(routine: String, info: Int)
    /// info < 0: LAPACK refused an argument.
    case illegalArgument(routine: String, argument: Int)
    case notFinite(operation: String, row: Int, column: Int)
    case dimensionMismatch(operation: String, expected: String, found: String)
    /// A condition number must be finite and at least 1, a dimension at least 1.
    case invalidCondition(dimension: Int, condition: Double)
    /// Rejection sampling found no draw within the bound.
    case conditionOutOfReach(dimension: Int, maximum: Double, tries: Int, best: Double)
    case roundingOutOfReach(dimension: Int, multiple: Double, tries: Int)
}

extension LinearAlgebraError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .singular(let routine, let pivot): "\(routine): the matrix is singular (pivot \(pivot) is zero)"
        case .notConverged(let routine, let info): "\(routine): no convergence (info \(info))"
        case .illegalArgument(let routine, let argument): "\(routine): argument \(argument) was refused"
        case .dimensionMismatch(let operation, let expected, let found):
            "\(operation): expected \(expected), found \(found)"
        case .notFinite(let operation, let row, let column):
            "\(operation): entry \(row), \(column) is not a finite number"
        case .invalidCondition(let dimension, let condition):
            "no \(dimension) x \(dimension) matrix of condition number \(condition): expected a dimension and a condition of at least 1"
        case .conditionOutOfReach(let dimension, let maximum, let tries, let best):
            "no Gaussian \(dimension) x \(dimension) matrix with condition number at most \(maximum) in \(tries) draws (best \(best)): allow a larger condition number or choose another sampler"
        case .roundingOutOfReach(let dimension, let multiple, let tries):
            "no Gaussian \(dimension) x \(dimension) matrix that costs at most \(multiple) times the rounding in \(tries) draws: choose another sampler"
        }
    }

    /// Turns a LAPACK info code into an error; `positive` says what a positive code means for the routine.
    static func check(
        _ info: Int32, _ routine: String, positive: (Int) -> LinearAlgebraError
    ) throws(LinearAlgebraError) {
        if info < 0 { throw .illegalArgument(routine: routine, argument: -Int(info)) }
        if info > 0 { throw positive(Int(info)) }
    }
}
