import LinearAlgebra

extension Matrix<Double> {
    static func + (a: Self, b: Self) -> Self {
        Self(rows: a.rows, columns: a.columns, elements: zip(a.elements, b.elements).map(+))
    }

    static func * (a: Self, factor: Double) -> Self {
        Self(rows: a.rows, columns: a.columns, elements: a.elements.map { $0 * factor })
    }

    var squaredNorm: Double { elements.reduce(0) { $0 + $1 * $1 } }

    func row(_ number: Int) -> ArraySlice<Double> { elements[number * columns..<(number + 1) * columns] }

    func rows(_ range: Range<Int>) -> Self {
        Self(
            rows: range.count, columns: columns,
            elements: Array(elements[range.lowerBound * columns..<range.upperBound * columns]))
    }
}

/// Σ a_i b_i.
func dot(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}
