import ArgumentParser
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra

struct Outputs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what models compute of given inputs, one line of JSON each.",
        discussion: """
            INPUTS is a safetensors file with input_ids, attention_mask, pixel_values … as transformers takes them. A line holds the \
            model's directory and its outputs in f64, a list for each sequence with padding left out, or in their place the error. \
            scripts/fuzz_configs.py reads it.
            """,
        shouldDisplay: false)

    @Argument(help: "Model directories.")
    var models: [String]

    @Option(help: "Inputs: .safetensors.")
    var inputs: String

    @OptionGroup var cores: ThreadOptions

    private struct Line: Encodable {
        let model: String
        let result: Result<[Matrix<Double>], any Error>

        enum Key: CodingKey { case model, outputs, error }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(model, forKey: .model)
            switch result {
            case .success(let values): try container.encode(values.map(\.elements), forKey: .outputs)
            case .failure(let error): try container.encode("\(error)", forKey: .error)
            }
        }
    }

    func run() throws {
        try reportingErrors {
            let inputs = try ModelInputs(reading: inputs)
            for model in models {
                let result = Result {
                    try Model(try Checkpoint(opening: model), threads: cores.threads).double(inputs).values
                }
                print(try JSONValue(encoding: Line(model: model, result: result)).serialized())
            }
        }
    }
}
