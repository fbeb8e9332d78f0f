import Architectures
import LinearAlgebra

/// Turns inputs into the residual stream.
struct EmbeddingRunner<Real: ComputeScalar> {
    let maps: LinearMaps<Real>
    private var weights: Weights { maps.weights }

    init(maps: LinearMaps<Real>) { self.maps = maps }

    func tokens(
        _ embedding: TokenEmbedding, _ sequences: [[Int]], types: [[Int]], _ positions: Positions
    ) throws -> States<Real> {
        let table = try weights.stored(embedding.tokens)
        let size = table.record.shape.last ?? 0
        let x = States<Real>(rows: positions.rows, columns: size)
        for (row, token) in sequences.joined().enumerated() {
            guard token >= 0, token < embedding.vocabulary, (token + 1) * size <= table.record.elementCount else {
                throw ForwardError.tokenOutOfRange(token: token, vocabulary: embedding.vocabulary)
            }
            table.widen(token * size..<(token + 1) * size, into: x.row(row))
        }
        weights.release(table)
        x.scale(Real(embedding.multiplier))
        var states = x
        if embedding.projectsBeforePositions, let projection = embedding.projection {
            states = try maps.apply(projection, to: states)
        }
        if let name = embedding.positions {
            for (segment, tokens) in zip(positions.segments, sequences) {
                let first = positions.offset + embedding.positionOffset
                if let uncounted = embedding.uncounted, tokens.contains(uncounted) {
                    try add(name, to: states, rows: segment, tokens, uncounted: uncounted, first: first)
                } else {
                    try add(name, to: states, rows: segment, first: first)
                }
            }
        }
        if let name = embedding.types {
            let values: [Real] = try weights.values(name)
            let width = states.columns
            let kinds = types.isEmpty ? sequences.map { $0.map { _ in 0 } } : types
            guard kinds.map(\.count) == sequences.map(\.count) else {
                throw ForwardError.typesDoNotFit(tokens: sequences.map(\.count), types: kinds.map(\.count))
            }
            let available = values.count / max(width, 1)
            for (row, kind) in kinds.joined().enumerated() {
                guard kind >= 0, kind < available else {
                    throw ForwardError.typeOutOfRange(type: kind, types: available)
                }
                values.withUnsafeBufferPointer {
                    if let base = $0.baseAddress { Real.add(states.row(row), base + kind * width, width, 1) }
                }
            }
        }
        if let norm = embedding.norm { states = try LoadedNorm(norm, weights).apply(states) }
        if !embedding.projectsBeforePositions, let projection = embedding.projection {
            states = try maps.apply(projection, to: states)
        }
        return states
    }

    /// Adds consecutive rows of a table.
    private func add(_ name: String, to x: States<Real>, rows: Range<Int>, first: Int) throws {
        let table = try weights.stored(name)
        let available = table.record.elementCount / max(x.columns, 1)
        guard first + rows.count <= available else {
            throw ForwardError.sequenceTooLong(length: first + rows.count, maximum: available)
        }
        let values = States<Real>(rows: rows.count, columns: x.columns)
        table.widen(first * x.columns..<(first + rows.count) * x.columns, into: values.base)
        Real.add(x.row(rows.lowerBound), values.base, values.count, 1)
    }

    /// Adds one row of a table for each token: consecutive ones but for a token that is not counted.
    private func add(
        _ name: String, to x: States<Real>, rows: Range<Int>, _ tokens: [Int], uncounted: Int, first: Int
    ) throws {
        var next = first
        for (row, token) in zip(rows, tokens) {
            let position = token == uncounted ? uncounted : next
            if token != uncounted { next += 1 }
            try add(name, to: x, rows: row..<row + 1, first: position)
        }
    }

    func patches(_ embedding: PatchEmbedding, _ images: [PixelArray]) throws -> (States<Real>, Positions) {
        let (side, patch) = (embedding.imageSize / max(embedding.patchSize, 1), embedding.patchSize)
        let expected = [embedding.channels, embedding.imageSize, embedding.imageSize]
        let area = patch * patch
        let pieces = States<Real>(rows: images.count * side * side, columns: embedding.channels * area)
        for (number, image) in images.enumerated() {
            guard image.shape == expected else {
                throw ForwardError.imageShape(expected: expected, found: image.shape)
            }
            for y in 0..<side {
                for x in 0..<side {
                    let row = pieces.row((number * side + y) * side + x)
                    for channel in 0..<embedding.channels {
                        for i in 0..<patch {
                            let start =
                                (channel * embedding.imageSize + y * patch + i) * embedding.imageSize + x * patch
                            for j in 0..<patch { row[channel * area + i * patch + j] = Real(image.values[start + j]) }
                        }
                    }
                }
            }
        }
        let projected = try maps.apply(embedding.patches, to: pieces)
        let leading: [[Real]] = try embedding.leading.map { try weights.values($0) }
        let positions = Positions(
            lengths: Array(repeating: leading.count + side * side, count: images.count))
        let states = States<Real>(rows: positions.rows, columns: projected.columns)
        for (number, segment) in positions.segments.enumerated() {
            for (place, vector) in leading.enumerated() {
                let row = states.row(segment.lowerBound + place)
                for (column, value) in vector.enumerated() where column < states.columns { row[column] = value }
            }
            states.row(segment.lowerBound + leading.count)
                .update(from: projected.row(number * side * side), count: side * side * states.columns)
            if let name = embedding.positions { try add(name, to: states, rows: segment, first: 0) }
        }
        guard let norm = embedding.norm else { return (states, positions) }
        return (try LoadedNorm(norm, weights).apply(states), positions)
    }

    func audio(_ embedding: AudioEmbedding, _ clips: [PixelArray]) throws -> (States<Real>, Positions) {
        var lengths: [Int] = []
        var parts: [States<Real>] = []
        for clip in clips {
            // The second convolution halves the frames; transformers takes as many as there are positions, no fewer.
            let frames = 2 * (try weights.stored(embedding.positions).record.shape.first ?? 0)
            guard clip.shape == [embedding.melBins, frames] else {
                throw ForwardError.soundShape(expected: [embedding.melBins, frames], found: clip.shape)
            }
            let mel = States<Real>(rows: frames, columns: embedding.melBins)
            for bin in 0..<embedding.melBins {
                for frame in 0..<frames { mel.row(frame)[bin] = Real(clip.values[bin * frames + frame]) }
            }
            let first = try convolved(mel, embedding.first, stride: 1)
            let second = try convolved(first, embedding.second, stride: 2)
            try add(embedding.positions, to: second, rows: 0..<second.rows, first: 0)
            lengths.append(second.rows)
            parts.append(second)
        }
        let positions = Positions(lengths: lengths)
        let states = States<Real>(rows: positions.rows, columns: parts.first?.columns ?? 0)
        for (part, segment) in zip(parts, positions.segments) {
            states.row(segment.lowerBound).update(from: part.base, count: part.count)
        }
        return (states, positions)
    }

    /// GELU of a convolution of width 3 with one frame of padding at either end.
    private func convolved(_ x: States<Real>, _ projection: Projection, stride: Int) throws -> States<Real> {
        let rows = (x.rows - 1) / stride + 1
        let windows = States<Real>(zeros: rows, 3 * x.columns)
        for row in 0..<rows {
            for k in 0..<3 {
                let frame = row * stride + k - 1
                guard frame >= 0, frame < x.rows else { continue }
                for channel in 0..<x.columns { windows.row(row)[channel * 3 + k] = x.row(frame)[channel] }
            }
        }
        let y = try maps.apply(projection, to: windows)
        Real.gelu(y.base, y.count)
        return y
    }
}
