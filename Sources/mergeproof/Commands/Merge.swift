import ArgumentParser
import Checkpoints
import Foundation
import Foundations
import Merging

struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Merge models of one architecture.",
        discussion: """
            CONFIG is mergekit's YAML. Methods:
            \(MergeMethod.builtIn.map(\.help).joined(separator: "\n"))

            \(MergeMethod.routed.map(\.name).joined(separator: ", ")) is evaluated by audit alone, as it has no weights of one model to write.

            Everything is computed in f32 and rounded once. Every tensor of every model is accounted for: what one lacks, or has in another \
            shape, ends the merge. The sources are never touched; the output directory appears whole or not at all.
            """)

    @Argument(help: "What is merged and how, in YAML.")
    var config: String

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @Option(help: "Of methods that draw at random; 0 unless said otherwise.")
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "Take a model out of a merge by mdm_oc again: its term is subtracted, and the others stay as they are.",
            valueName: "model"))
    var without: String?

    @Flag(help: "Merge models of a family that is not known, too: tensor by tensor, by their names.")
    var byName = false

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    private struct Result: Encodable {
        let output, method: String
        let models: [String]
        let tensors, bytes: Int
        let seconds: Double
    }

    func run() throws {
        try reportingErrors {
            let said = try DocumentError.naming(config, MergeConfiguration.init(parsing:))
            let configuration = try without.map(said.without) ?? said
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("merge", quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Merger(
                configuration, seed: seed, byName: byName, threads: cores.threads, notice: { warn("\($0)") }
            ) { bar.update(done: $0, of: $1) }
            .merge(to: output) { try openModel($0, including: []) }
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            for note in report.notes { warn(note) }
            if display.json {
                try print(
                    json: Result(
                        output: output, method: report.method, models: report.models, tensors: report.tensors,
                        bytes: report.bytes, seconds: elapsed))
            } else {
                let made = "\(report.tensors) tensors, \(ByteSize.format(report.bytes)) in \(fixed(elapsed, 2)) s"
                let count = "\(report.models.count) model\(report.models.count == 1 ? "" : "s")"
                print("merged \(count) by \(report.method) into \(output) (\(made))")
            }
        }
    }
}

extension MergeMethod {
    /// A line for the help text.
    fileprivate var help: String {
        let origin = reference.map { " (arXiv \($0))" } ?? ""
        let taken = parameters.isEmpty ? "" : "; takes \(parameters.map(\.name).joined(separator: ", "))"
        return "\(name)\(origin): \(summary)\(taken)."
    }
}
