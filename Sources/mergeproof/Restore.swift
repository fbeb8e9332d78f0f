import ArgumentParser
import Checkpoints
import Protections

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the original back from a protected model and its key.")

    @Argument(help: "Directory that `mergeproof protect` wrote.")
    var protected: String

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @Option(help: "The key that the model was protected with.")
    var key: String

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func run() throws {
        try reportingErrors {
            let secret = try SecretKey(readingFrom: key)
            let source = try openModel(protected)
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("restore", quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Protector(notice: { warn("\($0)") }) { bar.update(done: $0, of: $1) }
                .restore(source, to: output, key: secret, threads: cores.threads)
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            print(
                display.json
                    ? ReportText.json(report, output: output, seconds: elapsed)
                    : ReportText.restored(report, output: output, seconds: elapsed))
        }
    }
}
