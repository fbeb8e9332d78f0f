import ArgumentParser
import Protections

/// The parameters of methods: an option for each.
struct ParameterOptions: ParsableArguments {
    @Option(help: ParameterOptions.help(.reflected))
    var reflected: Double?

    @Option(help: ParameterOptions.help(.prune))
    var prune: Double?

    @Option(help: ParameterOptions.help(.masked))
    var masked: Double?

    @Option(help: ParameterOptions.help(.beta))
    var beta: Double?

    @Option(help: ParameterOptions.help(.strength))
    var strength: Double?

    @Option(help: ParameterOptions.help(.order))
    var order: Double?

    /// Those that were given.
    var values: [MethodParameter: Double] {
        let given: [(MethodParameter, Double?)] = [
            (.reflected, reflected), (.prune, prune), (.masked, masked), (.beta, beta), (.strength, strength),
            (.order, order),
        ]
        return Dictionary(uniqueKeysWithValues: given.compactMap { parameter, value in value.map { (parameter, $0) } })
    }

    private static func help(_ parameter: MethodParameter) -> ArgumentHelp {
        let owners = ProtectionMethod.allCases.filter { $0.parameters.contains(parameter) }.map(\.name)
        let otherwise = parameter.standard.map { "\($0) unless said otherwise" } ?? "none unless given"
        return "For \(owners.joined(separator: ", ")): \(parameter.summary); \(otherwise)."
    }
}
