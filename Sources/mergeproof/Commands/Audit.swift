import Alignment
import ArgumentParser
import Auditing
import Checkpoints
import Foundation
import Foundations
import Merging

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try every protection of a model against every attack and merge, and report what gets through.",
        discussion: """
            AUDIT.yml says what is tried; --init writes one to start from. REPORT gets report.html, results.json and results.csv. What was found \
            is kept in REPORT.partial until the report is there: a run that was stopped goes on where it was when the same command is given again.

            A merge is judged by the mean over the tasks of its accuracy divided by that of the task's own expert, and by how much of that it \
            brings beyond what needs no merge. Attackers pick coefficients with the labels of the examples that they are judged on.
            """)

    @Argument(help: "What is audited, in YAML.")
    var audit: String?

    @Option(name: [.customShort("o"), .long], help: "Directory to make; with --init the file to write.")
    var output: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Write an AUDIT.yml for these models instead: the base, the model to be published, and those that it may be merged with.",
            valueName: "model"))
    var `init`: [String] = []

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func validate() throws {
        guard (audit == nil) != `init`.isEmpty else {
            throw ValidationError("Give AUDIT.yml or --init, and one of them alone.")
        }
        if audit == nil, `init`.count < 3 {
            throw ValidationError("--init takes the base, the model to be published, and one other model at least.")
        }
    }

    func run() throws {
        try reportingErrors {
            guard let audit else { return try writeTemplate() }
            let configuration = try AuditFile.configuration(reading: audit)
            try AddressSpace.require(threads: cores.threads)
            let folder = try AuditFolder(for: output)
            let bar = ProgressBar("audit", of: .evaluations, quiet: display.quiet)
            let results = try folder.keepingFindings {
                try Auditor(
                    configuration, in: folder.path, threads: cores.threads,
                    opening: { try openModel($0, including: []) }, progress: { bar.update(done: $0, of: $1) }
                ).run()
            }
            bar.finish()
            try folder.publish(results)
            if display.json {
                try print(json: results)
            } else {
                print(Self.verdicts(results))
                print("wrote \(output)")
            }
        }
    }

    private func writeTemplate() throws {
        guard !FileManager.default.fileExists(atPath: output) else { throw AuditError.exists(path: output) }
        for model in `init` { _ = try openModel(model, including: []) }
        let text = AuditTemplate.text(base: `init`[0], model: `init`[1], others: Array(`init`.dropFirst(2)))
        try Data(text.utf8).write(to: URL(fileURLWithPath: output), options: .withoutOverwriting)
        print("wrote \(output); say in it where the data of each task lies")
    }

    /// One line for each protection, the worst for the publisher first.
    private static func verdicts(_ results: AuditResults) -> [String] {
        let rows = results.protections.map { protection in
            guard let worst = protection.worst else { return [protection.name, "-", "-", "-", "-", "-"] }
            return [
                protection.name, fixed(protection.alone.utility, 3), fixed(protection.baseline.utility, 3),
                fixed(worst.candidate.scores.utility, 3),
                (worst.advantage > 0 ? "+" : "") + fixed(worst.advantage, 3), "\(worst.attack), \(worst.merge)",
            ]
        }
        return table([["protection", "alone", "without a merge", "best merge", "advantage", "by"]] + rows)
    }
}

/// Where an audit's findings lie until its report is there.
private struct AuditFolder {
    let path: String
    private let output: String
    private let system = PosixSystemCalls()
    /// Held open for as long as this is, by which another run knows.
    private let lock: Int32

    /// - Throws: `AuditError.exists` where the report is there, `CheckpointError.outputBusy` where another run makes it.
    init(for output: String) throws {
        self.output = output
        path = output + ".partial"
        guard (try? system.linkStatus(output)) == nil else { throw AuditError.exists(path: output) }
        if (try? system.status(path).kind) != .directory { try system.makeDirectory(path) }
        lock = try system.open(path, flags: O_RDONLY | O_DIRECTORY, mode: 0)
        // Where the file system has no locks, nobody is told.
        if (try? system.lock(lock, path: path)) == false { throw CheckpointError.outputBusy(path: output) }
    }

    /// What ends in an error leaves what was found, and nothing where that is nothing.
    func keepingFindings<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            if FileTree.holdsFile(path + "/" + Auditor.findings) {
                warn("what was found is kept in \(path): the same command goes on from there")
            } else {
                FileTree.remove(path)
            }
            throw error
        }
    }

    /// Writes all files of the report, and has it appear whole.
    func publish(_ results: AuditResults) throws {
        let report = path + "/report"
        FileTree.remove(report)
        try system.makeDirectory(report)
        let json = try JSONValue(encoding: results).serialized(indented: true) + "\n"
        for (name, text) in [
            ("results.json", json), ("results.csv", AuditTable(results).csv),
            ("report.html", AuditReport(results).html),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: report + "/" + name))
        }
        try system.renameWithoutReplacing(report, to: output)
        FileTree.remove(path)
    }
}

/// An AUDIT.yml to start from.
private enum AuditTemplate {
    static func text(base: String, model: String, others: [String]) -> String {
        """
        # What is audited, and what is tried. Paths are of directories, or org/name in the Hugging Face cache.

        # The public model that the others were trained from: merges and attackers start from it.
        base: \(quoted(base))

        # The model to be published, and the data of its task: JSON lines with input_ids and label, or a safetensors file.
        model:
          name: own
          path: \(quoted(model))
          data: own.jsonl

        # What somebody may merge it with.
        others:
        \(others.enumerated().map { number, other in
            """
              - name: other \(number + 1)
                path: \(quoted(other))
                data: other-\(number + 1).jsonl
            """
        }.joined(separator: "\n"))

        # Parts of the names of tensors that are not merged; a classifier's own unless said otherwise.
        # heads: [classifier, pooler]

        # How many examples of each task are looked at.
        examples: 500
        seed: 0

        # A few hundred inputs like those that the model will see, for decoy, mergeguard, polynomials, attacks that look at activations, and the merge regmean.
        # calibration: calibration.jsonl

        # none is the model as it is. Also a map of a name and steps (as a recipe has them), or of a name and the path of a protected model.
        protections: [none, mergelock, params, mergelock+params, lossless]

        # none merges what is published as it is.
        attacks: [none, \(AlignmentMethod.builtIn.filter { !$0.usesActivations }.map(\.name).joined(separator: ", ")), circuits]

        # A method, or a map of a method and parameters that are held.
        merges:
          - linear
          - task_arithmetic
          - {method: ties, density: 0.2}
          - {method: dare_linear, density: 0.5}
          - magmax
          - consensus
          - keep_one
          - emr
          - smile

        # Of the published model and of each of the others: every pair is tried.
        coefficients:
          protected: [0.3, 0.5, 0.8, 1]
          others: [0.3, 0.5]

        # Points of the straight path to each of the others on which the loss is measured; 0 for none.
        barrier_points: 11

        """
    }

    /// As YAML takes any text.
    private static func quoted(_ text: String) -> String { JSONValue.string(text).serialized(indented: false) }
}
