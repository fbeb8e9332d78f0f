/// What is done to the channels of residual streams.
public enum ResidualTransform: String, Sendable, CaseIterable {
    /// Nothing.
    case none
    /// They are permuted, with signs where that is legal.
    case permutation
    /// They are turned by a fast orthogonal matrix.
    case hadamard
    /// They are turned by a dense orthogonal matrix.
    case rotation

    /// Nil where channels are not mixed.
    public var form: Rotation.Form? {
        switch self {
        case .none, .permutation: nil
        case .hadamard: .hadamard
        case .rotation: .dense
        }
    }
}
