import Foundation

/// Numbers as the page writes them.
package enum Figure {
    package static let missing = "–"

    /// With a fixed count of digits after the point; in powers of ten where that would be too long.
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return missing }
        guard value.magnitude < 1e7 else { return power(value) }
        let text = String(format: "%.\(digits)f", value)
        // Nothing is less than zero by nothing.
        return text.hasPrefix("-") && !text.contains { ("1"..."9").contains($0) } ? String(text.dropFirst()) : text
    }

    /// A share as `.707`, and `1.000` where it is one or more.
    package static func share(_ value: Double, _ digits: Int = 3) -> String {
        signs(fixed(value, digits))
    }

    /// A share with its sign, as `+.18`.
    package static func difference(_ value: Double, _ digits: Int = 3) -> String {
        let text = share(value, digits)
        return value > 0 && text.contains { ("1"..."9").contains($0) } ? "+" + text : text
    }

    /// A positive share with two digits after the point, or as many as it takes to tell it from nothing.
    package static func amount(_ value: Double) -> String {
        for digits in 2...6 where value >= 0.5 * pow(10, Double(-digits)) { return share(value, digits) }
        return power(value)
    }

    /// `1.2e−07`, two digits.
    package static func power(_ value: Double) -> String {
        guard value.isFinite else { return missing }
        return value == 0 ? "0" : signs(String(format: "%.1e", value))
    }

    /// A loss, a coefficient or a distance: four digits at most, without zeros at the end.
    package static func plain(_ value: Double) -> String {
        guard value.isFinite else { return missing }
        return signs(String(format: "%.4g", value), dropsZero: false)
    }

    package static func seconds(_ value: Double) -> String {
        guard value.isFinite else { return missing }
        return value < 9.95
            ? fixed(value, 2) + " s" : value < 600 ? fixed(value, 0) + " s" : fixed(value / 60, 0) + " min"
    }

    /// Of the protected model and of each of the others.
    package static func coefficients(_ candidate: AuditResults.Candidate) -> String? {
        let values = [candidate.protected, candidate.others].compactMap { $0.map(plain) }
        return values.isEmpty ? nil : values.joined(separator: "/")
    }

    /// `a, b and c`.
    package static func list(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
    }

    private static func signs(_ text: String, dropsZero: Bool = true) -> String {
        var digits = text[...]
        let isNegative = digits.hasPrefix("-")
        if isNegative { digits.removeFirst() }
        if dropsZero, digits.hasPrefix("0.") { digits.removeFirst() }
        return (isNegative ? "−" : "") + digits.replacing("e-", with: "e−")
    }
}

extension Figure {
    /// A number at an axis, without what rounding adds.
    package static func tick(_ value: Double) -> String {
        value.magnitude < 1e-9 ? "0" : signs(String(format: "%.5g", value))
    }

    /// A name as it fits beside a curve: of a long one the end is left out.
    package static func short(_ name: String) -> String {
        name.count <= 14 ? name : name.prefix(13) + "…"
    }
}
