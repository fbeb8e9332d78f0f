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
            let scratch = FileManager.default.temporaryDirectory.path + "/mergeproof-families-\(getpid())"
            try PosixSystemCalls().makeDirectory(scratch)
            defer { try? FileManager.default.removeItem(atPath: scratch) }
            let names = try FileManager.default.contentsOfDirectory(atPath: models + "/references")
                .filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }.sorted()
            var measured = FamilyTable(scratch: scratch)
            var rows: [FamilyTable.Row] = []
            for name in names {
                rows.append(
                    try measured.row(
                        model: models + "/" + name,
                        reference: RecordedReference(reading: models + "/references/\(name).safetensors")))
            }
            print(markdown(rows))
        }
    }

    private func markdown(_ rows: [FamilyTable.Row]) -> String {
        var lines = [
            "| model | family | sites: group, dimension | limits, and why | f32 error | f64 error | drift | drift / floor |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in rows {
            lines.append(
                "| \(row.model) | \(row.family) | \(row.sites) | \(row.limits.joined(separator: "; ")) | \(scientific(row.single)) | "
                    + "\(scientific(row.double)) | \(scientific(row.drift)) | \(fixed(row.ratio, 2)) |")
        }
        lines += ["", "| family | refused settings of config.json, and why |", "|---|---|"]
        var seen: Set<String> = []
        for row in rows where !row.refusals.isEmpty && seen.insert(row.family).inserted {
            lines.append("| \(row.family) | \(row.refusals.joined(separator: "; ")) |")
        }
        return lines.joined(separator: "\n")
    }
}
