import Checkpoints
import Foundations
import Symmetries

/// What rounding costs the weights behind a norm with gain g and bias b once its stream was turned.
///
/// The norm gives `g∘n + b` with n of mean square 1 in each channel. Rounding the weights W that read it, and b, changes the products by
/// `u²·w²·Σ_j t_j`, `t = g² + 2b²`, where w² is the mean square of W and u the roundoff. Turned, `W' = W·diag(g)·Rᵀ` has columns of
/// mean square `w²·mean(g²)` and reads `R·(n + b/g)`, of squares `1 + mean((b/g)²)`: `u²·w²·d·mean(g²)·mean(t/g²)`. So the multiple is
///
///     M = sqrt(mean(g²)·mean(t/g²) / mean(t))
///
/// It is 1 without a bias, and where all |b/g| are alike; a small gain beside a bias that is none makes it large. In tiny models whose
/// norms all had M = 2.7 both proofs still held, in f32 and in bf16, and at 5.1 they no longer did.
package struct TurnedBias {
    /// What the outputs' proof leaves to chance: beyond that a sound model could fail it.
    static let largestMultiple = 2.0

    package let tensor: String
    package let multiple: Double

    /// The norm of a site at which rounding costs most; nil where the site divides no bias by gains.
    package static func worst(at site: Site, in checkpoint: Checkpoint) -> TurnedBias? {
        site.slices.filter(\.isDivided).compactMap { slice in
            guard let bias = checkpoint.tensors[slice.tensor], let gain = slice.gain,
                let stored = checkpoint.tensors[gain.tensor], bias.type.isComputable, stored.type.isComputable
            else { return nil }
            return TurnedBias(
                tensor: slice.tensor,
                multiple: multiple(
                    gain: stored.type.doubles(in: checkpoint.bytes(of: stored)).map { $0 + gain.offset },
                    bias: bias.type.doubles(in: checkpoint.bytes(of: bias))))
        }.max { $0.multiple < $1.multiple }
    }

    /// M; infinite where it is no number, 1 where there is no channel.
    package static func multiple(gain: [Double], bias: [Double]) -> Double {
        var (gains, ratios, all) = (0.0, 0.0, 0.0)
        for (g, b) in zip(gain, bias) {
            let t = g * g + 2 * b * b
            gains += g * g
            ratios += t / (g * g)
            all += t
        }
        guard !gain.isEmpty else { return 1 }
        let multiple = (gains * ratios / (Double(gain.count) * all)).squareRoot()
        return multiple.isNaN ? .infinity : multiple
    }
}
