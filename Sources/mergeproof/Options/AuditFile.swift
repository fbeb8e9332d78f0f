import Alignment
import Auditing
import Foundation
import Foundations
import Merging
import Protections

/// What is audited, as a YAML file says it.
enum AuditFile {
    /// - Throws: `DocumentError` with the line of what is wrong.
    static func configuration(reading path: String) throws -> AuditConfiguration {
        try DocumentError.naming(path) { try configuration(YAMLValue(parsing: $0)) }
    }

    private static let keys = [
        "base", "model", "others", "heads", "examples", "seed", "calibration", "protections", "attacks", "merges",
        "coefficients", "barrier_points",
    ]

    private static func configuration(_ root: YAMLValue) throws -> AuditConfiguration {
        let members = try root.members(of: keys)
        func need(_ key: String) throws -> YAMLValue {
            guard let value = members[key] else { throw YAMLFault(line: root.line, reason: "\(key) is missing") }
            return value
        }
        func items(_ key: String) throws -> [YAMLValue] { try need(key).items(key) }
        let (base, model) = (try need("base").need("base: the path of a model"), try need("model"))
        let published = try expert(model, named: "model")
        let (others, protections) = (try items("others"), try items("protections"))
        let (attacks, merges) = (try items("attacks"), try items("merges"))
        var configuration = AuditConfiguration(
            base: base, model: published,
            others: try others.enumerated().map { try expert($1, named: "other \($0 + 1)") },
            protections: try protections.map(protection), attacks: try attacks.map(attack),
            merges: try merges.map(merge))
        if let heads = members["heads"] {
            configuration.heads = try heads.items("heads").map { try word($0, "a part of tensors' names") }
        }
        if let examples = members["examples"] {
            configuration.examples = try examples.whole("examples", in: 1 ... .max)
        }
        if let seed = members["seed"] {
            configuration.seed = UInt64(try seed.whole("seed", in: 0 ... .max))
        }
        configuration.calibration = try members["calibration"]?.need("calibration: the path of a file")
        if let coefficients = members["coefficients"] {
            let lists = try coefficients.members(of: ["protected", "others"])
            if let list = lists["protected"] { configuration.protectedCoefficients = try numbers(list) }
            if let list = lists["others"] { configuration.otherCoefficients = try numbers(list) }
        }
        if let points = members["barrier_points"] {
            let found = try points.whole("barrier_points", in: 0...1001)
            guard found != 1 else {
                throw YAMLFault(
                    line: points.line, reason: "barrier_points: expected 0, or 2 at least, as a path has two ends")
            }
            configuration.barrierPoints = found
        }
        for (item, merge) in zip(merges, configuration.merges) {
            try naming(item) { try configuration.requireEvidence(of: merge.method) }
        }
        for (item, protection) in zip(protections, configuration.protections) {
            try naming(item) { try protection.checkName() }
        }
        let tasks = [configuration.model] + configuration.others
        try refuseDoubles("tasks", tasks.map(\.name), [model] + others, "name one otherwise")
        try refuseDoubles(
            "protections", configuration.protections.map(\.name), protections, "name one otherwise")
        try refuseDoubles("attacks", configuration.attacks.map(\.name), attacks, "leave one out")
        try refuseDoubles("merges", configuration.merges.map(\.name), merges, "leave one out")
        return configuration
    }

    /// An audit's own error, with the line of what it is about.
    private static func naming(_ item: YAMLValue, _ check: () throws -> Void) throws(YAMLFault) {
        do { try check() } catch { throw YAMLFault(line: item.line, reason: "\(error)") }
    }

    /// What goes by one name would be told apart by nobody.
    private static func refuseDoubles(
        _ what: String, _ names: [String], _ items: [YAMLValue], _ advice: String
    ) throws {
        var seen: Set<String> = []
        for (name, item) in zip(names, items) where !seen.insert(name).inserted {
            throw YAMLFault(
                line: item.line, reason: "two \(what) are called \(PrintableText.line(name)); \(advice)")
        }
    }

    private static func word(_ yaml: YAMLValue, _ what: String) throws -> String {
        let word = try yaml.need(what)
        guard !word.isEmpty else { throw YAMLFault(line: yaml.line, reason: "expected \(what), found nothing") }
        return word
    }

    private static func numbers(_ yaml: YAMLValue) throws -> [Double] {
        let list = try yaml.items("coefficients")
        var numbers: [Double] = []
        for item in list {
            guard let number = item.number else { throw YAMLFault(line: item.line, reason: "expected a number") }
            guard !numbers.contains(number) else {
                throw YAMLFault(line: item.line, reason: "coefficient \(number) stands there twice")
            }
            numbers.append(number)
        }
        return numbers
    }

    private static func expert(
        _ yaml: YAMLValue, named name: String
    ) throws -> AuditConfiguration.Expert {
        let members = try yaml.members(of: ["name", "path", "data"])
        func need(_ key: String) throws -> String {
            guard let value = members[key] else { throw YAMLFault(line: yaml.line, reason: "\(key) is missing") }
            return try value.need("\(key): a path")
        }
        return .init(
            try members["name"].map { try word($0, "name: a word") } ?? name, model: try need("path"),
            data: try need("data"))
    }

    private static func protection(_ yaml: YAMLValue) throws -> AuditConfiguration.Protection {
        if let text = yaml.text {
            if text == AuditConfiguration.Protection.unprotected { return .init(text, .none) }
            guard let list = MethodList(argument: text) else {
                let known = ProtectionMethod.allCases.map(\.name).joined(separator: ", ")
                throw YAMLFault(
                    line: yaml.line,
                    reason:
                        "protection \(PrintableText.line(text)) is unknown; known are none, \(known), and several joined by +"
                )
            }
            return .init(text, .steps(list.methods.map(StepOptions.init)))
        }
        let members = try yaml.members(of: ["name", "path", "steps"])
        guard let named = members["name"] else { throw YAMLFault(line: yaml.line, reason: "name is missing") }
        let name = try word(named, "name: a word")
        switch (members["path"], members["steps"]) {
        case (let path?, nil): return .init(name, .published(try path.need("path: of a protected model")))
        case (nil, let steps?):
            return .init(name, .steps(try steps.items("steps").map { try Recipe.step($0) }))
        default:
            throw YAMLFault(line: yaml.line, reason: "a protection has either a path or steps")
        }
    }

    private static func attack(_ yaml: YAMLValue) throws -> AuditConfiguration.Attack {
        let name = try yaml.need("the name of an attack")
        if let method = AlignmentMethod.builtIn.first(where: { $0.name == name }) { return .align(method) }
        guard let attack = [AuditConfiguration.Attack.none, .circuits].first(where: { $0.name == name }) else {
            let known = AlignmentMethod.builtIn.map(\.name).joined(separator: ", ")
            throw YAMLFault(
                line: yaml.line,
                reason: "attack \(PrintableText.line(name)) is unknown; known are none, \(known), \(CircuitMerger.name)"
            )
        }
        return attack
    }

    private static func merge(_ yaml: YAMLValue) throws -> AuditConfiguration.Merge {
        if let name = yaml.text { return .init(try method(name, yaml.line)) }
        guard case .map(let members, _) = yaml, let named = members.first(where: { $0.key == "method" }) else {
            throw YAMLFault(line: yaml.line, reason: "a merge is a method's name, or a map with a method")
        }
        let method = try method(named.value.need("method: a name"), named.line)
        var parameters: [String: Double] = [:]
        for member in members where member.key != "method" {
            guard let parameter = method.parameters.first(where: { $0.name == member.key }) else {
                let known = method.parameters.map(\.name).joined(separator: ", ")
                throw YAMLFault(
                    line: member.line,
                    reason:
                        "\(method.name) takes no \(PrintableText.line(member.key)); it takes \(known.isEmpty ? "nothing" : known)"
                )
            }
            let value = member.value.number ?? member.value.bool.map { $0 ? 1 : 0 }
            guard let value, parameter.admits(value) else {
                throw YAMLFault(
                    line: member.line,
                    reason: "\(member.key): expected \(parameter.expected)")
            }
            parameters[member.key] = value
        }
        return .init(method, parameters)
    }

    private static func method(_ name: String, _ line: Int) throws -> MergeMethod {
        guard let method = MergeMethod.all.first(where: { $0.name == name }) else {
            let known = MergeMethod.all.filter { $0.evidence != .fisher }.map(\.name).joined(separator: ", ")
            throw YAMLFault(line: line, reason: "merge \(PrintableText.line(name)) is unknown; known are \(known)")
        }
        return method
    }
}
