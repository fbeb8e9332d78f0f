import Architectures
import ArgumentParser
import Checkpoints
import ForwardPass
import Foundation
import Foundations
import LinearAlgebra
import Protections
import Verification

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Protect, verify and restore a model by every method, and show what came out.",
        discussion: """
            Models with parts that are not understood are not evaluated: what is said of them is proved by their weights alone.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @OptionGroup var tokens: TokensOption

    @Option(help: "Directory to work in; what this command makes there is removed.")
    var work = NSTemporaryDirectory()

    func run() throws {
        try reportingErrors {
            let workFolder = try WorkFolder(in: work, for: "demo")
            defer { workFolder.remove() }
            let folder = workFolder.path
            let key = SecretKey()
            let source = try openModel(model)
            let architecture = try Architecture.resolve(source)
            if !architecture.isEvaluable, tokens.path != nil {
                throw ArchitectureError.notEvaluable(path: model, parts: architecture.opaqueParts.map(\.name))
            }
            try AddressSpace.require(threads: nil)
            print([
                "\(model): \(architecture.family), \(ByteSize.format(source.tensorBytes)) of weights; OpenBLAS kernels: \(BLASInfo.coreType)",
                "",
            ])
            let inputs = try tokens.read()
            var rows = [
                [
                    "method", "protect s", "MB/s", "displacement", "invariants", "outputs", "rounding floor",
                    "similarities", "same function", "restore s", "restored",
                ]
            ]
            for method in ProtectionMethod.locks {
                do {
                    rows.append(
                        try row(
                            method, source: source, evaluates: architecture.isEvaluable, inputs: inputs, key: key,
                            folder: folder + "/" + method.rawValue))
                } catch ProtectionError.noSites {
                    rows.append([method.rawValue] + Array(repeating: "-", count: 9) + ["finds no site"])
                }
            }
            print(table(rows))
            print(
                architecture.isEvaluable
                    ? [
                        "",
                        "Relative changes: of what the groups leave invariant, of the outputs beside rounding the weights once more, and the largest change of",
                        "the cosine similarity of two of the sequences evaluated.",
                    ]
                    : ["", "Relative changes of what the groups leave invariant."]
                        + architecture.opaqueParts.map(ReportText.notEvaluated)
            )
            if rows.contains(where: { $0.contains("NO") }) { throw checkFailed }
        }
    }

    private func row(
        _ method: ProtectionMethod, source: Checkpoint, evaluates: Bool, inputs: ModelInputs?, key: SecretKey,
        folder: String
    ) throws -> [String] {
        let (protected, restored) = (folder + "-protected", folder + "-restored")
        let clock = ContinuousClock()
        let protecting = try clock.measure {
            _ = try Protector().protect(source, to: protected, key: key, options: ProtectionOptions(method: method))
        }
        let copy = try Checkpoint(opening: protected)
        let report = try AlgebraicVerification().verify(source, copy)
        let outputs = evaluates ? try FunctionalVerification().verify(source, copy, inputs: inputs) : nil
        let holds = report.holds && outputs?.holds ?? true
        let restoring = try clock.measure { _ = try Protector().restore(copy, to: restored, key: key) }
        let restoration = try Restoration(original: source, restored: try Checkpoint(opening: restored))
        return [
            method.rawValue, fixed(seconds(protecting), 2),
            fixed(Double(source.tensorBytes) / 1e6 / max(seconds(protecting), 1e-6), 0), fixed(report.displacement, 3),
            scientific(report.worst?.invariantError ?? 0), outputs.map { scientific($0.drift.relativeError) } ?? "-",
            outputs.map { scientific($0.floor.relativeError) } ?? "-",
            outputs?.drift.largestSimilarityChange.map(scientific) ?? "-",
            holds ? evaluates ? "yes" : "yes, by weights" : "NO", fixed(seconds(restoring), 2),
            restoration.isIdentical ? "bit for bit" : "to \(scientific(restoration.largestError))",
        ]
    }
}
