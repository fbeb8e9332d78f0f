import ArgumentParser
import Foundation

/// Runs a command as a process of its own and watches its memory.
enum ChildProcess {
    /// Wall time, and the largest resident memory that no file backs (RssAnon, sampled every 2 ms).
    /// - Throws: `ExitCode` when the command fails.
    static func run(_ path: String, _ words: [String]) throws -> (seconds: Double, peakBytes: Int) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        let started = ContinuousClock.now
        try process.run()
        var peak = 0
        while process.isRunning {
            peak = max(peak, anonymousBytes(of: process.processIdentifier))
            usleep(2000)
        }
        process.waitUntilExit()
        let elapsed = seconds(ContinuousClock.now - started)
        guard process.terminationStatus == 0 else {
            warn("\(path) \(words.joined(separator: " ")) failed with exit code \(process.terminationStatus)")
            throw ExitCode(1)
        }
        return (elapsed, peak)
    }

    private static func anonymousBytes(of process: Int32) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kilobytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return 0 }
        return kilobytes * 1024
    }
}
