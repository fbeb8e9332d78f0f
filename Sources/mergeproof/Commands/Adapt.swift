import ArgumentParser
import Checkpoints
import Foundations
import Protections

struct Adapt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a LoRA adapter of the original so that it fits a protected model.",
        discussion: """
            The factors of every map are acted on as the lock acted on its weight: the adapter keeps its rank, and on the protected model
            it does what it did on the original, to rounding. Only the key's holder can do this.
            """)

    @Argument(help: "Adapter directory, as PEFT writes it (adapter_config.json and adapter_model.safetensors).")
    var adapter: String

    @Option(help: "The protected model.")
    var protected: String

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @OptionGroup var key: KeyOption

    @OptionGroup var cores: ThreadOptions

    func run() throws {
        try reportingErrors {
            let secret = try key.read()
            let maps = try Protector(notice: { warn("\($0)") }).adapt(
                adapter, to: output, protected: try openModel(protected), key: secret, threads: cores.threads)
            print("adapted \(PrintableText.line(output)): \(maps) maps, each of the rank that it had")
        }
    }
}
