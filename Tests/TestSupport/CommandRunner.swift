import Foundation

/// Runs the built command line program.
public enum CommandRunner {
    public struct Outcome: Sendable {
        public let code: Int32
        public let output: String
        public let errors: String
    }

    /// The program lies beside the test binary.
    public static let program: URL = {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let beside = own.appendingPathComponent("mergeproof")
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
        let folder = Bundle.allBundles.map(\.bundleURL).map { $0.deletingLastPathComponent() }
            .map { $0.appendingPathComponent("mergeproof") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
        return folder ?? beside
    }()

    public static func start(_ words: [String]) throws -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    public static func run(_ words: String...) throws -> Outcome { try run(words) }

    public static func run(_ words: [String]) throws -> Outcome { try run(words, program) }

    private static func run(_ words: [String], _ program: URL) throws -> Outcome {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = program
        process.arguments = words
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

extension CommandRunner {
    /// Runs a script in which `mergeproof` is the program.
    public static func shell(_ script: String) throws -> Outcome {
        try run(["-c", "mergeproof() { \"\(program.path)\" \"$@\"; }; \(script)"], URL(fileURLWithPath: "/bin/bash"))
    }
}
