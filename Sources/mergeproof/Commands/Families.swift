import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import Foundation

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

    func run() throws {
        try reportingErrors {
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
                ) { WorkFolder.remove($0) }
            }
            print(try markdown(rows.map(text) + undescribed(in: models, beside: names)))
        }
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
