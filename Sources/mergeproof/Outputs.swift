import ArgumentParser
import Checkpoints
import Transformers

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

    func run() throws {
        try reportingErrors {
            let inputs = try ModelInputs(reading: inputs)
            for model in models {
                var line: JSONObject = ["model": .string(model)]
                do {
                    let values = try Model(try Checkpoint(opening: model), threads: cores.threads).double(inputs).values
                    line["outputs"] = .array(values.map { .array($0.elements.map(JSONValue.double)) })
                } catch { line["error"] = .string("\(error)") }
                print(JSONValue.object(line).serialized())
            }
        }
    }
}
