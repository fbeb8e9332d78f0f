import ArgumentParser
import Checkpoints
import Foundations
import Glibc

/// Exit codes: 0 done, 1 error, 2 a check failed, 64 wrong usage, 128 and the number of the signal that ended the run.
@main
struct Mergeproof: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mergeproof",
        abstract: "Rewrites a model's weights so that it computes the same and merging with it breaks.",
        discussion: """
            A publisher locks a checkpoint with a secret key, proves that its function is unchanged, publishes it, and can \
            restore the original. What no such lock survives: an attacker who aligns the weights to the public base model.

            Exit codes: 0 done, 1 error, 2 a check failed, 64 wrong usage, 130, 143 or 129 interrupted.
            """,
        version: Release.version,
        subcommands: [
            Inspect.self, Keygen.self, Protect.self, Restore.self, Adapt.self, Verify.self, Receipts.self,
            Merge.self, Attack.self, Audit.self, Evaluate.self, Generate.self, Outputs.self, Families.self, Doctor.self,
            Demo.self,
            Bench.self,
        ])

    /// Ends with `_exit`: what is printed is out already, and OpenBLAS's own end waits for threads that may never come.
    static func main() {
        StandardOutput.claimDescriptors()
        Signals.listen()
        if let place = firstArgumentThatIsNoText() {
            warn("argument \(place) is not UTF-8, which names of files must be here; rename the file or directory")
            _exit(ExitCode.validationFailure.rawValue)
        }
        do {
            var command = try parseAsRoot()
            try command.run()
            _exit(0)
        } catch {
            let code = exitCode(for: error).rawValue
            let message = fullMessage(for: error)
            if code == 0 {
                print(message)
            } else if !message.isEmpty {
                writeToStandardError(PrintableText.lines(escapingArguments(in: message)) + "\n")
            }
            _exit(code)
        }
    }

    private static func firstArgumentThatIsNoText() -> Int? {
        (1..<max(Int(CommandLine.argc), 1)).first { number in
            guard let argument = CommandLine.unsafeArgv[number] else { return false }
            return String(validatingCString: argument) == nil
        }
    }

    /// The parser repeats arguments as they are, line ends included.
    private static func escapingArguments(in message: String) -> String {
        CommandLine.arguments.dropFirst().filter { PrintableText.line($0) != $0 }
            .reduce(message) { $0.replacing($1, with: PrintableText.line($1)) }
    }
}

/// Exit code 2: the command ran, and what it checked does not hold.
let checkFailed = ExitCode(2)
