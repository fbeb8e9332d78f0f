import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import Foundations
import Glibc
import LinearAlgebra
import Protections
import Symmetries

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a model's architecture, symmetry sites, and what each method would do.")

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String

    @OptionGroup var display: OutputOptions

    func run() throws {
        try reportingErrors {
            let starting = Double(clock()) / Double(CLOCKS_PER_SEC)
            let inspection = try Inspection(try openModel(model), forecastsFrom: starting)
            if display.json {
                try print(json: inspection)
            } else {
                print(text(inspection))
            }
        }
    }

    private func taken(_ method: Inspection.MethodSummary) -> [String] {
        method.forecast.map { ["\(fixed($0.seconds, 2)) s", ByteSize.format($0.peakBytes)] } ?? ["-", "-"]
    }

    private func text(_ inspection: Inspection) -> [String] {
        let types = inspection.types.all.map { "\($0.name) \(ByteSize.format($0.value))" }.joined(separator: ", ")
        var lines = [
            "\(inspection.family) (model_type \(inspection.modelType)), \(inspection.tensorCount) tensors in \(inspection.fileCount) file\(inspection.fileCount == 1 ? "" : "s"): \(types)",
            inspection.dimensions.all.map { "\($0.name) \($0.value)" }.joined(separator: ", "),
            "",
        ]
        lines += table(
            [["site", "count", "group of one", "continuous parameters"]]
                + inspection.sites.map { [$0.kind, "\($0.count)", $0.group, "\($0.parameters)"] })
        lines += inspection.opaqueParts.map { part in
            "not understood: \(part.name), \(part.tensors.count) tensor\(part.tensors.count == 1 ? "" : "s") copied as they are: \(part.reason)"
        }
        if !inspection.opaqueParts.isEmpty {
            lines.append("such a model is protected, restored and verified by its weights, and not evaluated")
        }
        lines += inspection.limits.map { "limited: \($0)" } + inspection.notes.map { "note: \($0)" }
        lines += [""]
        lines += table(
            [["method", "sampler", "condition", "sites", "weights rewritten", "rounding", "computing", "memory"]]
                + inspection.methods.map { method in
                    guard let sampler = method.sampler else {
                        let needs = "needs --" + method.needs.joined(separator: ", --")
                        return [method.name, needs, "-", "-", ByteSize.format(method.bytes), "another function"]
                            + taken(method)
                    }
                    return [
                        method.name, sampler.rawValue + (method.isDefault ? " (default)" : ""),
                        fixed(method.condition, 0), "\(method.sites)", ByteSize.format(method.bytes),
                        "\(fixed(method.roundingMultiple, 1)) x",
                    ] + taken(method)
                })
        lines += [
            "computing: seconds on \(WorkerThreads.count(nil)) threads, foretold by trials on this machine just now; reading from a cold disk and writing the output come on top. memory: mapped pages of the weights included",
            "disk space of an output: \(ByteSize.format(inspection.outputBytes))",
        ]
        if !inspection.leftOut.isEmpty {
            lines += ["", "left out of any output:"] + inspection.leftOut.map { "    \($0.path) \($0.reason)" }
        }
        if !inspection.refused.isEmpty {
            lines += ["", "in the way of protection:"] + inspection.refused.map { "    \($0.path): \($0.reason)" }
        }
        if inspection.isProtected { lines += ["", "this model is protected already (mergeproof.json)"] }
        return lines
    }
}
