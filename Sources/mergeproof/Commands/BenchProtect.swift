import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import Foundations
import LinearAlgebra
import Protections

struct BenchProtect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "protect",
        abstract: "Time protection against copying the same model.",
        discussion: """
            Runs `cp -r` followed by `sync`, and protection by each method, lossless on all kinds of sites too, and full with the \
            residual stream permuted (as it is unless said otherwise), turned by a fast matrix and by a dense one, in turn, and prints \
            medians and ratios. What the dense one costs is held against the same products by themselves, in as many threads. Without MODEL a Llama-shaped bf16 checkpoint of 1.4 GB (hidden 2048, 16 layers, 32 heads, 8 key/value \
            heads) is made first; `--vocabulary 500000 --layers 1` makes one of 4.2 GB in which two tensors take 2 GB each.
            """)

    @Argument(help: "Model directory, or org/name in the Hugging Face cache.")
    var model: String?

    @Option(help: "Directory for the model and the outputs; everything in it that this command makes is removed.")
    var work = "."

    @Option(help: "Rounds.")
    var rounds = 5

    @Option(help: "Vocabulary of the model that is made.")
    var vocabulary = SyntheticModel().vocabulary

    @Option(help: "Layers of the model that is made.")
    var layers = SyntheticModel().layers

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func validate() throws {
        try requireRange("--rounds", rounds, 1...1_000_000)
        try requireRange("--vocabulary", vocabulary, 1...10_000_000)
        try requireRange("--layers", layers, 1...10_000)
    }

    func run() throws {
        try reportingErrors {
            let workFolder = try WorkFolder(in: work, for: "bench")
            defer { workFolder.remove() }
            let folder = workFolder.path
            let source =
                try model.map { try HubCache.resolve($0) }
                ?? BenchModel.make(in: folder, vocabulary: vocabulary, layers: layers, isQuiet: display.quiet)
            let key = folder + "/key"
            try SecretKey().write(to: key)
            let checkpoint = try Checkpoint(opening: source)
            let architecture = try Architecture.resolve(checkpoint)
            let refusal = architecture.residualStreams.compactMap(\.turnLimit).first
            let locks = try MeasuredLock.all.filter {
                try (!$0.turnsStreams || refusal == nil) && $0.findsSites(in: architecture)
            }
            let work = RotationWork(checkpoint, architecture)
            let results = try measure(source: source, key: key, output: folder + "/out", locks, work)
            if display.json {
                try print(json: Report(bytes: checkpoint.tensorBytes, commands: results, notTurned: refusal))
            } else {
                print(text(results, bytes: checkpoint.tensorBytes, notTurned: refusal))
            }
        }
    }

    /// One command's wall times and the largest memory it held that no file backs.
    private struct Measurement: Encodable {
        let name: String
        var seconds: [Double] = []
        var ratios: [Double] = []
        var peakBytes = 0
        /// Floating-point operations of a dense rotation's products.
        var operations: Double?
        /// What those take by themselves, of the time that the command took.
        var shares: [Double] = []

        enum Key: String, CodingKey {
            case command, seconds
            case medianRatio = "median_ratio_to_cp"
            case peakBytes = "peak_anonymous_bytes"
            case operations = "product_operations"
            case share = "median_share_of_raw_product_rate"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(name, forKey: .command)
            try container.encode(seconds, forKey: .seconds)
            try container.encode(median(ratios), forKey: .medianRatio)
            try container.encode(peakBytes, forKey: .peakBytes)
            try container.encodeIfPresent(operations, forKey: .operations)
            if operations != nil { try container.encode(median(shares), forKey: .share) }
        }
    }

    private struct Report: Encodable {
        let bytes: Int
        let coreType = BLASInfo.coreType
        let commands: [Measurement]
        /// Why streams were not turned.
        let notTurned: String?

        enum CodingKeys: String, CodingKey {
            case bytes = "tensor_bytes"
            case coreType = "core_type"
            case commands
            case notTurned = "not_turned"
        }
    }

    private func measure(
        source: String, key: String, output: String, _ locks: [MeasuredLock], _ work: RotationWork?
    ) throws -> [Measurement] {
        let myself = try PosixSystemCalls().realPath("/proc/self/exe")
        var commands: [(name: String, path: String, words: [String])] = [
            ("cp -r && sync", "/bin/sh", ["-c", "cp -rL \"$0\" \"$1\" && sync", source, output])
        ]
        for lock in locks {
            var words = ["protect", source, "-o", output, "--key", key, "--quiet", "--method"] + lock.words
            if let threads = cores.threads { words += ["--threads", "\(threads)"] }
            commands.append(("protect " + lock.name, myself, words))
        }
        var results = commands.map { Measurement(name: $0.name) }
        // Behind `cp`.
        let rotation = locks.firstIndex { $0.residual == .rotation }.map { $0 + 1 }
        if let rotation { results[rotation].operations = work?.operations }
        // The first round warms the page cache and is not counted.
        for round in 0...rounds {
            for (number, command) in commands.enumerated() {
                let usage = try ChildProcess.run(command.path, command.words)
                FileTree.remove(output)
                guard round > 0 else { continue }
                results[number].seconds.append(usage.seconds)
                results[number].ratios.append(usage.seconds / (results[0].seconds.last ?? usage.seconds))
                results[number].peakBytes = max(results[number].peakBytes, usage.anonymousBytes)
                if number == rotation, let work {
                    results[number].shares.append(try work.rawSeconds(threads: cores.threads) / usage.seconds)
                }
                if !display.quiet {
                    writeToStandardError("round \(round): \(command.name) \(fixed(usage.seconds, 2)) s\n")
                }
            }
        }
        return results
    }

    private func text(_ results: [Measurement], bytes: Int, notTurned: String?) -> [String] {
        let rows = results.map { result in
            let seconds = median(result.seconds)
            return [
                result.name, fixed(seconds, 2), "\(ByteSize.format(Int(Double(bytes) / max(seconds, 1e-6))))/s",
                fixed(median(result.ratios), 2),
                "\(fixed(result.ratios.min() ?? 0, 2)) to \(fixed(result.ratios.max() ?? 0, 2))",
                ByteSize.format(result.peakBytes),
            ]
        }
        let header = ["command", "median s", "rate", "ratio to cp", "range", "peak memory"]
        var lines = table([header] + rows)
        for result in results {
            guard let operations = result.operations else { continue }
            let rate = operations / 1e9 / max(median(result.seconds), 1e-6)
            lines.append(
                "\(result.name): \(fixed(operations / 1e12, 3)) T operations of dense products, \(fixed(rate, 1)) G/s; \(fixed(100 * median(result.shares), 0)) % of the rate of the same products by themselves"
            )
        }
        if let notTurned { lines.append("not turned: \(notTurned)") }
        return lines
            + ["\(ByteSize.format(bytes)), \(rounds) rounds in turn; OpenBLAS kernels: \(BLASInfo.coreType)"]
    }
}
