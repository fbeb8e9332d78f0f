import ArgumentParser

/// Exit codes: 0 done, 1 error, 2 a check failed, 64 wrong usage, 130 interrupted.
@main
struct Mergeproof: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "mergeproof",
        abstract: "Rewrites a model's weights so that it computes the same and merging with it breaks.",
        discussion: """
            A publisher locks a checkpoint with a secret key, proves that its function is unchanged, publishes it, and can \
            restore the original. What no such lock survives: an attacker who aligns the weights to the public base model.

            Exit codes: 0 done, 1 error, 2 a check failed, 64 wrong usage, 130 interrupted.
            """,
        version: version,
        subcommands: [
            Inspect.self, Keygen.self, Protect.self, Restore.self, Verify.self, Evaluate.self, Generate.self,
            Outputs.self, Families.self, Doctor.self, Demo.self, Bench.self,
        ])
}

/// Exit code 2: the command ran, and what it checked does not hold.
let checkFailed = ExitCode(2)
