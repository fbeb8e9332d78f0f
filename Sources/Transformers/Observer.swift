import LinearAlgebra

/// Receives activations as they are computed, on the thread that the run was started on and no other.
struct Observer<Real: ComputeScalar>: @unchecked Sendable {
    /// Whether the activation of a name is wanted.
    let wants: (String) -> Bool
    let take: (String, Matrix<Real>) -> Void

    func note(_ name: String, _ states: States<Real>) {
        if wants(name) { take(name, states.matrix) }
    }
}
