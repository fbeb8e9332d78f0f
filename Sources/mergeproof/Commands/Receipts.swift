import ArgumentParser
import Checkpoints
import Evaluation
import Foundations
import Protections
import Verification

struct Receipts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt",
        abstract: "Make and check a publisher's private receipt of a protection.",
        discussion: """
            A receipt is an in-toto statement: every file of the original and of the protected model with its SHA-256, what was done, what \
            both proofs found, and a commitment to the key that only its holder can make or check. It does not tell the key.
            """,
        subcommands: [Make.self, Check.self])

    struct Make: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verify a protected model and write down what was found.")

        @Argument(help: "The original model: a directory, or org/name in the Hugging Face cache.")
        var original: String

        @Argument(help: "The protected model.")
        var protected: String

        @OptionGroup var key: KeyOption

        @Option(
            name: [.customShort("o"), .long],
            help: "The receipt to make, outside of both models; an existing file is never replaced.")
        var output: String

        @Flag(help: "Verify by the weights alone and evaluate nothing.")
        var weightsOnly = false

        @OptionGroup var cores: ThreadOptions

        @OptionGroup var display: OutputOptions

        func run() throws {
            let receipt = try reportingErrors {
                let secret = try key.read()
                let models = (try openModel(original), try openModel(protected))
                try Receipt.checkPlace(output, outside: [models.0.path, models.1.path])
                for model in [models.0, models.1] { try model.refuseKey(at: key.path) }
                try AddressSpace.require(threads: cores.threads)
                let bar = ProgressBar("evaluating", of: .share, quiet: display.quiet || display.json)
                return try Receipts.write(
                    models.0, models.1, key: secret, to: output, weightsOnly: weightsOnly, threads: cores.threads, bar)
            }
            try Receipts.show(receipt, path: output, json: display.json)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold a receipt against a protected model, and against original and key where they are given.")

        @Argument(help: "The receipt.")
        var receipt: String

        @Option(help: "The protected model's directory.")
        var protected: String

        @Option(help: "The original model, to check its files, too.")
        var original: String?

        @Option(help: "The base that the protection compared with, to check its files, too.")
        var base: String?

        @Option(
            help: "The key, to check who made the receipt and whether a field was changed since: a file, a pipe, or -.")
        var key: String?

        @OptionGroup var cores: ThreadOptions

        @OptionGroup var display: OutputOptions

        func run() throws {
            let check = try reportingErrors {
                let read = try Receipt(readingFrom: receipt)
                return try ReceiptCheck(
                    read, protected: try HubCache.resolve(protected),
                    original: try original.map { try HubCache.resolve($0) },
                    base: try base.map { try HubCache.resolve($0) },
                    key: try key.map { try KeyOption.read($0) }, threads: cores.threads)
            }
            if display.json {
                try print(json: check)
            } else {
                print(
                    check.checked.map { "checked: \($0)" } + check.failures.map { "FAILED \($0)" }
                        + check.unchecked.map { "not checked: \($0)" }
                        + ["what was checked holds: \(check.holds ? "yes" : "NO")"])
            }
            if !check.holds { throw checkFailed }
        }
    }

    /// Proves that two models compute the same, and writes down what was found.
    static func write(
        _ original: Checkpoint, _ protected: Checkpoint, base: Checkpoint? = nil, key: SecretKey, to path: String,
        weightsOnly: Bool, threads: Int?, _ bar: ProgressBar? = nil
    ) throws -> Receipt {
        let pair = try ModelPair(original, protected, threads: threads)
        let weights = try AlgebraicVerification(threads: threads).verify(pair)
        var outputs: FunctionalReport?
        if !weightsOnly, weights.canBeEvaluated, weights.opaqueParts.isEmpty {
            outputs = try FunctionalVerification(threads: threads).verify(pair) {
                bar?.update(done: Int($0 * 1000), of: 1000)
            }
            bar?.finish()
        }
        let receipt = try Receipt(
            pair, base: base, key: key, weights: weights, outputs: outputs, version: Release.version,
            threads: threads)
        try receipt.write(to: path)
        return receipt
    }

    /// Says what was written, and fails where the proofs did.
    static func show(_ receipt: Receipt, path: String, json: Bool) throws {
        if json {
            print(receipt.text)
        } else {
            print([
                "wrote \(path): \(receipt.subject.count) files out, \(receipt.materials.count) files in",
                "same function: \(receipt.sameFunction ? "yes" : "NO")\(receipt.isEvaluated ? "" : ", by the weights alone")",
            ])
        }
        try checkVerdict(of: receipt)
    }

    static func checkVerdict(of receipt: Receipt) throws {
        if !receipt.sameFunction { throw checkFailed }
    }
}
