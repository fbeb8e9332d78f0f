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
            print(try markdown(rows))
        }
    }

    private func markdown(_ rows: [FamilyTable.Row]) throws -> [String] {
        let lines = rows.map { row in
            "| \(row.facts) | \(scientific(row.single)) | \(scientific(row.double)) | \(scientific(row.drift)) | \(fixed(row.ratio, 2)) |"
        }
        return [
            "| model | family | sites: group, dimension | what is left out, and why | f32 | f64 | drift | drift / floor |",
            "|---|---|---|---|---|---|---|---|",
        ] + lines + ["", "| family | refused settings, and why |", "|---|---|"]
            + (try FamilyTable.refusals().map { "| \($0) |" })
    }
}
