/// Where the rows of one model's tables come from when they take the order of another vocabulary.
struct RowMap: Sendable {
    /// What stands in the place of a row that a model lacks. Models are counted among those that are merged there.
    enum Fill: Sendable, Equatable {
        case row(Int, of: Int)
        /// The mean of one row of each of several models, in their order.
        case mean([(row: Int, model: Int)])

        static func == (a: Fill, b: Fill) -> Bool {
            switch (a, b) {
            case (.row(let x, let m), .row(let y, let n)): x == y && m == n
            case (.mean(let x), .mean(let y)): x.elementsEqual(y) { $0 == $1 }
            default: false
            }
        }
    }

    /// For each row that belongs to a token, or lies between such, the model's own row; negative where it has none.
    let own: [Int32]
    /// What stands in the places of others; zeros where there is nothing.
    let fills: [Int: Fill]
    /// With those behind, each of which is the mean of all in front.
    let rowCount: Int

    /// A run of rows that lie one behind the other in what they come from too.
    enum Segment {
        case own(Int)
        case fill(Fill)
        case zero
        case padding
    }

    /// Calls `body` with the places of values, and with what stands there from which value of a row on, in ascending order.
    func forEach(
        _ places: Range<Int>, columns: Int,
        _ body: (_ places: Range<Int>, _ source: Segment, _ column: Int) throws -> Void
    ) rethrows {
        guard columns > 0 else { return }
        var place = places.lowerBound
        while place < places.upperBound {
            let (row, column) = place.quotientAndRemainder(dividingBy: columns)
            var end = row + 1
            let source: Segment
            if row >= own.count {
                source = .padding
            } else if own[row] >= 0 {
                source = .own(Int(own[row]))
                while end < own.count, end * columns < places.upperBound, own[end] >= 0,
                    Int(own[end]) - Int(own[row]) == end - row
                {
                    end += 1
                }
            } else {
                source = fills[row].map(Segment.fill) ?? .zero
            }
            let last = min(end * columns, places.upperBound)
            try body(place..<last, source, column)
            place = last
        }
    }
}
