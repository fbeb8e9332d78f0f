import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass
import Protections
import Symmetries

struct Protect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a protected copy of a model.",
        discussion: """
            \(ProtectionMethod.allCases.map(\.help).joined(separator: "\n"))

            The source is never touched; the output directory appears whole or not at all.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache (config.json and safetensors).")
    var model: String

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @OptionGroup var chosen: MethodOptions

    @Option(
        help:
            "The public model that this one was trained from: params then moves the channels of MLPs as far from it as a permutation can; mergeguard, decoy and --prune look at what training added to it."
    )
    var base: String?

    @Option(
        help: ArgumentHelp(
            "What activations are taken on: decoy and --ffn need them, and mergeguard masks by |task vector| x activations with them and by |task vector| without. JSON lines of token ids, or a safetensors file with input_ids or pixel_values.",
            valueName: "file"))
    var calibration: String?

    @Option(
        help: ArgumentHelp(
            "Labelled examples, or texts for a language model, on which the cost of changed weights is measured and --critical looks: as evaluate reads them.",
            valueName: "file"))
    var examples: String?

    @Option(
        help:
            "For mergeguard: share of the layers that are left alone, those whose training the examples can least do without; none unless given."
    )
    var critical: Double?

    @Option(
        help: ArgumentHelp(
            "A LoRA adapter of the model, as PEFT writes it, that goes into the weights first.", valueName: "directory")
    )
    var adapter: String?

    @OptionGroup var key: KeyOption

    @Option(help: "Largest size of a shard, such as 5GB; the source's files are kept unless said otherwise.")
    var maxShardSize: ByteCount?

    @Option(
        help:
            "32 hexadecimal digits to repeat an earlier output to the byte: its manifest's nonce. A fresh random nonce unless said otherwise."
    )
    var nonce: ProtectionNonce?
    @OptionGroup var copying: CopyOptions

    @OptionGroup var cores: ThreadOptions

    @Flag(
        inversion: .prefixedNo,
        help: "Say in README.md, behind the publisher's own text, how the model was protected and what still works.")
    var card = true

    @Option(
        help:
            "A receipt to make once the output is there (`mergeproof receipt`), verified by the weights, outside of both models."
    )
    var receipt: String?

    @Flag(help: "Accept NaN and infinite weights.")
    var allowNonfinite = false

    @OptionGroup var display: OutputOptions

    func run() throws {
        try reportingErrors {
            let secret = try key.read()
            let source = try openModel(model, including: copying.include)
            try source.refuseKey(at: key.path)
            if let receipt { try Receipt.checkPlace(receipt, outside: [output, source.path]) }
            let recipe = try chosen.recipe.map(Recipe.init(reading:))
            var options = options(recipe)
            options.adapter = try adapter.map { try LoRAAdapter(opening: $0, for: source) }
            options.base = try (base ?? recipe?.base).map { try openModel($0, including: []) }
            options.calibration = try (calibration ?? recipe?.calibration).map(ModelInputs.init(readingExamples:))
            try AddressSpace.require(threads: cores.threads)
            let question = try CostQuestion(
                of: source, &options, examples: examples, critical: critical, quiet: display.quiet)
            let solving = ProgressBar("assign", of: .share, quiet: display.quiet)
            let bar = ProgressBar("protect", quiet: display.quiet)
            let started = ContinuousClock.now
            var (cost, measuring) = (ChangeCost?.none, Duration.zero)
            let report = try Protector(
                notice: { warn("\($0)") },
                progress: { bar.update(done: $0, of: $1) },
                solving: { done, all in
                    solving.update(done: done, of: all)
                    if done == all { solving.finish() }
                }
            ).protect(source, to: output, key: secret, options: options) { changed in
                measuring += try ContinuousClock().measure { cost = try question?.cost(of: changed) }
            }
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started - measuring)
            for note in report.notes { warn(note) }
            copying.warnOfFiles(in: source)
            for note in try Architecture.resolve(source).notes { warn(note) }
            try show(report, cost, seconds: elapsed)
            if let receipt { try write(receipt, of: source, base: options.base, key: secret) }
        }
    }

    /// What recipe and options say, but for models and data that are yet to be read.
    private func options(_ recipe: Recipe?) -> ProtectionOptions {
        let steps = recipe?.steps ?? chosen.steps
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        options.maximumShardSize = maxShardSize?.bytes ?? recipe?.maxShardSize
        options.threads = cores.threads
        options.allowsNonFinite = allowNonfinite || recipe?.allowsNonFinite == true
        options.nonce = nonce ?? recipe?.nonce
        options.writesCard = card
        return options
    }

    private func write(_ path: String, of source: Checkpoint, base: Checkpoint?, key: SecretKey) throws {
        let receipt: Receipt
        do {
            receipt = try Receipts.write(
                source, Checkpoint(opening: output), base: base, key: key, to: path, weightsOnly: true,
                threads: cores.threads)
        } catch {
            warn("\(output) is complete, but no receipt was made of it; `mergeproof receipt make` does that")
            throw error
        }
        guard !display.json else { return try Receipts.checkVerdict(of: receipt) }
        try Receipts.show(receipt, path: path, json: false)
    }

    private func show(_ report: Protector.Report, _ cost: ChangeCost?, seconds: Double) throws {
        if report.scalesWereDropped {
            warn("powers of two would have lost bits in some weight and were left out; signs and permutations remain")
        }
        if display.json {
            try print(json: ProtectReport(report, cost, output: output, seconds: seconds))
        } else {
            print(ReportText.protected(report, output: output, seconds: seconds))
            if let cost { print(cost.text) }
        }
    }
}

extension ProtectionMethod {
    /// A line for the help text.
    fileprivate var help: String {
        let origin = reference.map { " (arXiv \($0))" } ?? ""
        let back =
            onlyChangesWeights
            ? "nothing gives back what it changes" : "restored \(isExact ? "bit for bit" : "to rounding")"
        return "\(name)\(origin): \(summary); \(back)."
    }
}
