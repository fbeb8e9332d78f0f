import Foundation

extension MergeMethod {
    /// Barycentric interpolation on the sphere: of the directions of all models, or of their task vectors where there is a base, by the tangents
    /// at their weighted mean; times the weighted mean of their norms.
    public static let multiSLERP = MergeMethod(
        name: "multislerp",
        summary: "weighted mean of directions on the sphere, by tangents at their mean, times the mean norm",
        base: .optional,
        parameters: [.weight, .flag("normalize_weights", true), .number("eps", 1e-8, in: 0...1)]
    ) { tensor in
        guard tensor.modelCount > 1 else { return Combination(ofTaskVectors: [1]).kernel }
        let gram = try GramMatrix(of: tensor, from: .base)
        let (count, epsilon) = (gram.count, tensor["eps"])
        var weights = tensor.values("weight")
        let sum = weights.reduce(0, +)
        if tensor[isSet: "normalize_weights"] { weights = weights.map { $0 / sum } }
        let norms = (0..<count).map(gram.norm)
        /// Of the directions: Σ w_i u_i, u_i = θ_i / (‖θ_i‖ + ε).
        let total = zip(weights, norms).map { $0 / ($1 + epsilon) }
        let length = gram.norm(total)
        guard length >= epsilon, length.isFinite else {
            guard count == 2, sum != 0 || !tensor[isSet: "normalize_weights"] else {
                throw MergeError.directionsCancel(tensor: tensor.name)
            }
            return Combination(ofTaskVectors: weights).kernel
        }
        let mean = total.map { $0 / length }
        // The tangents Σ w_i (u_i - ⟨u_i, m⟩ m).
        let along = gram.product(total, mean)
        let tangent = zip(total, mean).map { $0 - along * $1 }
        let angle = gram.norm(tangent) + epsilon
        let scale = zip(norms, weights).reduce(0) { $0 + $1.0 * $1.1 }
        return Combination(
            ofTaskVectors: zip(mean, tangent).map { scale * ($0 * cos(angle) + $1 * sin(angle) / angle) }
        ).kernel
    }
}
