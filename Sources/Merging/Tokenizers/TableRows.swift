import Checkpoints
import Foundations
import Synchronization

/// One model's table of tokens, such as embeddings or the biases of an output head, read in the order of another vocabulary.
final class TableRows: Sendable {
    /// Values that are added up at once where a mean of all rows is taken.
    private static let run = 1 << 16
    /// Values after which pages are let go of there.
    private static let runsBetweenReleases = 512

    private let map: RowMap
    private let model: Int
    /// The table in every model that is merged, as it is stored.
    private let tables: [MergeInput]
    /// Values of a token.
    private let columns: Int
    private let padding = Mutex<[Float]?>(nil)

    init(_ map: RowMap, of model: Int, tables: [MergeInput], columns: Int) {
        (self.map, self.model, self.tables, self.columns) = (map, model, tables, columns)
    }

    /// Some values in f32; means are taken there.
    func widen(_ places: Range<Int>, into buffer: UnsafeMutablePointer<Float>) {
        map.forEach(places, columns: columns) { part, source, column in
            let target = buffer + (part.lowerBound - places.lowerBound)
            switch source {
            case .own(let row): tables[model].widen(values(row, column, part.count), into: target)
            case .fill(.row(let row, let other)):
                tables[other].widen(values(row, column, part.count), into: target)
            case .fill(.mean(let rows)): fillMean(rows, column, part.count, target)
            case .zero: target.update(repeating: 0, count: part.count)
            case .padding:
                let mean = mean()
                for i in 0..<part.count { target[i] = mean[column + i] }
            }
        }
    }

    /// - Throws: `MergeError` where a value that these are made of is no number.
    func checkFinite(_ places: Range<Int>) throws {
        try map.forEach(places, columns: columns) { part, source, column in
            switch source {
            case .own(let row): try tables[model].checkFinite(values(row, column, part.count))
            case .fill(.row(let row, let other)): try tables[other].checkFinite(values(row, column, part.count))
            case .fill(.mean(let rows)):
                for (row, other) in rows { try tables[other].checkFinite(values(row, column, part.count)) }
            case .zero, .padding: break
            }
        }
    }

    private func values(_ row: Int, _ column: Int, _ count: Int) -> Range<Int> {
        row * columns + column..<row * columns + column + count
    }

    private func fillMean(
        _ rows: [(row: Int, model: Int)], _ column: Int, _ count: Int, _ target: UnsafeMutablePointer<Float>
    ) {
        target.update(repeating: 0, count: count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { one in
            guard let base = one.baseAddress else { return }
            for (row, other) in rows {
                tables[other].widen(values(row, column, count), into: base)
                for i in 0..<count { target[i] += base[i] }
            }
        }
        for i in 0..<count { target[i] /= Float(rows.count) }
    }

    /// The mean of all rows but the padding, in f64, rounded once; worked out by whoever needs it first.
    private func mean() -> [Float] {
        padding.withLock { padding in
            if let padding { return padding }
            var sums = [Double](repeating: 0, count: columns)
            let count = map.own.count * columns
            let length = max(Self.run / max(columns, 1), 1) * columns
            withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { buffer in
                guard let base = buffer.baseAddress else { return }
                for (number, start) in stride(from: 0, to: count, by: length).enumerated() {
                    let places = start..<min(start + length, count)
                    widen(places, into: base)
                    for i in 0..<places.count { sums[i % columns] += Double(base[i]) }
                    if number % Self.runsBetweenReleases == Self.runsBetweenReleases - 1 {
                        for table in tables { table.checkpoint.releasePages(of: table.tensor) }
                    }
                }
            }
            let mean = sums.map { Float($0 / Double(max(map.own.count, 1))) }
            padding = mean
            return mean
        }
    }
}
