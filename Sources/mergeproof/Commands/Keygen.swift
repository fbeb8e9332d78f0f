import ArgumentParser
import Protections

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a secret key.",
        discussion: """
            The file is readable by its owner alone and the key is never printed. Keep it: without it a protected model cannot be \
            restored. Use one key per model: models locked with the same key merge with each other as before.
            """)

    @Option(name: [.customShort("o"), .long], help: "The key file to make; an existing file is never replaced.")
    var output: String

    func run() throws {
        try reportingErrors {
            try SecretKey().write(to: output)
            print(["wrote \(output)"])
        }
    }
}
