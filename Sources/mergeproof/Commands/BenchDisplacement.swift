import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Foundations
import LinearAlgebra
import Protections

struct BenchDisplacement: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "displacement",
        abstract: "Measure how far each lock moves a model's weights, what rounding that costs, and what comes back.",
        discussion: """
            Protects, verifies and restores the model by every lock, in each of the types, and prints a table in Markdown. A type that \
            the weights are not stored in is made by rounding each of them once, to nearest even; everything is then measured \
            against that copy. Outputs are evaluated in f64.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @OptionGroup var tokens: TokensOption

    @Option(
        help: "Types to store the weights in: f32, bf16, f16, with commas between; their own unless said otherwise.")
    var types: TypeList?

    @Option(help: "With how many keys each lock is drawn.")
    var keys = 3

    @Option(help: "Directory to work in; what this command makes there is removed.")
    var work = NSTemporaryDirectory()

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    /// A lock in one type, or why there is none.
    private struct Entry: Encodable {
        let type, lock: String
        var measured: DisplacementTable.Row?
        var reason: String?

        enum CodingKeys: String, CodingKey { case type, lock, measured, reason }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(type, forKey: .type)
            try container.encode(lock, forKey: .lock)
            try container.encode(measured, forKey: .measured)
            try container.encode(reason, forKey: .reason)
        }
    }

    private struct Report: Encodable {
        let keys: Int
        let coreType = BLASInfo.coreType
        let locks: [Entry]

        enum CodingKeys: String, CodingKey {
            case keys
            case coreType = "core_type"
            case locks
        }
    }

    func validate() throws { try requireRange("--keys", keys, 1...255) }

    func run() throws {
        let entries = try reportingErrors {
            let source = try openModel(model)
            try AddressSpace.require(threads: cores.threads)
            let inputs = try tokens.read()
            let workFolder = try WorkFolder(in: work, for: "bench")
            defer { workFolder.remove() }
            return try measuring([source], in: types, copies: workFolder.path) { models, type in
                try measure(models[0], type, inputs, workFolder.path)
            }
        }
        if display.json {
            try print(json: Report(keys: keys, locks: entries))
        } else {
            print(text(entries))
        }
        if entries.contains(where: { $0.measured?.isSameFunction == false }) { throw checkFailed }
    }

    private func measure(
        _ source: Checkpoint, _ type: String, _ inputs: ModelInputs?, _ folder: String
    ) throws -> [Entry] {
        let table = DisplacementTable(scratch: folder + "/model", keys: keys, threads: cores.threads)
        return try MeasuredLock.all.map { lock in
            if !display.quiet { writeToStandardError("\(type): \(lock.name)\n") }
            var entry = Entry(type: type, lock: lock.name)
            do {
                entry.measured = try table.row(source, lock.options, inputs: inputs) { FileTree.remove($0) }
            } catch ProtectionError.noTurning(_, _, let reason) {
                entry.reason = reason
            } catch ProtectionError.noSites {
                entry.reason = "it finds no site to act on"
            }
            return entry
        }
    }

    private func text(_ entries: [Entry]) -> [String] {
        let header = [
            "type", "lock", "weights rewritten", "displacement", "of what moved", "rounding foretold", "rounding seen",
            "outputs", "same function", "restored",
        ]
        let rows = entries.map { entry in
            guard let row = entry.measured else { return [entry.type, entry.lock] + Array(repeating: "-", count: 8) }
            return [
                entry.type, entry.lock, "\(fixed(100 * row.rewrittenShare, 1)) %", fixed(row.displacement, 3),
                fixed(row.movedDisplacement, 3), "\(fixed(row.predictedRounding, 1)) x", "\(fixed(row.rounding, 2)) x",
                row.outputs.map(scientific) ?? "-",
                row.isSameFunction ? row.outputs == nil ? "yes, by weights" : "yes" : "NO",
                row.isRestoredBitForBit ? "bit for bit" : "to \(scientific(row.restorationError))",
            ]
        }
        var remarks: [String] = []
        for entry in entries {
            if entry.measured?.scalesWereDropped == true {
                remarks.append(
                    "`\(entry.lock)` in \(entry.type): powers of two would have lost bits of the smallest weights and were left out; signs and permutations remain."
                )
            }
            guard let reason = entry.reason else { continue }
            let sentence = "`\(entry.lock)` is refused: \(PrintableText.line(reason))."
            if !remarks.contains(sentence) { remarks.append(sentence) }
        }
        return markdownTable(header, rows) + remarks.flatMap { ["", $0] }
            + ["", "\(keys) key\(keys == 1 ? "" : "s") for each lock; OpenBLAS kernels: \(BLASInfo.coreType)."]
    }
}
