import Checkpoints
import Evaluation
import Foundation
import TestSupport
import Testing

/// Signals: every command ends within a second, with 128 and the signal's number, and leaves nothing.
@Suite(.serialized) struct InterruptionTests {
    private let folder: TemporaryDirectory
    private static let model = Synthetic()

    /// A model of zeros in a sparse file that takes long to evaluate.
    private final class Synthetic: Sendable {
        let folder: TemporaryDirectory?

        init() {
            folder = try? TemporaryDirectory(isOnDisk: true)
            var model = SyntheticModel()
            (model.hidden, model.intermediate, model.layers, model.vocabulary) = (2048, 8192, 24, 8000)
            model.isSparse = true
            _ = try? model.write(to: path)
        }

        var path: String { folder?("m") ?? "" }
    }

    init() throws {
        folder = try TemporaryDirectory(isOnDisk: true)
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        let line = "[" + (0..<300).map { "\($0)" }.joined(separator: ",") + "]\n"
        // So much that no machine has read it before it is told to stop.
        try Files.write(String(repeating: line, count: 100), to: folder("data.jsonl"))
    }

    /// Whether a process has a handler for SIGTERM by now.
    private func listens(_ process: Process) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
        let mask = line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
        return mask & 1 << (SIGTERM - 1) != 0
    }

    /// Starts a command, lets it work for a while, sends signals and gives what came of it and how long that took.
    private func interrupt(
        _ words: [String], _ signals: [Int32], after: Duration
    ) throws -> (code: Int32, killed: Bool, time: Duration) {
        let process = try CommandRunner.start(words)
        while process.isRunning, !listens(process) { CommandRunner.pause(.milliseconds(5)) }
        CommandRunner.pause(after)
        let started = ContinuousClock.now
        for signal in signals {
            kill(process.processIdentifier, signal)
            if signals.count > 1 { CommandRunner.pause(.milliseconds(150)) }
        }
        process.waitUntilExit()
        return (process.terminationStatus, process.terminationReason == .uncaughtSignal, ContinuousClock.now - started)
    }

    @Test(arguments: [
        (["verify", "M", "M", "--tokens", "D"], SIGINT), (["verify", "M", "M", "--weights-only"], SIGHUP),
        (["evaluate", "M", "--data", "D", "--metric", "loss"], SIGTERM),
        (["generate", "M", "--prompt", "1,2,3", "--count", "1000000"], SIGHUP),
        (["bench", "forward", "M", "--tokens", "5000"], SIGINT),
        (["bench", "memory", "--work", "W", "--gigabytes", "30"], SIGTERM),
        (["bench", "forward", "--work", "W"], SIGHUP), (["demo", "M", "--work", "W"], SIGINT),
        (["bench", "protect", "M", "--work", "W", "--quiet"], SIGTERM),
    ])
    func longCommandsListen(words: [String], signal: Int32) throws {
        let words = words.map {
            switch $0 {
            case "M": Self.model.path
            case "D": folder("data.jsonl")
            case "W": folder.path
            default: $0
            }
        }
        let outcome = try interrupt(words, [signal], after: .milliseconds(300))
        #expect(outcome.code == 128 + signal && !outcome.killed, "\(words): \(outcome)")
        // A second, and what a busy machine adds.
        #expect(outcome.time < .seconds(3), "\(words): \(outcome.time)")
        #expect(Files.names(in: folder.path) == ["data.jsonl", "key"], "\(words)")
    }

    /// The first signal asks, the second does not; what the hasty end leaves the next run clears.
    @Test func aSecondSignalEndsAtOnce() throws {
        let words = ["protect", Self.model.path, "-o", folder("o"), "--method", "mergelock", "--key", folder("key")]
        let outcome = try interrupt(words, [SIGTERM, SIGINT], after: .milliseconds(300))
        #expect([143, 130].contains(outcome.code) && !outcome.killed)
        #expect(!Files.exists(folder("o")))
    }

    /// A terminal that closes sends SIGHUP more than once, `timeout` SIGTERM twice: one request.
    @Test(arguments: [SIGHUP, SIGTERM])
    func repeatedSignalsLeaveNothing(signal: Int32) throws {
        let words = ["protect", Self.model.path, "-o", folder("o"), "--method", "mergelock", "--key", folder("key")]
        let process = try CommandRunner.start(words)
        while !Files.exists(folder(".o.mergeproof-partial")), process.isRunning {
            CommandRunner.pause(.milliseconds(1))
        }
        kill(process.processIdentifier, signal)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationStatus == 128 + signal && process.terminationReason == .exit)
        #expect(Files.names(in: folder.path) == ["data.jsonl", "key"])
    }

    /// As under `nohup`.
    @Test func hangupsThatTheParentIgnoresStayIgnored() throws {
        let outcome = try CommandRunner.shell(
            "trap '' HUP; (for i in 1 2 3 4 5 6 7 8; do kill -HUP $$; sleep 0.02; done) >/dev/null 2>&1 & exec $MP families"
        )
        #expect(outcome.code == 0)
    }

    /// A limit on the size of files is an error like any other.
    @Test func limitsOnFilesLeaveNothing() throws {
        let outcome = try CommandRunner.shell(
            "ulimit -f 100; $MP protect \(Self.model.path) -o \(folder("o")) --method lossless --key \(folder("key"))")
        #expect(outcome.code == 1 && outcome.errors.contains("ulimit -f"), "\(outcome.errors)")
        #expect(Files.names(in: folder.path) == ["data.jsonl", "key"])
    }
}
