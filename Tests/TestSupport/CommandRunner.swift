import Foundation
import Glibc

/// Runs the built command line program.
public enum CommandRunner {
    public struct Outcome: Sendable {
        public let code: Int32
        public let output: String
        public let errors: String
    }

    public static let program = built("mergeproof")

    /// A program lies beside the test binary.
    private static func built(_ name: String) -> URL {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let beside = own.appendingPathComponent(name)
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
        let folder = Bundle.allBundles.map(\.bundleURL).map { $0.deletingLastPathComponent() }
            .map { $0.appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
        return folder ?? beside
    }

    public static func start(_ words: [String]) throws -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Waits on this very thread: a task that sleeps goes on when other tests let it, and what it has started runs on meanwhile.
    public static func pause(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        usleep(useconds_t(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }

    /// Runs a line of bash in which `mergeproof` and `$MP` are the program.
    public static func shell(_ line: String) throws -> Outcome {
        try run(
            URL(fileURLWithPath: "/bin/bash"), ["-c", "mergeproof() { \"$MP\" \"$@\"; }; \(line)"],
            ["MP": program.path])
    }

    /// Runs another program that was built beside this one, in a folder.
    public static func example(_ name: String, in folder: String) throws -> Outcome {
        try run(built(name), [], [:], folder: folder)
    }

    public static func run(_ words: String...) throws -> Outcome { try run(words) }

    public static func run(_ words: [String]) throws -> Outcome { try run(program, words, [:]) }

    private static func run(
        _ file: URL, _ words: [String], _ variables: [String: String], folder: String? = nil
    ) throws -> Outcome {
        let process = Process()
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = file
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let errorText = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: errorText, as: UTF8.self))
    }
}
