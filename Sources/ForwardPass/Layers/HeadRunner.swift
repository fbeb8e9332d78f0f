import Architectures
import Glibc
import LinearAlgebra

/// What a model makes of its last states.
struct HeadRunner<Real: ComputeScalar> {
    let maps: LinearMaps<Real>

    func language(_ head: LanguageHead, _ states: States<Real>) throws -> States<Real> {
        var x = states
        if let transform = head.transform { x = try step(transform, x) }
        if head.multiplier != 1 {
            x = States(x)
            x.scale(Real(head.multiplier))
        }
        let logits = try maps.apply(head.head, to: x)
        if let cap = head.softCap {
            logits.scale(Real(1 / cap))
            Real.hyperbolicTangent(logits.base, logits.count)
            logits.scale(Real(cap))
        }
        return logits
    }

    private func step(_ step: HeadStep, _ x: States<Real>) throws -> States<Real> {
        let y = try maps.apply(step.projection, to: x)
        step.activation?.apply(y.base, y.count)
        return try step.norm.map { try LoadedNorm($0, maps.weights).apply(y) } ?? y
    }

    /// - Parameter tokens: what the encoder reads, or the only stack.
    func classifier(
        _ head: Classifier, _ states: States<Real>, _ positions: Positions, tokens: [[Int]]
    ) throws -> States<Real> {
        func steps(_ x: States<Real>, _ steps: [HeadStep]) throws -> States<Real> {
            try steps.reduce(x) { try step($1, $0) }
        }
        let starts = positions.segments.map(\.lowerBound)
        switch head.pooling {
        case .first: return try steps(states.gathered(starts), head.steps)
        case .last, .endOfText:
            return try steps(states.gathered(try places(head, positions, tokens)), head.steps)
        case .mean: return try steps(mean(states, positions, skipping: 0), head.steps)
        case .meanOfRest: return try steps(mean(states, positions, skipping: 1), head.steps)
        case .meanOfScores: return mean(try steps(states, head.steps), positions, skipping: 0)
        case .firstAndMean:
            let (first, rest) = (states.gathered(starts), mean(states, positions, skipping: 1))
            let both = States<Real>(rows: first.rows, columns: 2 * first.columns)
            for row in 0..<both.rows {
                both.row(row).update(from: first.row(row), count: first.columns)
                (both.row(row) + first.columns).update(from: rest.row(row), count: first.columns)
            }
            return try steps(both, head.steps)
        case .meanOfHeads:
            // One head per leading token.
            var sum: States<Real>?
            for (place, step) in head.steps.enumerated() {
                let scores = try self.step(step, states.gathered(starts.map { $0 + place }))
                if let sum { sum.add(scores) } else { sum = scores }
            }
            sum?.scale(1 / Real(max(head.steps.count, 1)))
            return sum ?? states
        }
    }

    /// The row of each sequence that a classifier reads.
    private func places(_ head: Classifier, _ positions: Positions, _ tokens: [[Int]]) throws(ForwardError) -> [Int] {
        var places: [Int] = []
        for (number, segment) in positions.segments.enumerated() {
            guard let token = head.token, number < tokens.count else {
                places.append(segment.upperBound - 1)
                continue
            }
            let own = tokens[number]
            guard own.count == segment.count else {
                throw .decoderDoesNotFit(tokens: own.count, decoder: segment.count)
            }
            if head.pooling == .last {
                places.append(segment.lowerBound + (own.lastIndex { $0 != token } ?? 0))
            } else if let end = own.lastIndex(of: token) {
                places.append(segment.lowerBound + end)
            } else {
                throw .noEndOfText(sequence: number, token: token)
            }
        }
        return places
    }

    private func mean(_ states: States<Real>, _ positions: Positions, skipping: Int) -> States<Real> {
        let result = States<Real>(zeros: positions.segments.count, states.columns)
        for (number, segment) in positions.segments.enumerated() {
            let rows = segment.dropFirst(skipping)
            for row in rows {
                Real.add(result.row(number), states.row(row), states.columns, 1 / Real(max(rows.count, 1)))
            }
        }
        return result
    }

    /// Each row divided by its length.
    func normalize(_ x: States<Real>) {
        for row in 0..<x.rows {
            let length = Real.sumOfSquares(x.row(row), x.columns, mean: 0).squareRoot()
            for column in 0..<x.columns { x.row(row)[column] /= length }
        }
    }

    func similarities(_ head: Contrastive, text: States<Real>, image: States<Real>) throws -> States<Real> {
        let scale: [Real] = try maps.weights.values(head.scale)
        var bias: [Real] = [0]
        if let name = head.bias { bias = try maps.weights.values(name) }
        let result = States<Real>(rows: image.rows, columns: text.rows)
        try Products.multiply(
            image.view, by: text.view, rightTransposed: true,
            into: result.mutableWindow(rows: 0..<image.rows, columns: 0..<text.rows),
            alpha: Real(exp(Double(scale.first ?? 0))))
        for i in 0..<result.count { result.base[i] += bias.first ?? 0 }
        return result
    }
}
