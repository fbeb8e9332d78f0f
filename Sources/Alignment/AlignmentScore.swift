import LinearAlgebra
import Symmetries

/// How near estimates come to what acted, which only the key tells.
public struct AlignmentScore: Sendable, Encodable {
    /// Of channels, heads or experts whose place was found; nil where nothing was permuted.
    public private(set) var permutationShare: Double?
    /// ‖Â⁻¹·A - 1‖ / √n, the root mean square over sites; nil where only places are told.
    public private(set) var error: Double?

    enum CodingKeys: String, CodingKey {
        case permutationShare = "permutations_right"
        case error = "element_error"
    }

    /// By kind, over the sites that the protection acted on.
    /// - Parameter acted: what `Protector.elements(of:key:)` says.
    public static func all(
        of report: Aligner.Report, against acted: [(site: Site, element: Element)]
    ) -> [Site.Kind: AlignmentScore] {
        var sums: [Site.Kind: (right: Int, places: Int, square: Double, sites: Int)] = [:]
        for (site, element) in acted {
            // A turned stream's rotation is found whatever form it was drawn in.
            let path = site.group.isRotation ? report.sites.first { $0.group.isRotation }?.path : site.path
            guard let estimate = path.flatMap({ report.estimates[$0] })?.element else { continue }
            var sum = sums[site.kind] ?? (0, 0, 0, 0)
            if case .monomial(let own) = element, case .monomial(let found) = estimate {
                sum.right += zip(own.source, found.source).count { $0 == $1 }
                sum.places += own.dimension
            } else if case .rotation(let own) = element, case .rotation(let found) = estimate {
                let rest = found.matrix.transposed * own.matrix - Matrix<Double>.identity(own.dimension)
                sum.square += rest.squaredNorm / Double(max(own.dimension, 1))
                sum.sites += 1
            } else if let rest = estimate.inverse.composed(after: element) {
                sum.square += rest.distanceFromIdentity
                sum.sites += 1
            }
            sums[site.kind] = sum
        }
        return sums.mapValues { sum in
            AlignmentScore(
                permutationShare: sum.places > 0 ? Double(sum.right) / Double(sum.places) : nil,
                error: sum.sites > 0 ? (sum.square / Double(sum.sites)).squareRoot() : nil)
        }
    }
}

extension Element {
    /// ‖A - 1‖² / n.
    fileprivate var distanceFromIdentity: Double {
        var sum = 0.0
        for action in actions(.direct) {
            let matrix = action.matrix
            for i in 0..<matrix.rows {
                for j in 0..<matrix.columns {
                    let value = matrix[i, j] - (i == j ? 1 : 0)
                    sum += value * value
                }
            }
        }
        return sum / Double(max(dimension, 1))
    }
}
