import Architectures
import Checkpoints
import Foundations
import LinearAlgebra

/// Softmax attention over runs of keys, head by head.
struct AttentionRunner<Real: ComputeScalar>: Sendable {
    /// Queries whose scores are held at once.
    private static var queryRows: Int { 128 }

    let block: AttentionBlock
    let maps: LinearMaps<Real>
    let rotary: RotaryTable<Real>?
    let scores: PositionScores<Real>?
    private let queryNorms: [LoadedNorm<Real>]
    private let keyNorms: [LoadedNorm<Real>]
    private let sinks: [Real]?

    init(
        _ block: AttentionBlock, _ maps: LinearMaps<Real>, rotary: RotaryTable<Real>?, scores: PositionScores<Real>?
    ) throws(ForwardError) {
        self.block = block
        self.maps = maps
        self.rotary = rotary
        self.scores = scores
        var norms: [[LoadedNorm<Real>]] = []
        for list in [block.queryKeyNorm?.query ?? [], block.queryKeyNorm?.key ?? []] {
            var loaded: [LoadedNorm<Real>] = []
            for norm in list { loaded.append(try LoadedNorm(norm, maps.weights)) }
            norms.append(loaded)
        }
        (queryNorms, keyNorms) = (norms[0], norms[1])
        var sinks: [Real]?
        if let name = block.sinks { sinks = try maps.weights.values(name) }
        self.sinks = sinks
    }

    /// Heads of keys or values: rows of a matrix, or of a cache.
    struct HeadRows: @unchecked Sendable {
        let base: UnsafePointer<Real>
        let rowStride: Int
        let layout: HeadLayout
        /// Keeps the memory alive.
        let owner: States<Real>?

        init(_ states: States<Real>, _ layout: HeadLayout) {
            base = UnsafePointer(states.base)
            rowStride = states.columns
            self.layout = layout
            owner = states
        }

        func view(_ rows: Range<Int>, group: Int, member: Int) -> MatrixView<Real> {
            let columns = layout.range(group: group, member: member)
            return MatrixView(
                base + rows.lowerBound * rowStride + columns.lowerBound, rows: rows.count, columns: columns.count,
                rowStride: rowStride)
        }
    }

    /// - Parameters:
    ///   - x: normalised states of the queries.
    ///   - source: what keys and values are made of, with its rows; nil for `x` itself.
    func callAsFunction(
        _ x: States<Real>, _ positions: Positions, source: (states: States<Real>, positions: Positions)? = nil,
        cache: KeyValueCache<Real>? = nil, cacheKey: String = ""
    ) throws -> States<Real> {
        let (keySource, keyPositions) = source ?? (x, positions)
        let projected = try project(x, keySource)
        if let clip = block.clip {
            // Queries and keys that are normed are clamped behind their norms.
            for states in block.queryKeyNorm == nil ? projected.distinct : [projected.value] {
                clamp(states.base, states.count, Real(clip))
            }
        }
        let (query, key, value) = (projected.query, projected.key, projected.value)
        guard let queryLayout = block.query.headLayout, let valueLayout = block.value.headLayout else { return x }
        prepare(query, queryLayout, norms: queryNorms, heads: block.heads, positions)
        var keyRows: HeadRows
        if let shared = projected.sharedKey {
            keyRows = joined(key, shared, keyPositions)
        } else {
            guard let layout = block.key.headLayout else { return x }
            prepare(key, layout, norms: keyNorms, heads: block.keyValueHeads, keyPositions)
            keyRows = HeadRows(key, layout)
        }
        heat(query, queryLayout, positions)
        var valueRows = HeadRows(value, valueLayout)
        var keySegments = keyPositions.segments
        if let cache, source == nil {
            (keyRows, valueRows) = append(keyRows, valueRows, rows: x.rows, to: cache, cacheKey)
            keySegments = [0..<cache.length + x.rows]
        }
        let context = try attend(
            HeadRows(query, queryLayout), keyRows, valueRows, positions, keySegments, rows: x.rows)
        if let gate = block.outputGate?.headLayout { self.gate(context, query, gate) }
        return try maps.apply(block.output, to: context)
    }

    // MARK: Projections

    private struct Projected {
        let query: States<Real>
        let key: States<Real>
        let value: States<Real>
        let sharedKey: States<Real>?

        var distinct: [States<Real>] {
            var found: [States<Real>] = []
            for states in [query, key, value] where !found.contains(where: { $0 === states }) { found.append(states) }
            return found
        }
    }

    private func project(_ x: States<Real>, _ source: States<Real>) throws -> Projected {
        // Fused projections of one input are computed once.
        var made: [(weight: String, input: States<Real>, output: States<Real>)] = []
        func stored(_ projection: Projection, _ x: States<Real>) throws -> States<Real> {
            if let known = made.first(where: { $0.weight == projection.weight && $0.input === x }) {
                return known.output
            }
            let states = try maps.applyStored(projection, to: x)
            made.append((projection.weight, x, states))
            return states
        }
        var queryInput = x
        if let latent = block.queryLatent {
            queryInput = try LoadedNorm(latent.norm, maps.weights).apply(try maps.apply(latent.down, to: x))
        }
        var keyInput = source
        var sharedKey: States<Real>?
        if let latent = block.keyValueLatent {
            let all = try maps.applyStored(latent.down, to: source)
            keyInput = try LoadedNorm(latent.norm, maps.weights)
                .apply(all.columns(from: 0, count: latent.down.outputCount))
            if let shared = block.sharedKey {
                sharedKey = all.columns(from: shared.outputOffset, count: shared.outputCount)
            }
        }
        return Projected(
            query: try stored(block.query, queryInput), key: try stored(block.key, keyInput),
            value: try stored(block.value, keyInput), sharedKey: sharedKey)
    }

    func clamp(_ values: UnsafeMutablePointer<Real>, _ count: Int, _ limit: Real) {
        for i in 0..<count { values[i] = min(max(values[i], -limit), limit) }
    }

    /// Multiplies each channel of what the heads give by σ of its gate, which lies beside the queries.
    private func gate(_ context: States<Real>, _ query: States<Real>, _ layout: HeadLayout) {
        for row in 0..<context.rows {
            for head in 0..<block.heads {
                let range = layout.range(group: head / block.groupSize, member: head % block.groupSize)
                let (factors, values) = (query.row(row) + range.lowerBound, context.row(row) + head * range.count)
                Real.sigmoid(factors, range.count, 1)
                for channel in 0..<range.count { values[channel] *= factors[channel] }
            }
        }
    }

    // MARK: Products

    private func attend(
        _ query: HeadRows, _ key: HeadRows, _ value: HeadRows, _ positions: Positions, _ keySegments: [Range<Int>],
        rows: Int
    ) throws -> States<Real> {
        let length = block.valueHeadDimension
        let context = States<Real>(rows: rows, columns: block.heads * length)
        var tasks: [(segment: Int, head: Int, queries: Range<Int>)] = []
        for (number, segment) in positions.segments.enumerated() {
            for head in 0..<block.heads {
                for start in stride(from: segment.lowerBound, to: segment.upperBound, by: Self.queryRows) {
                    let end = min(start + Self.queryRows, segment.upperBound)
                    tasks.append((number, head, start..<end))
                }
            }
        }
        let work = positions.segments.reduce(0) { $0 + $1.count * $1.count } * block.heads * block.headDimension
        let all = tasks
        try WorkerThreads.forEach(all.count, threads: work < 1 << 20 ? 1 : maps.threads) { number, scratch in
            let task = all[number]
            let (group, member) = (task.head / block.groupSize, task.head % block.groupSize)
            let (rows, keys) = (positions.segments[task.segment], keySegments[task.segment])
            func visible(_ row: Int) -> Range<Int> {
                block.mask.visible(from: positions.offset + row - rows.lowerBound, keys: keys.count)
            }
            let runs = task.queries.map(visible)
            let low = runs.map(\.lowerBound).min() ?? 0
            let high = runs.map(\.upperBound).max() ?? 0
            let width = high - low
            let target = context.mutableWindow(
                rows: task.queries, columns: task.head * length..<(task.head + 1) * length)
            let buffer = scratch.buffer(1, of: Real.self, count: task.queries.count * width)
            let seen = keys.lowerBound + low..<keys.lowerBound + high
            try Products.multiply(
                query.view(task.queries, group: group, member: member),
                by: key.view(seen, group: group, member: 0), rightTransposed: true,
                into: MutableMatrixView(buffer, rows: task.queries.count, columns: width, rowStride: width),
                alpha: Real(block.scale))
            for (place, run) in runs.enumerated() {
                let row = buffer + place * width
                let own = row + (run.lowerBound - low)
                let position = positions.offset + task.queries.lowerBound + place - rows.lowerBound
                finish(own, run, head: task.head, position: position)
                row.update(repeating: 0, count: run.lowerBound - low)
                (row + (run.upperBound - low)).update(repeating: 0, count: high - run.upperBound)
            }
            try Products.multiply(
                MatrixView(buffer, rows: task.queries.count, columns: width, rowStride: width),
                by: value.view(seen, group: group, member: 0), into: target)
        }
        return context
    }

    /// Scores to weights: position bias, cap, softmax.
    private func finish(_ row: UnsafeMutablePointer<Real>, _ keys: Range<Int>, head: Int, position: Int) {
        guard !keys.isEmpty else { return }
        scores?.add(to: row, keys: keys, query: position, head: head, scale: block.scale)
        if let cap = block.softCap {
            let inverse = Real(1 / cap)
            for i in 0..<keys.count { row[i] *= inverse }
            Real.hyperbolicTangent(row, keys.count)
            for i in 0..<keys.count { row[i] *= Real(cap) }
        }
        if let sinks {
            withUnsafePointer(to: sinks[head]) { Real.softmax(row, keys.count, sink: $0) }
        } else {
            Real.softmax(row, keys.count, sink: nil)
        }
    }
}
