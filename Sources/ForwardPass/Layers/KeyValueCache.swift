import Architectures

/// Keys and values of the positions that a decoder has seen, of one sequence.
package final class KeyValueCache<Real: ComputeScalar> {
    struct Entry {
        /// One row per position, heads side by side, in memory that is doubled when it is full.
        fileprivate(set) var keys: States<Real>
        fileprivate(set) var values: States<Real>
        fileprivate(set) var count = 0

        fileprivate mutating func reserve(_ rows: Int) {
            func grown(_ states: States<Real>) -> States<Real> {
                let larger = States<Real>(rows: max(rows, 2 * states.rows), columns: states.columns)
                larger.base.update(from: states.base, count: count * states.columns)
                return larger
            }
            if rows > keys.rows { (keys, values) = (grown(keys), grown(values)) }
        }
    }

    /// By the name of the attention block and the number of the layer.
    fileprivate var entries: [String: Entry] = [:]
    /// Positions seen.
    var length = 0
}

extension AttentionRunner {
    /// Adds the keys and values of new rows to a cache. Returns those of all rows seen.
    func append(
        _ keys: HeadRows, _ values: HeadRows, rows: Int, to cache: KeyValueCache<Real>, _ name: String
    ) -> (HeadRows, HeadRows) {
        let heads = block.keyValueHeads
        func empty(_ rows: HeadRows) -> States<Real> { States(rows: 0, columns: heads * rows.layout.length) }
        var entry = cache.entries[name] ?? .init(keys: empty(keys), values: empty(values))
        entry.reserve(entry.count + rows)
        for (source, target) in [(keys, entry.keys), (values, entry.values)] {
            for row in 0..<rows {
                for head in 0..<heads {
                    let view = source.view(row..<row + 1, group: head, member: 0)
                    guard let base = view.base else { continue }
                    (target.row(entry.count + row) + head * view.columns).update(from: base, count: view.columns)
                }
            }
        }
        entry.count += rows
        cache.entries[name] = entry
        func whole(_ states: States<Real>, _ length: Int) -> HeadRows {
            HeadRows(states, HeadLayout(offset: 0, groupStride: length, headStride: length, length: length))
        }
        return (whole(entry.keys, keys.layout.length), whole(entry.values, values.layout.length))
    }
}
