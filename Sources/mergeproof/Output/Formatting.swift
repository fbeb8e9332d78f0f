import Checkpoints
import Foundations

/// `1.2e-07`, two digits.
func scientific(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    var exponent = 0
    var mantissa = value.magnitude
    while mantissa >= 9.95 {
        mantissa /= 10
        exponent += 1
    }
    while mantissa < 0.995 {
        mantissa *= 10
        exponent -= 1
    }
    let tenths = Int((mantissa * 10).rounded())
    let sign = value < 0 ? "-" : ""
    return
        "\(sign)\(tenths / 10).\(tenths % 10)e\(exponent < 0 ? "-" : "+")\(exponent.magnitude < 10 ? "0" : "")\(exponent.magnitude)"
}

/// A number with a fixed count of digits after the point.
func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    let scaled = Int((value.magnitude * factor).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int(factor))
    return "\(sign)\(scaled / Int(factor)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// A table in Markdown.
func markdownTable(_ header: [String], _ rows: [[String]]) -> [String] {
    ([header, header.map { _ in "---" }] + rows).map { "| \($0.joined(separator: " | ")) |" }
}

/// Lines with columns padded to their widest cell, two spaces apart; the first is flush left, the others flush right.
func table(_ rows: [[String]]) -> [String] {
    let rows = rows.map { $0.map(PrintableText.line) }
    let widths = (0..<(rows.map(\.count).max() ?? 0)).map { column in
        rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        row.enumerated().map { column, cell in
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return column == 0 ? cell + padding : padding + cell
        }
        .joined(separator: "  ")
    }
}
