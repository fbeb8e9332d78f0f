import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra

struct BenchForward: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Time the forward pass of a language model in f32.",
        discussion: """
            Evaluates one sequence of random tokens and prints tokens per second; the logits of every position are computed. Without \
            MODEL a Llama-shaped bf16 checkpoint of 0.7 billion weights is made first. scripts/bench_forward.py sets the same beside \
            PyTorch.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String?

    @Option(help: "Directory for the model that is made; removed afterwards.")
    var work = "."

    @Option(help: "Tokens of the sequence.")
    var tokens = 512

    @Option(help: "Rounds; one more is run first and not counted.")
    var rounds = 3

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    private struct Report: Encodable {
        let tokens: Int
        let seconds: [Double]
        let tokensPerSecond: Double
        let threads: Int
        let coreType = BLASInfo.coreType

        enum CodingKeys: String, CodingKey {
            case tokens, seconds
            case tokensPerSecond = "tokens_per_second"
            case threads
            case coreType = "core_type"
        }
    }

    func validate() throws {
        try requireRange("--tokens", tokens, 1...1_000_000)
        try requireRange("--rounds", rounds, 1...1_000_000)
    }

    func run() throws {
        try reportingErrors {
            let folder = try model == nil ? WorkFolder(in: work, for: "bench") : nil
            defer { folder?.remove() }
            let source =
                try model.map { try HubCache.resolve($0) }
                ?? BenchModel.make(
                    in: folder?.path ?? work, vocabulary: SyntheticModel().vocabulary, isQuiet: display.quiet)
            try AddressSpace.require(threads: cores.threads)
            let network = try Model(try Checkpoint(opening: source), threads: cores.threads)
            let inputs = try RandomInputs.make(for: network.architecture, sequences: 1, length: tokens)
            var times: [Double] = []
            for round in 0...rounds {
                let time = try ContinuousClock().measure { _ = try network.single(inputs) }
                if round > 0 { times.append(seconds(time)) }
            }
            let rate = Double(tokens) / median(times)
            guard !display.json else {
                return try print(
                    json: Report(tokens: tokens, seconds: times, tokensPerSecond: rate, threads: network.threads))
            }
            print(
                "\(fixed(rate, 1)) tokens/s: \(tokens) tokens in \(fixed(median(times), 3)) s (median of \(times.count)), \(network.threads) threads; OpenBLAS kernels: \(BLASInfo.coreType)"
            )
        }
    }
}
