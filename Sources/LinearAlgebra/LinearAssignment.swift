/// The cheapest assignment of n rows to n columns: the permutation p that minimises `Σ c[i, p(i)]`.
///
/// Jonker and Volgenant, Computing 38 (1987): column reduction, reduction transfer, two rounds of augmenting row reduction, then a
/// shortest augmenting path for each row that is left. O(n³) operations at worst; costs are kept in f32, everything else in f64, so that
/// memory is 4 n² bytes and some vectors.
public struct LinearAssignment: Sendable {
    /// The column of each row.
    public let columns: [Int]
    /// `Σ c[i, columns[i]]`.
    public let total: Double
    /// Proof that no assignment is cheaper: `u[i] + v[j] ≤ c[i, j]` everywhere and equal where assigned, to rounding.
    public let rowDuals, columnDuals: [Double]

    /// - Parameter progress: called now and then with the rows that are assigned for good, of all; what it throws ends the search.
    /// - Throws: `LinearAlgebraError.dimensionMismatch` unless the matrix is square, `notFinite` where a cost is no number.
    public init(minimising costs: Matrix<Float>, progress: (Int, Int) throws -> Void = { _, _ in }) throws {
        guard costs.rows == costs.columns else {
            throw LinearAlgebraError.dimensionMismatch(
                operation: "linear assignment", expected: "as many columns as rows",
                found: "\(costs.rows) x \(costs.columns)")
        }
        if let place = costs.elements.firstIndex(where: { !$0.isFinite }) {
            throw LinearAlgebraError.notFinite(
                operation: "linear assignment", row: place / costs.columns, column: place % costs.columns)
        }
        var solver = Solver(size: costs.rows)
        try costs.elements.withUnsafeBufferPointer { try solver.solve($0, progress: progress) }
        columns = solver.columnOfRow
        columnDuals = solver.v
        var (rowDuals, total) = ([Double](), 0.0)
        for (row, column) in columns.enumerated() {
            let cost = Double(costs[row, column])
            total += cost
            rowDuals.append(cost - columnDuals[column])
        }
        (self.rowDuals, self.total) = (rowDuals, total)
    }
}

private struct Solver {
    static let none = -1
    private static let triesPerRow = 2

    let size: Int
    var columnOfRow: [Int]
    private var rowOfColumn: [Int]
    /// Duals of the columns.
    var v: [Double]
    private var free: [Int] = []

    init(size: Int) {
        self.size = size
        columnOfRow = Array(repeating: Self.none, count: size)
        rowOfColumn = Array(repeating: Self.none, count: size)
        v = Array(repeating: 0, count: size)
    }

    mutating func solve(
        _ costs: UnsafeBufferPointer<Float>, progress: (Int, Int) throws -> Void
    ) throws {
        guard size > 0 else { return }
        reduceColumns(costs)
        for _ in 0..<2 { try reduceRows(costs, progress) }
        try augment(costs, progress)
    }

    /// Every column takes its cheapest row; the best of those that want the same row gets it. Rows that one column alone wants pass on
    /// what they could pay besides.
    private mutating func reduceColumns(_ costs: UnsafeBufferPointer<Float>) {
        var cheapest = [Int](repeating: 0, count: size)
        var low = Array(costs[..<size])
        for row in 1..<max(size, 1) {
            let start = row * size
            for column in 0..<size where costs[start + column] < low[column] {
                low[column] = costs[start + column]
                cheapest[column] = row
            }
        }
        var wishes = [Int](repeating: 0, count: size)
        for column in (0..<size).reversed() {
            v[column] = Double(low[column])
            let row = cheapest[column]
            wishes[row] += 1
            let rival = columnOfRow[row]
            if rival == Self.none || v[column] < v[rival] {
                columnOfRow[row] = column
                rowOfColumn[column] = row
                if rival != Self.none { rowOfColumn[rival] = Self.none }
            }
        }
        for row in 0..<size {
            if wishes[row] == 0 {
                free.append(row)
            } else if wishes[row] == 1, size > 1 {
                let own = columnOfRow[row]
                var least = Double.infinity
                for column in 0..<size where column != own {
                    least = min(least, Double(costs[row * size + column]) - v[column])
                }
                v[own] -= least
            }
        }
    }

    /// Every free row takes its cheapest column at the price of the second cheapest; whoever is driven out tries again, at once where
    /// prices moved, in the next round where they did not.
    private mutating func reduceRows(
        _ costs: UnsafeBufferPointer<Float>, _ progress: (Int, Int) throws -> Void
    ) throws {
        guard size > 1 else { return }
        var waiting = Array(free.reversed())
        free = []
        // Two rows may outbid each other for long by little: then paths are faster.
        var tries = Self.triesPerRow * size
        while let row = waiting.popLast() {
            guard tries > 0 else {
                free.append(row)
                continue
            }
            tries -= 1
            if tries.isMultiple(of: 1024) { try progress(0, size) }
            let start = row * size
            var (first, second) = (0, 0)
            var (least, next) = (Double(costs[start]) - v[0], Double.infinity)
            for column in 1..<size {
                let reduced = Double(costs[start + column]) - v[column]
                guard reduced < next else { continue }
                if reduced >= least {
                    (next, second) = (reduced, column)
                } else {
                    (next, second) = (least, first)
                    (least, first) = (reduced, column)
                }
            }
            let lowered = v[first] - (next - least)
            // A difference that rounding swallows counts as none: prices must fall, or this would not end.
            let isCheaper = lowered < v[first]
            if isCheaper {
                v[first] = lowered
            } else if rowOfColumn[first] != Self.none {
                first = second
            }
            let driven = rowOfColumn[first]
            columnOfRow[row] = first
            rowOfColumn[first] = row
            guard driven != Self.none else { continue }
            columnOfRow[driven] = Self.none
            if isCheaper { waiting.append(driven) } else { free.append(driven) }
        }
    }

    /// The shortest path from each free row to a free column, by Dijkstra's method over reduced costs.
    private mutating func augment(
        _ costs: UnsafeBufferPointer<Float>, _ progress: (Int, Int) throws -> Void
    ) throws {
        guard let costs = costs.baseAddress else { return }
        let size = size
        try withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * size) { doubles in
            try withUnsafeTemporaryAllocation(of: Int.self, capacity: 4 * size) { integers in
                guard let distance = doubles.baseAddress, let before = integers.baseAddress else { return }
                let paths = Paths(
                    size: size, costs: costs, distance: distance, v: distance + size, before: before,
                    order: before + size, rowOfColumn: before + 2 * size, columnOfRow: before + 3 * size)
                paths.v.update(from: v, count: size)
                paths.rowOfColumn.update(from: rowOfColumn, count: size)
                paths.columnOfRow.update(from: columnOfRow, count: size)
                for (number, row) in free.enumerated() {
                    if number.isMultiple(of: 64) { try progress(size - free.count + number, size) }
                    paths.augment(from: row)
                }
                v = Array(UnsafeBufferPointer(start: paths.v, count: size))
                rowOfColumn = Array(UnsafeBufferPointer(start: paths.rowOfColumn, count: size))
                columnOfRow = Array(UnsafeBufferPointer(start: paths.columnOfRow, count: size))
            }
        }
        try progress(size, size)
    }
}

/// The state of the search for paths, in memory that is read without a check for each number: this is where the time goes.
private struct Paths {
    let size: Int
    let costs: UnsafePointer<Float>
    let distance, v: UnsafeMutablePointer<Double>
    let before: UnsafeMutablePointer<Int>
    /// Columns that are done, then those at the least distance, then the others.
    let order: UnsafeMutablePointer<Int>
    let rowOfColumn, columnOfRow: UnsafeMutablePointer<Int>

    func augment(from row: Int) {
        for column in 0..<size {
            distance[column] = Double(costs[row * size + column]) - v[column]
            before[column] = row
            order[column] = column
        }
        var (done, known) = (0, 0)
        var least = 0.0
        var end = Solver.none
        while end == Solver.none {
            if known == done {
                (least, known) = nearest(from: done)
                end = (done..<known).first { rowOfColumn[order[$0]] == Solver.none }.map { order[$0] } ?? Solver.none
                if end != Solver.none { break }
            }
            let column = order[done]
            done += 1
            end = relax(through: column, least, &known)
        }
        for place in 0..<done where distance[order[place]] < least {
            v[order[place]] += distance[order[place]] - least
        }
        var column = end
        while true {
            let owner = before[column]
            rowOfColumn[column] = owner
            swap(&columnOfRow[owner], &column)
            if owner == row { break }
        }
    }

    /// Brings the columns at the least distance to the front of those that are not done.
    private func nearest(from done: Int) -> (least: Double, known: Int) {
        var (least, known) = (distance[order[done]], done + 1)
        for place in known..<max(size, known) {
            let column = order[place]
            guard distance[column] <= least else { continue }
            if distance[column] < least {
                known = done
                least = distance[column]
            }
            (order[place], order[known]) = (order[known], column)
            known += 1
        }
        return (least, known)
    }

    /// Looks whether a column's owner leads nearer to others; gives a free one that it leads to at the least distance.
    private func relax(through column: Int, _ least: Double, _ known: inout Int) -> Int {
        let owner = rowOfColumn[column]
        let own = costs + owner * size
        let offset = Double(own[column]) - v[column] - least
        for place in known..<size {
            let other = order[place]
            let through = Double(own[other]) - v[other] - offset
            guard through < distance[other] else { continue }
            (distance[other], before[other]) = (through, owner)
            guard through <= least else { continue }
            if rowOfColumn[other] == Solver.none { return other }
            (order[place], order[known]) = (order[known], other)
            known += 1
        }
        return Solver.none
    }
}
