import ArgumentParser
import Checkpoints

/// What is copied beside the weights.
struct CopyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Copy files that would be left out, such as 'extra/*.npz'; may be given several times. Keys are never copied.",
            valueName: "pattern"))
    var include: [String] = []

    /// Names what was not copied and why, and what was copied only because it was asked for.
    func warnOfFiles(in source: Checkpoint) {
        var hidden: [String] = []
        for entry in source.entries {
            switch (entry.omission, entry.refusal) {
            case (.hidden?, _): hidden.append(entry.relativePath)
            case (let reason?, _): warn("\(entry.relativePath) \(reason) and was left out of the output")
            case (_, let reason?): warn("\(entry.relativePath) was left out of the output: \(reason)")
            default: break
            }
            if entry.isIncluded { warn("\(entry.relativePath) was copied because of --include") }
        }
        if !hidden.isEmpty { warn("hidden files were left out of the output: \(hidden.joined(separator: ", "))") }
        for pattern in source.unused(include) {
            warn("--include \(pattern) names no file that would be left out otherwise")
        }
    }
}
