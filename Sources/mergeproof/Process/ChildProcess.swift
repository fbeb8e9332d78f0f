import ArgumentParser
import Checkpoints
import Foundation
import Foundations

/// Runs a command as a process of its own and watches its memory.
enum ChildProcess {
    /// Wall time and the largest memory held, sampled every 2 ms.
    struct Usage {
        var seconds = 0.0
        /// Resident memory that no file backs (RssAnon).
        var anonymousBytes = 0
        /// All resident memory, mapped files included (VmRSS).
        var residentBytes = 0
    }

    /// - Parameter output: file for what the command prints; nothing keeps it when nil.
    /// - Throws: `ExitCode` when the command fails, `Interrupted` when this process is asked to stop: the command ends with it.
    static func run(_ path: String, _ words: [String], output: String? = nil) throws -> Usage {
        let started = ContinuousClock.now
        let process = try spawn(path, words, output: output ?? "/dev/null")
        let remains = Interruption.register { end(process) }
        defer { Interruption.forget(remains) }
        var usage = Usage()
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            if Interruption.isRequested {
                end(process)
                waitpid(process, &status, 0)
                throw Interrupted()
            }
            let figures = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
            usage.anonymousBytes = max(usage.anonymousBytes, bytes("RssAnon:", in: figures ?? ""))
            usage.residentBytes = max(usage.residentBytes, bytes("VmRSS:", in: figures ?? ""))
            usleep(2000)
        }
        usage.seconds = seconds(ContinuousClock.now - started)
        guard status == 0 else {
            if Interruption.isRequested { throw Interrupted() }
            let code = status & 0x7f == 0 ? "exit code \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
            warn("\(path) \(words.joined(separator: " ")) failed with \(code)")
            throw ExitCode(1)
        }
        return usage
    }

    /// Starts a command in a process group of its own, so that its children end with it.
    private static func spawn(_ path: String, _ words: [String], output: String) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        var standard = sigset_t()
        sigemptyset(&standard)
        for signal in [SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGBUS] { sigaddset(&standard, signal) }
        posix_spawnattr_setsigdefault(&attributes, &standard)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = ([path] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, &attributes, &arguments, environ)
        guard code == 0 else { throw CheckpointError.systemCall(call: "posix_spawn", path: path, code: code) }
        return process
    }

    /// What it leaves lies in the folder of this run, which is removed.
    private static func end(_ process: pid_t) { kill(-process, SIGKILL) }

    private static func bytes(_ field: String, in status: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
        return 1024 * (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0)
    }
}
