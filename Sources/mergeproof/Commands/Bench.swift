import ArgumentParser
import Checkpoints
import Evaluation
import Foundations

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure time and memory of protection and evaluation, and how far each lock moves the weights.",
        subcommands: [
            BenchProtect.self, BenchDisplacement.self, BenchChanges.self, BenchForward.self, BenchMemory.self,
        ],
        defaultSubcommand: BenchProtect.self)
}

/// What benchmarks share.
enum BenchModel {
    static func make(
        in folder: String, vocabulary: Int, layers: Int = SyntheticModel().layers, isQuiet: Bool
    ) throws -> String {
        var synthetic = SyntheticModel()
        (synthetic.vocabulary, synthetic.layers) = (vocabulary, layers)
        let path = folder + "/model"
        let bytes = try synthetic.write(to: path)
        if !isQuiet { writeToStandardError("made a model of \(ByteSize.format(bytes)) in \(path)\n") }
        return path
    }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard let middle = sorted.dropFirst((sorted.count - 1) / 2).first else { return 0 }
    return sorted.count % 2 == 1 ? middle : (middle + sorted[sorted.count / 2]) / 2
}
