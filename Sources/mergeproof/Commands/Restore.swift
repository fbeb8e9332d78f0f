import ArgumentParser
import Checkpoints
import Protections

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the original back from a protected model and its key.",
        discussion: """
            Whether manifest, weights and files are as `mergeproof protect` wrote them is proved by tags under the key; what was \
            changed is named, and nothing is written. Models protected before there were tags are restored unchecked.
            """)

    @Argument(help: "Directory that `mergeproof protect` wrote.")
    var protected: String

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @OptionGroup var key: KeyOption

    @Flag(help: "Go on where the model is not as protect wrote it; of the result nothing is proved.")
    var acceptChanges = false

    @OptionGroup var copying: CopyOptions

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func run() throws {
        try reportingErrors {
            let secret = try key.read()
            let source = try openModel(protected, including: copying.include)
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("restore", quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Protector(notice: { warn("\($0)") }) { bar.update(done: $0, of: $1) }
                .restore(source, to: output, key: secret, threads: cores.threads, acceptsChanges: acceptChanges)
            bar.finish()
            for change in report.proof?.changes ?? [] { warn("\(protected): \(change)") }
            let elapsed = seconds(ContinuousClock.now - started)
            copying.warnOfFiles(in: source)
            if display.json {
                try print(json: RestoreReport(report, output: output, seconds: elapsed))
            } else {
                print(ReportText.restored(report, output: output, seconds: elapsed))
            }
        }
    }
}
