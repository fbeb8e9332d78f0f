/// Sums, differences, products and quotients over named dimensions as descriptions write them: `heads * head_dim`, `hidden / heads`,
/// `4 * hidden`, `image // patch`. Evaluated from left to right; the quotient of `/` must be whole, that of `//` is
/// rounded down.
package struct DimensionExpression: Sendable, Equatable {
    package let text: String

    /// Names that the expression refers to, or nil when it is malformed.
    var names: [String]? {
        let words = text.split(separator: " ").map(String.init)
        guard words.count % 2 == 1 else { return nil }
        let symbols = stride(from: 1, to: words.count, by: 2).map { words[$0] }
        guard symbols.allSatisfy(["*", "+", "-", "/", "//"].contains) else { return nil }
        return stride(from: 0, to: words.count, by: 2).map { words[$0] }.filter { Int($0) == nil }
    }

    /// Nil for an unknown name, overflow, a remainder or a malformed expression.
    func value(in dimensions: [String: Int]) -> Int? {
        let words = text.split(separator: " ").map(String.init)
        guard words.count % 2 == 1 else { return nil }
        var result = operand(words[0], dimensions)
        for position in stride(from: 1, to: words.count, by: 2) {
            guard let left = result, let right = operand(words[position + 1], dimensions) else { return nil }
            result = Self.apply(words[position], left, right)
        }
        return result
    }

    private func operand(_ word: String, _ dimensions: [String: Int]) -> Int? { Int(word) ?? dimensions[word] }

    private static func apply(_ symbol: String, _ left: Int, _ right: Int) -> Int? {
        switch symbol {
        case "*":
            let (product, overflow) = left.multipliedReportingOverflow(by: right)
            return overflow ? nil : product
        case "+":
            let (sum, overflow) = left.addingReportingOverflow(right)
            return overflow ? nil : sum
        case "-":
            let (difference, overflow) = left.subtractingReportingOverflow(right)
            return overflow ? nil : difference
        case "/": return right > 0 && left % right == 0 ? left / right : nil
        case "//": return right > 0 ? left / right : nil
        default: return nil
        }
    }
}
