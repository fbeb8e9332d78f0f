import Foundation
import Merging
import TestSupport
import Testing

/// Methods whose result lies in the span of the models, against their definitions on whole vectors.
@Suite struct SphericalTests {
    private typealias Vector = [Double]

    private static func inner(_ x: Vector, _ y: Vector) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
    private static func norm(_ x: Vector) -> Double { inner(x, x).squareRoot() }
    private static func sum(_ terms: [(Double, Vector)]) -> Vector {
        (terms.first?.1 ?? []).indices.map { i in terms.reduce(0) { $0 + $1.0 * $1.1[i] } }
    }

    /// Of task vectors and their base the models.
    private static func models(_ invented: InventedModels, _ tensor: String) throws -> (base: Vector, models: [Vector])
    {
        (try #require(invented.base[tensor]), try invented.models.map { try #require($0[tensor]) })
    }

    /// On a line there is no sphere: the one tensor of a single value is left aside.
    private func expect(
        _ invented: InventedModels, _ found: [String: Vector], _ expected: (Vector, [Vector]) -> Vector
    ) throws {
        try invented.expect(found, exceptions: 1) { tensor, _, _ in
            let (base, models) = try Self.models(invented, tensor)
            return Self.sum([(1, expected(base, models)), (-1, base)])
        }
    }

    @Test(arguments: [0, 0.3, 0.5, 1, 1.2])
    func slerpGoesAlongTheSphere(t: Double) throws {
        // Far and near: near ones are interpolated along the line.
        for distance in [2, 0.01] {
            let invented = try InventedModels(1, distance: distance)
            try expect(invented, try invented.merged(.slerp, shared: ["t": t])) { base, models in
                let cosine = Self.inner(base, models[0]) / Self.norm(base) / Self.norm(models[0])
                guard cosine.magnitude <= 0.9995 else { return Self.sum([(1 - t, base), (t, models[0])]) }
                let angle = acos(cosine)
                return Self.sum([(sin((1 - t) * angle) / sin(angle), base), (sin(t * angle) / sin(angle), models[0])])
            }
        }
    }

    /// The point where the tangents to all directions cancel, found here by small steps.
    @Test(arguments: [2, 3, 4])
    func karcherIsWhereTangentsCancel(count: Int) throws {
        let invented = try InventedModels(count, distance: 2)
        let found = try invented.merged(.karcher, shared: ["max_iter": 200, "tol": 1e-9], hasBase: false)
        try expect(invented, found) { _, models in
            let units = models.map { model in model.map { $0 / Self.norm(model) } }
            var mean = Self.sum(units.map { (1 / Double(count), $0) })
            for _ in 0..<400 {
                mean = mean.map { [size = Self.norm(mean)] in $0 / size }
                let tangents = units.map { unit -> (Double, Vector) in
                    let cosine = min(max(Self.inner(mean, unit), -1), 1)
                    let angle = acos(cosine)
                    let flat = Self.sum([(1, unit), (-cosine, mean)])
                    return (angle > 1e-12 ? angle / sin(angle) / Double(count) : 0, flat)
                }
                mean = Self.sum([(1, mean), (0.5, Self.sum(tangents))])
            }
            mean = mean.map { [size = Self.norm(mean)] in $0 / size }
            let size = models.reduce(0) { $0 + Self.norm($1) } / Double(count)
            return mean.map { $0 * size }
        }
    }

    @Test(arguments: [true, false])
    func multiSLERPIsItsDefinition(hasBase: Bool) throws {
        let invented = try InventedModels(3, distance: 2)
        let weights = [0.5, 0.3, 0.9]
        let found = try invented.merged(
            .multiSLERP, own: weights.map { ["weight": $0] }, hasBase: hasBase)
        try expect(invented, found) { base, models in
            let seen = hasBase ? models.map { Self.sum([(1, $0), (-1, base)]) } : models
            let shares = weights.map { $0 / 1.7 }
            let units = seen.map { model in model.map { $0 / Self.norm(model) } }
            let total = Self.sum(Array(zip(shares, units)))
            let mean = total.map { $0 / Self.norm(total) }
            let tangent = Self.sum(
                zip(shares, units).map { ($0, Self.sum([(1, $1), (-Self.inner($1, mean), mean)])) })
            let angle = Self.norm(tangent) + 1e-8
            let size = zip(shares, seen).reduce(0) { $0 + $1.0 * Self.norm($1.1) }
            let point = Self.sum([(size * cos(angle), mean), (size * sin(angle) / angle, tangent)])
            return hasBase ? Self.sum([(1, base), (1, point)]) : point
        }
    }

    @Test(arguments: [true, false])
    func modelStockIsItsDefinition(byRow: Bool) throws {
        let invented = try InventedModels(3, distance: 0.5)
        let found = try invented.merged(.modelStock, shared: ["filter_wise": byRow ? 1 : 0])
        try invented.expect(found) { _, shape, vectors in
            let columns = byRow ? shape.last ?? 1 : vectors[0].count
            return stride(from: 0, to: vectors[0].count, by: columns).flatMap { start -> Vector in
                let rows = vectors.map { Array($0[start..<start + columns]) }
                var cosines = 0.0
                for i in 0..<3 {
                    for j in 0..<i {
                        let size = max(Self.norm(rows[i]) * Self.norm(rows[j]), 1e-6)
                        cosines += min(max(Self.inner(rows[i], rows[j]) / size, -1), 1) / 3
                    }
                }
                let divisor = 1 + 2 * cosines
                let t = divisor.magnitude < 1e-6 ? 0 : 3 * cosines / divisor
                return Self.sum(rows.map { (t / 3, $0) })
            }
        }
    }
}
