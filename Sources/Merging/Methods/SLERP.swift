import Foundation

extension MergeMethod {
    /// Spherical interpolation from the base to one other model, of whole tensors:
    /// `(sin((1-t)ω) θ₀ + sin(tω) θ₁) / sin ω` with ω their angle; linear where |cos ω| > 0.9995.
    public static let slerp = MergeMethod(
        name: "slerp", summary: "spherical interpolation of whole tensors, from the base (t = 0) to one other (t = 1)",
        base: .required, models: 1...1, parameters: [.required("t", in: -1e9...1e9)]
    ) { tensor in
        let gram = try GramMatrix(of: tensor, from: .zero)
        let t = tensor["t"]
        let norms = (0...1).map { gram.norm($0) > 1e-8 ? gram.norm($0) : 1 }
        let cosine = min(max(gram[0, 1] / norms[0] / norms[1], -1), 1)
        guard cosine.magnitude <= 0.9995 else { return Combination([t], base: 1 - t).kernel }
        let angle = acos(cosine)
        return Combination([sin(t * angle) / sin(angle)], base: sin((1 - t) * angle) / sin(angle)).kernel
    }
}
