import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Compares what GL(n) leaves invariant: the products of a site's two sides.
///
/// With L the side that carries A⁻ᵀ (queries, output columns; n x p) and R the one that carries A (keys, values; n x p'), biases as
/// further columns, GL(n) leaves `Lᵀ·R` as it is. The p x p' products are compared under Gaussian probes G from either side, column
/// by column, so that a single wrong entry stands out against its own column: with `s = L·G`, the error of column j is
/// `‖s'ᵀ R'_j - sᵀ R_j‖`.
///
/// It is held against what rounding the protected weights does to that column, `N'_j = sqrt(Σ_i ‖s'_i‖² R'_ij²)` times the roundoff,
/// which no rescaling of channels changes: errors in small channels count as much as in large ones. What rounding costs the function
/// is N' beside the same of the original, N: a pair of sides that is rounded at N' ≫ N has lost what the original says, whatever
/// its own rounding explains.
///
/// An error survives r = 8 probes unseen with probability zero, and below a tenth of its size with probability below 1e-6.
struct BilinearInvariant<Real: ProbedScalar> {
    let parts: [PartViews]
    let channels: Int
    let tolerance: Tolerance
    let probes: Probes
    let sketch: Sketch
    let isExhaustive: Bool
    let scratch: WorkerScratch

    struct Finding {
        var worst = WorstError()
        /// The largest `‖N'‖ / ‖N‖` of a pair of sides.
        var roundingMultiple = 1.0
        /// Every product of the original vanishes.
        var isZero = true
    }

    func finding() throws -> Finding {
        var finding = Finding()
        guard let first = parts.first, first.isDirect else {
            finding.worst.include(.infinity, "its tensors do not fit")
            return finding
        }
        let right = ProbedPart<Real>(first, channels, slot: 1, scratch)
        for part in parts.dropFirst() {
            let left = ProbedPart<Real>(part, channels, slot: 3, scratch)
            if isExhaustive {
                try ExhaustiveComparison(left: left, right: right, tolerance: tolerance, scratch: scratch)
                    .run(&finding.worst)
            }
            let fromRight = try right.projections(probes)
            let fromLeft = try left.projections(probes)
            var noise = [try left.compare(with: fromRight, tolerance, sketch, scratch, &finding.worst)]
            noise.append(try right.compare(with: fromLeft, tolerance, sketch, scratch, &finding.worst))
            for noise in noise {
                finding.isZero = finding.isZero && noise.isZero
                finding.roundingMultiple = max(finding.roundingMultiple, noise.ratio)
            }
        }
        return finding
    }
}

/// What rounding a pair of sides does to the columns of their product, in roundoffs: the sums of squares N² and N'².
struct ColumnNoise {
    var original = 0.0
    var protected = 0.0
    /// The median over columns of N'² / N².
    var medianRatio = 1.0
    /// The original's product vanishes.
    var isZero = false

    /// By all columns together, or by most of them: some columns may be far larger than the rest.
    var ratio: Double {
        let all = original > 0 ? protected / original : protected > 0 ? .infinity : 1
        return max(all, medianRatio).squareRoot()
    }
}
