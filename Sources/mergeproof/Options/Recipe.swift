import Checkpoints
import Foundation
import Foundations
import Protections
import Symmetries

/// The steps of a protection and what goes with them, as a YAML file says.
struct Recipe {
    private static let stepKeys = ["method", "sampler", "condition", "sites", "residual", "layers", "ffn"]

    private(set) var steps: [StepOptions] = []
    private(set) var base, calibration: String?
    private(set) var maxShardSize: Int?
    private(set) var nonce: ProtectionNonce?
    private(set) var allowsNonFinite = false

    init(reading path: String) throws {
        self = try DocumentError.naming(path) { try Recipe(YAMLValue(parsing: $0)) }
    }

    private init(_ root: YAMLValue) throws {
        try Self.each(root, of: ["steps", "base", "calibration", "max_shard_size", "nonce", "allow_nonfinite"]) {
            key, value in
            switch key {
            case "steps":
                guard case .list(let list, _) = value, !list.isEmpty else {
                    throw YAMLFault(line: value.line, reason: "steps is no list of one step at least")
                }
                steps = try list.map(Self.step)
            case "base": base = try Self.text(value, "base: the path of a model")
            case "calibration": calibration = try Self.text(value, "calibration: the path of a file")
            case "max_shard_size":
                maxShardSize = try Self.need(value.text.flatMap(ByteSize.parse), value, "max_shard_size: such as 5GB")
            case "nonce":
                nonce = try Self.need(
                    value.text.flatMap(ProtectionNonce.init(hexadecimal:)), value, "nonce: 32 hexadecimal digits")
            default: allowsNonFinite = try Self.need(value.bool, value, "allow_nonfinite: true or false")
            }
        }
        guard !steps.isEmpty else { throw YAMLFault(line: root.line, reason: "steps are missing") }
    }

    /// One of its steps.
    static func step(_ value: YAMLValue) throws -> StepOptions {
        let parameters = ProtectionMethod.allCases.flatMap(\.parameters)
        guard case .map(let members, _) = value, let named = members.first(where: { $0.key == "method" }) else {
            throw YAMLFault(line: value.line, reason: "a step is a map with a method")
        }
        let known = ProtectionMethod.allCases.map(\.name).joined(separator: ", ")
        var step = StepOptions(
            method: try need(
                named.value.text.flatMap(ProtectionMethod.init(rawValue:)), named.value, "method: \(known)"))
        try each(value, of: stepKeys + parameters.map(\.name)) { key, value in
            switch key {
            case "method": break
            case "sampler":
                let names = step.method.samplers.map(\.rawValue).joined(separator: ", ")
                step.sampler = try need(
                    value.text.flatMap(Sampler.init(rawValue:)).flatMap {
                        step.method.samplers.contains($0) ? $0 : nil
                    },
                    value, "sampler of \(step.method.name): \(names.isEmpty ? "none" : names)")
            case "condition": step.condition = try need(value.number, value, "condition: a number")
            case "sites":
                let words = SiteList.allValueStrings.joined(separator: ", ")
                step.siteKinds = try need(
                    Self.words(value).flatMap(SiteList.init(argument:))?.kinds, value, "sites: \(words)")
            case "residual":
                let words = ResidualTransform.allCases.map(\.rawValue).joined(separator: ", ")
                step.residual = try need(
                    value.text.flatMap(ResidualTransform.init(rawValue:)), value, "residual: \(words)")
            case "layers":
                step.layers = try need(
                    Self.words(value).flatMap(LayerList.init(argument:))?.layers, value, "layers: such as 0-11,23")
            case "ffn":
                let words = FeedForwardForm.allCases.map(\.rawValue).joined(separator: ", ")
                step.ffn = try need(value.text.flatMap(FeedForwardForm.init(rawValue:)), value, "ffn: \(words)").form
            default:
                guard let parameter = step.method.parameters.first(where: { $0.name == key }) else {
                    throw YAMLFault(line: value.line, reason: "the method \(step.method.name) takes no \(key)")
                }
                step.parameters[parameter] = try need(value.number, value, "\(key): a number")
            }
        }
        return step
    }

    /// Refuses keys that nobody knows: they would do nothing.
    private static func each(_ value: YAMLValue, of known: [String], _ body: (String, YAMLValue) throws -> Void) throws
    {
        guard case .map(let members, _) = value else {
            throw YAMLFault(line: value.line, reason: "expected a map of \(known.joined(separator: ", "))")
        }
        for member in members {
            guard known.contains(member.key) else {
                let names = Array(Set(known)).sorted().joined(separator: ", ")
                throw YAMLFault(
                    line: member.line, reason: "key \(PrintableText.line(member.key)) is unknown; known are \(names)")
            }
            try body(member.key, member.value)
        }
    }

    /// One word, or a list of words, as an option takes them.
    private static func words(_ value: YAMLValue) -> String? {
        guard case .list(let list, _) = value else { return value.text }
        let words = list.compactMap(\.text)
        return words.count == list.count ? words.joined(separator: ",") : nil
    }

    private static func text(_ value: YAMLValue, _ expected: String) throws -> String {
        try need(value.text, value, expected)
    }

    private static func need<T>(_ found: T?, _ value: YAMLValue, _ expected: String) throws -> T {
        guard let found else { throw YAMLFault(line: value.line, reason: "expected \(expected)") }
        return found
    }
}

/// A document that can't be followed.
struct DocumentError: Error, CustomStringConvertible {
    let path, reason: String
    var description: String { "\(path): \(reason)" }

    /// What `body` makes of a file's text; faults that it finds name the file.
    static func naming<Value>(_ path: String, _ body: (String) throws -> Value) throws -> Value {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else { throw DocumentError(path: path, reason: "cannot be read as text") }
        do { return try body(text) } catch let fault as YAMLFault {
            throw DocumentError(path: path, reason: "\(fault)")
        }
    }
}
