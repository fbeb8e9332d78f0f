import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import Foundation
import Foundations
import Protections

struct Families: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the supported families, or measure recorded models of them.",
        discussion: """
            Without MODELS: families with the values of model_type in config.json that they are known by. With MODELS, a directory of \
            model directories with references/NAME.safetensors beside them as scripts/make_fixtures.py records them: a table in Markdown \
            of sites, groups, what is refused and why, and of the errors against transformers and by protection.
            """)

    @Argument(help: "Directory of recorded models.")
    var models: String?

    @Flag(
        help:
            "Lock, verify and restore each of MODELS by every lock instead, and print what it does to outputs and weights."
    )
    var locks = false

    func run() throws {
        try reportingErrors {
            if locks, let models { return print(try locked(models)) }
            guard let models else {
                var rows = [["family", "model_type"]]
                for (family, types) in try Architecture.supported() {
                    rows.append([family, types.joined(separator: ", ")])
                }
                print(table(rows))
                return
            }
            let scratch = try WorkFolder(in: FileManager.default.temporaryDirectory.path, for: "families")
            defer { scratch.remove() }
            let measured = FamilyTable(scratch: scratch.path + "/model")
            let names = try PosixSystemCalls().list(models + "/references")
                .filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }
            let rows = try names.map { name in
                try measured.row(
                    model: models + "/" + name,
                    reference: RecordedReference(reading: models + "/references/\(name).safetensors")
                ) { FileTree.remove($0) }
            }
            print(try markdown(rows.map(text) + undescribed(in: models, beside: names)))
        }
    }

    /// Every lock of every model in a directory.
    private func locked(_ models: String) throws -> [String] {
        let scratch = try WorkFolder(in: FileManager.default.temporaryDirectory.path, for: "locks")
        defer { scratch.remove() }
        let table = DisplacementTable(scratch: scratch.path + "/model", keys: 1, threads: nil)
        var reasons: [String] = []
        func refused(_ reason: String) -> String {
            if !reasons.contains(reason) { reasons.append(reason) }
            return "refused (\((reasons.firstIndex(of: reason) ?? 0) + 1))"
        }
        let names = try PosixSystemCalls().list(models).sorted().filter {
            FileManager.default.fileExists(atPath: "\(models)/\($0)/config.json")
        }
        let rows = try names.map { name in
            let source = try Checkpoint(opening: "\(models)/\(name)")
            let cells = try MeasuredLock.all.map { lock in
                do {
                    let row = try table.row(source, lock.options, inputs: nil) { FileTree.remove($0) }
                    let outputs = row.outputs.map { "outputs \(scientific($0))" } ?? "by weights"
                    let back = row.isRestoredBitForBit ? "bit for bit" : "back to \(scientific(row.restorationError))"
                    return row.isSameFunction ? "\(outputs), \(back)" : "NOT THE SAME"
                } catch ProtectionError.noTurning(_, _, let reason) { return refused(reason) } catch ProtectionError
                    .noSites
                { return refused("its norms or gates leave nothing for this lock to act on") }
            }
            return "| \(([name] + cells).joined(separator: " | ")) |"
        }
        let header = ["model"] + MeasuredLock.all.map(\.name)
        return [
            "| \(header.joined(separator: " | ")) |", "|" + String(repeating: "---|", count: header.count),
        ] + rows + [""] + reasons.enumerated().map { "\($0.offset + 1). \(PrintableText.line($0.element))" }
    }

    private func text(_ row: FamilyTable.Row) -> String {
        "| \(row.facts) | \(scientific(row.single)) | \(scientific(row.double)) | \(scientific(row.drift)) | \(fixed(row.ratio, 2)) |"
    }

    /// Models of which some part is not understood, and whose outputs are on no record.
    private func undescribed(in models: String, beside names: [String]) throws -> [String] {
        let others = try PosixSystemCalls().list(models).filter { name in
            !names.contains(name) && FileManager.default.fileExists(atPath: "\(models)/\(name)/config.json")
        }
        return try others.sorted().compactMap { name in
            let architecture = try Architecture.resolve(Checkpoint(opening: "\(models)/\(name)"))
            guard !architecture.isEvaluable else { return nil }
            return "| \(FamilyTable.facts(architecture, name: name)) | - | - | - | - |"
        }
    }

    private func markdown(_ lines: [String]) throws -> [String] {
        [
            "| model | family | sites: group, dimension | what is left out, and why | f32 | f64 | drift | drift / floor |",
            "|---|---|---|---|---|---|---|---|",
        ] + lines + ["", "| family | refused settings, and why |", "|---|---|"]
            + (try FamilyTable.refusals().map { "| \($0) |" })
    }
}
