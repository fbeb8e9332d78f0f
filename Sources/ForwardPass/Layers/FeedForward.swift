import Architectures
import Glibc
import LinearAlgebra

func logarithm(_ x: Double) -> Double { log(x) }

/// Feed-forward blocks; `FeedForward+Experts` runs mixtures of them.
struct FeedForwardRunner<Real: ComputeScalar>: Sendable {
    let maps: LinearMaps<Real>

    func callAsFunction(_ block: MLPBlock, _ x: States<Real>) throws -> States<Real> {
        let hidden: States<Real>
        if let gate = block.gate {
            let (g, u) = try gateAndUp(gate, block.up, x)
            if let clamp = block.clamp {
                Self.clamped(g, u, clamp)
            } else {
                try activate(block, g)
                Real.multiply(g.base, by: u.base, g.count)
            }
            hidden = g
        } else {
            hidden = try maps.apply(block.up, to: x)
            try activate(block, hidden)
        }
        return try maps.apply(block.down, to: hidden)
    }

    private func activate(_ block: MLPBlock, _ z: States<Real>) throws {
        guard let series = block.series else { return block.activation.apply(z.base, z.count) }
        ChannelPolynomials<Real>(try maps.weights.values(series), channels: block.intermediateSize).apply(to: z)
    }

    private func gateAndUp(
        _ gate: Projection, _ up: Projection, _ x: States<Real>
    ) throws -> (States<Real>, States<Real>) {
        guard gate.weight == up.weight, gate.expert == up.expert else {
            return (try maps.apply(gate, to: x), try maps.apply(up, to: x))
        }
        let both = try maps.applyStored(gate, to: x)
        func part(_ projection: Projection) -> States<Real> {
            both.columns(
                from: projection.outputOffset, count: projection.outputCount, stride: projection.outputStride)
        }
        return (part(gate), part(up))
    }

    /// g ← min(g, l)·σ(α·min(g, l))·(clamp(u, ±l) + 1).
    private static func clamped(_ g: States<Real>, _ u: States<Real>, _ clamp: MLPBlock.Clamp) {
        let limit = Real(clamp.limit)
        for i in 0..<g.count {
            g.base[i] = min(g.base[i], limit)
            u.base[i] = min(max(u.base[i], -limit), limit) + 1
        }
        Real.quickGelu(g.base, g.count, Real(clamp.alpha))
        Real.multiply(g.base, by: u.base, g.count)
    }
}
