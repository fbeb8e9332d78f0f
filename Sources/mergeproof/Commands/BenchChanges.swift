import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Foundations
import LinearAlgebra
import Protections

struct BenchChanges: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract: "Measure what methods that change weights do to a model and what that costs.",
        discussion: """
            Protects the model by every method that does not keep its function, alone or below a lock, in each of the types, and prints a \
            table in Markdown. What a lock does is held against the changed weights that it acts on. Scores and outputs are \
            evaluated in f32.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @Option(help: "The public model that this one was trained from.")
    var base: String

    @Option(help: ArgumentHelp("What activations are taken on, as protect reads it.", valueName: "file"))
    var calibration: String

    @Option(help: ArgumentHelp("Labelled examples, or texts for a language model.", valueName: "file"))
    var examples: String

    @Option(
        help: "Types to store the weights in: f32, bf16, f16, with commas between; their own unless said otherwise.")
    var types: TypeList?

    @Option(help: "Directory to work in; what this command makes there is removed.")
    var work = NSTemporaryDirectory()

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    /// A method in one type; no method for the original.
    private struct Entry: Encodable {
        let type: String
        var method: String?
        let accuracy, loss: Double
        var measured: ChangeTable.Row?
    }

    private struct Report: Encodable {
        let examples: Int
        let coreType = BLASInfo.coreType
        let methods: [Entry]

        enum CodingKeys: String, CodingKey {
            case examples
            case coreType = "core_type"
            case methods
        }
    }

    func run() throws {
        let (entries, count) = try reportingErrors {
            let (source, base) = (try openModel(model), try openModel(base, including: []))
            try AddressSpace.require(threads: cores.threads)
            let inputs = try ModelInputs(readingExamples: calibration)
            let examples = try ModelEvaluation.examples(reading: examples)
            let workFolder = try WorkFolder(in: work, for: "bench")
            defer { workFolder.remove() }
            let entries = try measuring([source, base], in: types, copies: workFolder.path) { models, type in
                try measure(models[0], base: models[1], type, inputs, examples, workFolder.path)
            }
            return (entries, examples.count)
        }
        if display.json {
            try print(json: Report(examples: count, methods: entries))
        } else {
            print(text(entries, count))
        }
        if entries.contains(where: { $0.measured?.lock?.holdsByWeights == false }) { throw checkFailed }
    }

    private func measure(
        _ source: Checkpoint, base: Checkpoint, _ type: String, _ inputs: ModelInputs,
        _ examples: [ModelEvaluation.Example], _ folder: String
    ) throws -> [Entry] {
        let table = try ChangeTable(of: source, on: examples, scratch: folder + "/model", threads: cores.threads)
        let original = Entry(type: type, accuracy: table.accuracy, loss: table.loss)
        return try [original]
            + MeasuredChange.all.map { method in
                if !display.quiet { writeToStandardError("\(type): \(method.name)\n") }
                var options = try method.options
                options.base = method.usesBase ? base : nil
                options.calibration = method.isCalibrated ? inputs : nil
                let row = try table.row(options) { FileTree.remove($0) }
                return Entry(
                    type: type, method: method.name, accuracy: row.accuracy, loss: row.loss, measured: row)
            }
    }

    private func text(_ entries: [Entry], _ count: Int) -> [String] {
        let header = [
            "type", "method", "weights changed", "displacement", "of what moved", "outputs", "accuracy", "loss",
            "rounding foretold", "rounding seen", "lock keeps the function", "restored",
        ]
        let rows = entries.map { entry in
            let scores = [fixed(entry.accuracy, 3), fixed(entry.loss, 3)]
            let none = Array(repeating: "-", count: 4)
            guard let row = entry.measured else { return [entry.type, "(the original)"] + none + scores + none }
            let lock = row.lock.map { lock in
                [
                    "\(fixed(lock.predictedRounding, 1)) x", "\(fixed(lock.rounding, 2)) x",
                    lock.holdsByWeights ? lock.holdsByOutputs ? "yes" : "by weights alone" : "NO",
                    lock.isRestoredBitForBit ? "bit for bit" : "to \(scientific(lock.restorationError))",
                ]
            }
            return [
                entry.type, entry.method ?? "-", "\(fixed(100 * row.movedShare, 1)) %", fixed(row.displacement, 3),
                fixed(row.movedDisplacement, 3), scientific(row.outputs),
            ] + scores + (lock ?? none)
        }
        return markdownTable(header, rows)
            + ["", "\(count) examples; one key; OpenBLAS kernels: \(BLASInfo.coreType)."]
    }
}
