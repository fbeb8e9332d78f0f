import ArgumentParser
import Checkpoints
import Evaluation
import Foundation
import Foundations
import LinearAlgebra

struct BenchMemory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Evaluate a model larger than the machine's memory, and measure what memory that takes.",
        discussion: """
            Makes a bf16 checkpoint with the layers of a 70 B Llama, twice as large as the memory unless said otherwise, in sparse \
            files of zeros: they take no space on disk, but as much of the page cache as any. Evaluates it as a process of its own, and \
            fails unless the loss is that of equal scores.
            """)

    @Option(help: "Directory for the model; removed afterwards.")
    var work = "."

    @Option(help: "Size of the model in GB; twice the machine's memory unless said otherwise.")
    var gigabytes: Int?

    @Option(help: "Tokens of the sequence.")
    var tokens = 64

    @OptionGroup var display: OutputOptions

    private struct Report: Encodable {
        let memoryBytes, tensorBytes, tokens: Int
        let seconds: Double
        let peakAnonymousBytes, peakResidentBytes: Int
        let coreType = BLASInfo.coreType

        enum CodingKeys: String, CodingKey {
            case memoryBytes = "memory_bytes"
            case tensorBytes = "tensor_bytes"
            case tokens, seconds
            case peakAnonymousBytes = "peak_anonymous_bytes"
            case peakResidentBytes = "peak_resident_bytes"
            case coreType = "core_type"
        }
    }

    func validate() throws {
        if let gigabytes { try requireRange("--gigabytes", gigabytes, 1...100_000) }
        try requireRange("--tokens", tokens, 2...1_000_000)
    }

    func run() throws {
        try reportingErrors {
            let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
            let synthetic = SyntheticModel.sparse(bytes: gigabytes.map { $0 * 1_000_000_000 } ?? 2 * memory)
            let workFolder = try WorkFolder(in: work, for: "bench")
            defer { workFolder.remove() }
            let folder = workFolder.path
            let bytes = try synthetic.write(to: folder + "/model")
            let ids = (0..<tokens).map { String($0 * 37 % synthetic.vocabulary) }.joined(separator: ",")
            try "[\(ids)]\n".write(toFile: folder + "/data.jsonl", atomically: false, encoding: .utf8)
            let usage = try ChildProcess.run(
                try PosixSystemCalls().realPath("/proc/self/exe"),
                ["evaluate", folder + "/model", "--data", folder + "/data.jsonl", "--metric", "loss", "--json"],
                output: folder + "/result.json")
            let result = try JSONDocument(
                parsing: Array(Data(contentsOf: URL(fileURLWithPath: folder + "/result.json"))))
            let loss = result.root["value"]?.double ?? .nan
            guard (loss - log(Double(synthetic.vocabulary))).magnitude < 1e-5 else {
                warn("the loss is \(loss), expected ln \(synthetic.vocabulary)")
                throw checkFailed
            }
            guard !display.json else {
                return try print(
                    json: Report(
                        memoryBytes: memory, tensorBytes: bytes, tokens: tokens, seconds: usage.seconds,
                        peakAnonymousBytes: usage.anonymousBytes, peakResidentBytes: usage.residentBytes))
            }
            print(
                table([
                    ["memory", "model", "tokens", "seconds", "peak memory", "with mapped weights"],
                    [
                        ByteSize.format(memory), ByteSize.format(bytes), "\(tokens)", fixed(usage.seconds, 1),
                        ByteSize.format(usage.anonymousBytes), ByteSize.format(usage.residentBytes),
                    ],
                ]))
        }
    }
}
