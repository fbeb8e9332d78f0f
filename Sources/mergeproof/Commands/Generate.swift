import ArgumentParser
import Checkpoints
import ForwardPass

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue token ids greedily.",
        discussion: """
            Prints the ids that the model prefers, one after the other: the same for two models that compute the same function, but \
            for ties. The prompt is given and the continuation printed as token ids.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @Option(
        help: "Token ids of the prompt, such as 1,15043,3186; with an encoder those that it reads.",
        transform: TokenList.parse)
    var prompt: [Int]

    @Option(help: "First token ids of the decoder behind an encoder.", transform: TokenList.parse)
    var decoderPrompt: [Int] = []

    @Option(help: "Tokens to generate.")
    var count = 20

    @Option(help: "Token id to stop at.")
    var end: Int?

    @OptionGroup var cores: ThreadOptions

    func validate() throws {
        try requireRange("--count", count, 1...1_000_000)
    }

    func run() throws {
        try reportingErrors {
            let checkpoint = try openModel(model)
            try AddressSpace.require(threads: cores.threads)
            let network = try Model(checkpoint, threads: cores.threads)
            let inputs = ModelInputs(
                tokens: [prompt], decoderTokens: decoderPrompt.isEmpty ? [] : [decoderPrompt])
            let tokens = try network.generate(inputs, count: count, end: end)
            print(tokens.map(String.init).joined(separator: ","))
        }
    }
}

enum TokenList {
    static func parse(_ text: String) throws -> [Int] {
        let tokens = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard !tokens.isEmpty, tokens.allSatisfy({ $0 != nil }) else {
            throw ValidationError("token ids are whole numbers with commas between, such as 1,15043,3186")
        }
        return tokens.compactMap(\.self)
    }
}
