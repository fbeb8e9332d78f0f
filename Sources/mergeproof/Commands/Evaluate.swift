import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Evaluate a model on data: accuracy, loss or perplexity.",
        discussion: """
            DATA is JSON lines with token ids (input_ids, for classifiers a label, behind an encoder decoder_input_ids), or a \
            safetensors file with pixel_values or input_ids and labels. Language models are scored on each next token, classifiers on \
            their labels. No tokenizer is needed: ids come from the model's own.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @Option(help: "Data file: .jsonl or .safetensors.")
    var data: String

    @Option(help: "accuracy, perplexity or loss (mean cross-entropy in nats).")
    var metric: ModelEvaluation.Metric

    @Flag(help: "Compute in f64 instead of f32.")
    var double = false

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func run() throws {
        try reportingErrors {
            let checkpoint = try openModel(model)
            try AddressSpace.require(threads: cores.threads)
            let network = try Model(checkpoint, threads: cores.threads)
            let examples = try ModelEvaluation.examples(reading: data)
            let bar = ProgressBar("evaluating", of: .examples, quiet: display.quiet || display.json)
            let result = try ModelEvaluation(model: network, inDouble: double)
                .evaluate(examples, metric) { bar.update(done: $0, of: examples.count) }
            bar.finish()
            if display.json {
                try print(json: result)
            } else {
                print("\(metric.rawValue): \(result.value) over \(result.count) \(result.unit)")
            }
        }
    }
}

extension ModelEvaluation.Metric: ExpressibleByArgument {}
