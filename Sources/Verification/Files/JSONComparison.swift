import Checkpoints
import Foundations

/// What two JSON values say differently, whatever their order and spelling: `rope_scaling.factor is 8.0, expected 4.0`.
package struct JSONComparison {
    private static let limit = 20

    /// At most twenty, one sentence each.
    package private(set) var differences: [String] = []
    private let ignored: Set<String>

    /// - Parameter ignored: keys of members that are passed over at every depth.
    package init(_ original: JSONValue, _ found: JSONValue, without ignored: Set<String> = []) {
        self.ignored = ignored
        compare(original, found, path: "")
    }

    private mutating func compare(_ a: JSONValue, _ b: JSONValue, path: String) {
        guard differences.count < Self.limit else { return }
        switch (a, b) {
        case (.object(let first), .object(let second)): compare(first, second, path: path)
        case (.array(let first), .array(let second)):
            for (place, pair) in zip(first, second).enumerated() { compare(pair.0, pair.1, path: "\(path)[\(place)]") }
            if first.count != second.count {
                add("\(label(path)) has \(second.count) elements, expected \(first.count)")
            }
        default:
            if !Self.isSame(a, b) { add("\(label(path)) is \(Self.text(b)), expected \(Self.text(a))") }
        }
    }

    private mutating func compare(_ a: JSONObject, _ b: JSONObject, path: String) {
        // By bytes: a loader tells apart what Unicode calls equal.
        let second = Dictionary(b.members.map { (Array($0.key.utf8), $0.value) }) { first, _ in first }
        var known: Set<[UInt8]> = []
        for member in a.members where !ignored.contains(member.key) {
            let key = Array(member.key.utf8)
            known.insert(key)
            let inner = path.isEmpty ? member.key : "\(path).\(member.key)"
            if let value = second[key] {
                compare(member.value, value, path: inner)
            } else {
                add("\(inner) is absent, expected \(Self.text(member.value))")
            }
        }
        for member in b.members where !ignored.contains(member.key) && !known.contains(Array(member.key.utf8)) {
            let inner = path.isEmpty ? member.key : "\(path).\(member.key)"
            add("\(inner) is \(Self.text(member.value)), expected absent")
        }
    }

    private mutating func add(_ sentence: String) {
        if differences.count < Self.limit { differences.append(sentence) }
    }

    private func label(_ path: String) -> String { path.isEmpty ? "the whole" : path }

    /// Numbers may be spelled differently, but an integer is no float to a loader.
    private static func isSame(_ a: JSONValue, _ b: JSONValue) -> Bool {
        switch (a, b) {
        case (.string(let first), .string(let second)): first.utf8.elementsEqual(second.utf8)
        case (.number(let first), .number(let second)):
            first == second
                || (first.contains(where: ".eE".contains) && second.contains(where: ".eE".contains)
                    && Double(first)?.bitPattern == Double(second)?.bitPattern)
        case (.null, .null): true
        case (.bool(let first), .bool(let second)): first == second
        default: false
        }
    }

    private static func text(_ value: JSONValue) -> String {
        let text = value.serialized()
        return text.count > 80 ? text.prefix(80) + " …" : text
    }
}
