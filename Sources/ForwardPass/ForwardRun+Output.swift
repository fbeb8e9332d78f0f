import Architectures
import LinearAlgebra

extension ForwardRun {
    /// One matrix per sequence, or one in all for similarities.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func output(lastOnly: Bool = false) throws -> (kind: OutputKind, values: [Matrix<Real>]) {
        guard let last = finished.last else { return (.states, []) }
        switch architecture.head {
        case .none: return (.states, split(last.states, last.positions))
        case .language(let head):
            var (states, positions) = last
            if lastOnly {
                states = states.gathered(positions.segments.map { $0.upperBound - 1 })
                positions = Positions(lengths: positions.segments.map { _ in 1 })
            }
            return (.logits, split(try HeadRunner(maps: maps).language(head, states), positions))
        case .classifier(let head):
            let classes = try HeadRunner(maps: maps).classifier(
                head, last.states, last.positions, tokens: inputs.tokens)
            return (.classes, split(classes, Positions(lengths: last.positions.segments.map { _ in 1 })))
        case .contrastive(let head):
            return (.similarities, [try similarities(head).matrix])
        }
    }

    /// What several runs on the same inputs give, in one pass through the weights behind their last layers, which are the first run's
    /// for all of them. What is the same before is the same after.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package static func outputs(of runs: [ForwardRun]) throws -> [(kind: OutputKind, values: [Matrix<Real>])] {
        guard let first = runs.first, case .language(let head) = first.architecture.head else {
            return try runs.map { try $0.output() }
        }
        var distinct: [(states: States<Real>, positions: Positions)] = []
        let places = runs.compactMap { run -> Int? in
            guard let last = run.finished.last else { return nil }
            if let known = distinct.firstIndex(where: { $0.states.isIdentical(to: last.states) }) { return known }
            distinct.append(last)
            return distinct.count - 1
        }
        let logits = try HeadRunner(maps: first.maps).language(head, States(stacking: distinct.map(\.states)))
        let lengths = distinct.map { $0.positions.segments.map(\.count) }
        let all = first.split(logits, Positions(lengths: lengths.flatMap(\.self)))
        return places.map { place in
            let start = lengths[..<place].reduce(0) { $0 + $1.count }
            return (.logits, Array(all[start..<start + lengths[place].count]))
        }
    }

    private func split(_ states: States<Real>, _ positions: Positions) -> [Matrix<Real>] {
        positions.segments.map { segment in
            let start = states.row(segment.lowerBound)
            return Matrix(
                rows: segment.count, columns: states.columns,
                elements: Array(UnsafeBufferPointer(start: start, count: segment.count * states.columns)))
        }
    }

    private func similarities(_ head: Contrastive) throws -> States<Real> {
        let runner = HeadRunner(maps: maps)
        func tower(_ tower: Contrastive.Tower) throws -> States<Real> {
            guard let number = architecture.stacks.firstIndex(where: { $0.name == tower.stack }) else {
                throw wrongInputs("a tower \(tower.stack)")
            }
            let (states, positions) = finished[number]
            var pooled: States<Real>
            switch tower.pooling {
            case .first: pooled = states.gathered(positions.segments.map(\.lowerBound))
            case .last: pooled = states.gathered(positions.segments.map { $0.upperBound - 1 })
            case .endOfText(let token):
                let places = zip(inputs.tokens, positions.segments).map { tokens, segment in
                    let largest = tokens.indices.max { (tokens[$0], $1) < (tokens[$1], $0) } ?? 0
                    return segment.lowerBound + (token == 2 ? largest : tokens.firstIndex(of: token) ?? 0)
                }
                pooled = states.gathered(places)
            case .attention(let layer): pooled = try self.pooled(layer, states, positions)
            }
            if let projection = tower.projection { pooled = try maps.apply(projection, to: pooled) }
            runner.normalize(pooled)
            return pooled
        }
        return try runner.similarities(head, text: tower(head.text), image: tower(head.image))
    }

    /// SigLIP's pooling: attention with one learned query, then the layer's other sublayers.
    private func pooled(_ layer: Layer, _ states: States<Real>, _ positions: Positions) throws -> States<Real> {
        var x = states
        for sublayer in layer.sublayers {
            if case .attention(let block) = sublayer.operation, let name = block.probe {
                let probe: [Real] = try maps.weights.values(name)
                let queries = States<Real>(rows: positions.segments.count, columns: probe.count)
                for row in 0..<queries.rows {
                    for (column, value) in probe.enumerated() { queries.row(row)[column] = value }
                }
                let runner = try AttentionRunner(block, maps, rotary: nil, scores: nil)
                x = try runner(
                    queries, Positions(lengths: positions.segments.map { _ in 1 }), source: (states, positions))
            } else {
                let branch = try output(of: sublayer, on: x, positions, layer: 0)
                branch.add(x)
                x = branch
            }
        }
        return x
    }
}
