import Foundation

extension MergeMethod {
    /// The Karcher mean of all models, the point of least summed squared distance on the sphere, times their mean norm (arXiv 2603.04972).
    ///
    /// Each step goes along the mean of the tangents: m ← exp_m(Σ α_i log_m(u_i)), u_i = θ_i / ‖θ_i‖, until that is shorter than `tol`.
    public static let karcher = MergeMethod(
        name: "karcher", summary: "mean of the directions on the sphere, by Karcher's iteration, times the mean norm",
        reference: "2603.04972", base: .ignored,
        parameters: [
            .number("max_iter", 10, in: 0...1e6, kind: .whole), .number("tol", 1e-5, in: 0...1),
        ]
    ) { tensor in
        guard tensor.modelCount > 1 else { return Combination([1]).kernel }
        let gram = try GramMatrix(of: tensor, from: .zero)
        let (count, tolerance) = (gram.count, tensor["tol"])
        let scale = (0..<count).reduce(0) { $0 + gram.norm($1) } / Double(count)
        let valid = (0..<count).filter { gram.norm($0) > tolerance }
        /// A model's direction, as a combination of the models.
        func direction(_ model: Int) -> [Double] {
            (0..<count).map { $0 == model ? 1 / gram.norm(model) : 0 }
        }
        guard let first = valid.first else { return Combination([Double](repeating: 0, count: count)).kernel }
        func sum(_ terms: [([Double], Double)]) -> [Double] {
            (0..<count).map { i in terms.reduce(0) { $0 + $1.0[i] * $1.1 } }
        }
        let share = 1 / Double(valid.count)
        var mean = sum(valid.map { (direction($0), share) })
        let length = gram.norm(mean)
        mean = length < tolerance ? direction(first) : mean.map { $0 / length }
        for _ in 0..<Int(tensor["max_iter"]) {
            var terms: [([Double], Double)] = []
            for model in valid {
                let direction = direction(model)
                let cosine = min(max(gram.product(mean, direction), -1), 1)
                let angle = acos(cosine)
                guard angle >= tolerance else { continue }
                terms += [(direction, share * angle / sin(angle)), (mean, -share * cosine * angle / sin(angle))]
            }
            let tangent = sum(terms)
            let step = gram.norm(tangent)
            guard step >= tolerance else { break }
            mean = sum([(mean, cos(step)), (tangent, sin(step) / step)])
            let length = gram.norm(mean)
            if length > tolerance { mean = mean.map { $0 / length } }
        }
        return Combination(mean.map { $0 * scale }).kernel
    }
}
