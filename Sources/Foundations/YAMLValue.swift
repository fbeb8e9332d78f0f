import Yams

/// A YAML document as what it says, with the lines where it says it. Doubled keys, tags and what grows without end are refused.
public indirect enum YAMLValue: Sendable, Equatable {
    /// A number, a word, nothing. What stands in quotes is text whatever it looks like.
    case scalar(String, isQuoted: Bool, line: Int)
    case list([YAMLValue], line: Int)
    case map([Member], line: Int)

    public struct Member: Sendable, Equatable {
        public let key: String
        public let line: Int
        public let value: YAMLValue
    }

    /// Values that a document may hold: an alias counts each time.
    private static let most = 100_000
    /// How deep they may lie in each other.
    private static let deepest = 64

    public init(parsing text: String) throws(YAMLFault) {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch { throw YAMLFault(error) }
        guard let node else { throw YAMLFault(line: 1, reason: "the document is empty") }
        var count = 0
        self = try Self.value(node, depth: 0, &count)
    }

    private static func value(_ node: Node, depth: Int, _ count: inout Int) throws(YAMLFault) -> YAMLValue {
        let line = node.mark?.line ?? 1
        count += 1
        guard count <= most, depth <= deepest else {
            throw YAMLFault(line: line, reason: "more values than \(most), or more than \(deepest) in each other")
        }
        switch node {
        case .scalar(let scalar):
            let isQuoted = scalar.style != .plain && scalar.style != .any
            return .scalar(scalar.string, isQuoted: isQuoted, line: line)
        case .sequence(let sequence):
            var values: [YAMLValue] = []
            for node in sequence { values.append(try value(node, depth: depth + 1, &count)) }
            return .list(values, line: line)
        case .mapping(let mapping):
            var members: [Member] = []
            var keys: Set<[UInt8]> = []
            for (key, node) in mapping {
                let place = key.mark?.line ?? line
                guard case .scalar(let name) = key else {
                    throw YAMLFault(line: place, reason: "a key is a list or a map; expected a word")
                }
                guard keys.insert(Array(name.string.utf8)).inserted else {
                    throw YAMLFault(line: place, reason: "key \(PrintableText.line(name.string)) stands there twice")
                }
                members.append(
                    Member(key: name.string, line: place, value: try value(node, depth: depth + 1, &count)))
            }
            return .map(members, line: line)
        case .alias: throw YAMLFault(line: line, reason: "an alias leads nowhere")
        }
    }

    public var line: Int {
        switch self {
        case .scalar(_, _, let line), .list(_, let line), .map(_, let line): line
        }
    }

    /// Text in quotes, or a word that is nothing else.
    public var text: String? {
        guard case .scalar(let text, let isQuoted, _) = self else { return nil }
        return isQuoted || !isNull ? text : nil
    }

    public var isNull: Bool {
        guard case .scalar(let text, false, _) = self else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    public var number: Double? {
        guard case .scalar(let text, false, _) = self, let value = Double(text), value.isFinite else { return nil }
        return value
    }

    public var bool: Bool? {
        guard case .scalar(let text, false, _) = self else { return nil }
        return switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }
}

/// What is wrong with a YAML document, and where.
public struct YAMLFault: Error, Sendable, Equatable, CustomStringConvertible {
    public let line: Int
    public let reason: String

    public init(line: Int, reason: String) { (self.line, self.reason) = (line, reason) }

    fileprivate init(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(line: mark.line, reason: PrintableText.line(problem))
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map(PrintableText.line).joined(separator: ", ")
            self.init(line: context.mark.line, reason: "key \(names) stands there twice")
        default: self.init(line: 1, reason: "is no YAML")
        }
    }

    public var description: String { "line \(line): \(reason)" }
}
