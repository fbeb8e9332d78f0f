import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
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

    @Option(
        help:
            "Protection method, or several joined by +, the first acting first: mergelock+params. Options for elements, sites and layers hold for all of them that know them."
    )
    var method: MethodList

    @Option(
        help:
            "The public model that this one was trained from: params then moves the channels of MLPs as far from it as a permutation can."
    )
    var base: String?

    @OptionGroup var key: KeyOption

    @Option(help: "How matrices are drawn; the method's first unless said otherwise.")
    var sampler: Sampler?

    @Option(
        help:
            "Condition number K of what is drawn, or its bound for gaussian; 10 unless said otherwise, 1000 for gaussian, 400 for diagonal and symmetric, 150 for nonsymmetric."
    )
    var condition: Double?

    @Option(
        help:
            "Kinds of sites to act on, separated by commas: vo, qk, mlp, heads, experts, residual, or all; the method's unless said otherwise."
    )
    var sites: SiteList?

    @Option(
        help:
            "What is done to the residual stream where --sites holds it: permutation (unless said otherwise), hadamard or rotation (turned by a fast or a dense orthogonal matrix; full alone), or none."
    )
    var residual: ResidualTransform?

    @Flag(help: "The same as --residual none, for adapters, draft heads and steering vectors that read it.")
    var keepHiddenStates = false

    @Option(
        help:
            "Layers to act on, such as 0-11,23, counted from 0 in each stack (encoder and decoder alike); all unless said otherwise."
    )
    var layers: LayerList?

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
            var options = options
            options.base = try base.map { try openModel($0, including: []) }
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("protect", quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Protector(notice: { warn("\($0)") }) { bar.update(done: $0, of: $1) }
                .protect(source, to: output, key: secret, options: options)
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            copying.warnOfFiles(in: source)
            for note in try Architecture.resolve(source).notes { warn(note) }
            try show(report, seconds: elapsed)
            if let receipt { try write(receipt, of: source, key: secret) }
        }
    }

    func validate() throws {
        if let sampler, !isOnly, !method.methods.contains(where: { $0.samplers.contains(sampler) }) {
            throw ValidationError("None of the methods draws \(sampler.rawValue).")
        }
        if keepHiddenStates, let residual, residual != .none {
            throw ValidationError(
                "--keep-hidden-states leaves the residual stream as it is, and --residual \(residual.rawValue) does not; give one of them."
            )
        }
    }

    private var isOnly: Bool { method.methods.count == 1 }

    var options: ProtectionOptions {
        let steps = method.methods.map { method in
            var step = StepOptions(method: method)
            // One method alone is told what it does not know.
            if isOnly || method.samplers.contains(where: { $0 == sampler }) { step.sampler = sampler }
            if isOnly || !method.isExact { step.condition = condition }
            step.siteKinds = sites?.kinds
            let actsOnStreams = (sites?.kinds ?? method.siteKinds).contains(.residual)
            step.residual =
                keepHiddenStates ? .none : isOnly || actsOnStreams ? residual ?? .permutation : .permutation
            step.layers = layers?.layers
            return step
        }
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        options.maximumShardSize = maxShardSize?.bytes
        options.threads = cores.threads
        options.allowsNonFinite = allowNonfinite
        options.nonce = nonce
        options.writesCard = card
        return options
    }

    private func write(_ path: String, of source: Checkpoint, key: SecretKey) throws {
        let receipt: Receipt
        do {
            receipt = try Receipts.write(
                source, Checkpoint(opening: output), key: key, to: path, weightsOnly: true, threads: cores.threads)
        } catch {
            warn("\(output) is complete, but no receipt was made of it; `mergeproof receipt make` does that")
            throw error
        }
        guard !display.json else { return try Receipts.checkVerdict(of: receipt) }
        try Receipts.show(receipt, path: path, json: false)
    }

    private func show(_ report: Protector.Report, seconds: Double) throws {
        if report.scalesWereDropped {
            warn("powers of two would have lost bits in some weight and were left out; signs and permutations remain")
        }
        if display.json {
            try print(json: ProtectReport(report, output: output, seconds: seconds))
        } else {
            print(ReportText.protected(report, output: output, seconds: seconds))
        }
    }
}

extension ProtectionMethod {
    /// A line for the help text.
    fileprivate var help: String {
        let origin = reference.map { " (arXiv \($0))" } ?? ""
        return "\(name)\(origin): \(summary); restored \(isExact ? "bit for bit" : "to rounding")."
    }
}
