import ArgumentParser
import Foundation

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
    /// - Throws: `ExitCode` when the command fails.
    static func run(_ path: String, _ words: [String], output: String? = nil) throws -> Usage {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        if let output {
            try Data().write(to: URL(fileURLWithPath: output))
            process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        }
        let started = ContinuousClock.now
        try process.run()
        var usage = Usage()
        while process.isRunning {
            let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            usage.anonymousBytes = max(usage.anonymousBytes, bytes("RssAnon:", in: status ?? ""))
            usage.residentBytes = max(usage.residentBytes, bytes("VmRSS:", in: status ?? ""))
            usleep(2000)
        }
        process.waitUntilExit()
        usage.seconds = seconds(ContinuousClock.now - started)
        guard process.terminationStatus == 0 else {
            warn("\(path) \(words.joined(separator: " ")) failed with exit code \(process.terminationStatus)")
            throw ExitCode(1)
        }
        return usage
    }

    private static func bytes(_ field: String, in status: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
        return 1024 * (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0)
    }
}
