import ArgumentParser
import ForwardPass

/// What a command evaluates models on, unless it is to be random.
struct TokensOption: ParsableArguments {
    @Option(
        name: .customLong("tokens"),
        help:
            "Token ids to evaluate on: JSON lines, each a list of ids or an object with input_ids. Random ones without."
    )
    var path: String?

    func read() throws -> ModelInputs? { try path.map(ModelInputs.init(readingLines:)) }
}
