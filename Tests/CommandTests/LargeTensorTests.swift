import Evaluation
import Foundation
import TestSupport
import Testing

/// Memory is bounded by tiles, whatever the size of a tensor.
@Suite struct LargeTensorTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory(isOnDisk: true) }

    /// The most memory that a command holds while it runs, in bytes: what no file backs, and with mapped pages.
    private func peak(_ words: [String]) throws -> (anonymous: Int, resident: Int) {
        let process = try CommandRunner.start(words)
        var largest = (anonymous: 0, resident: 0)
        while process.isRunning {
            let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            func bytes(_ name: String) -> Int {
                let line = status?.split(separator: "\n").first { $0.hasPrefix(name) }
                return 1024 * (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0)
            }
            largest = (max(largest.anonymous, bytes("RssAnon:")), max(largest.resident, bytes("VmRSS:")))
            CommandRunner.pause(.milliseconds(2))
        }
        #expect(process.terminationStatus == 0, "\(words)")
        return largest
    }

    /// An embedding and a head of 205 MB each, which residual streams rewrite whole: in a fifth of that, and mapped pages and all in
    /// less than it; what tells of a turned stream is kept of all their rows, and stays in memory.
    @Test(arguments: [["lossless", "--sites", "all"], ["full"], ["full", "--residual", "hadamard"]])
    func tensorsLargerThanAllTiles(method: [String]) throws {
        var model = SyntheticModel()
        (model.hidden, model.intermediate, model.heads, model.keyValueHeads) = (512, 512, 8, 2)
        (model.layers, model.vocabulary) = (1, 200_000)
        _ = try model.write(to: folder("m"))
        let tensor = 2 * model.vocabulary * model.hidden
        let key = ["--key", folder("key"), "--threads", "2"]
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        for words in [
            ["protect", folder("m"), "-o", folder("p"), "--method"] + method + key,
            ["verify", folder("m"), folder("p"), "--weights-only", "--threads", "2"],
            ["restore", folder("p"), "-o", folder("r")] + key,
        ] {
            let keeps = words[0] == "verify" && method.contains("hadamard") ? tensor : 0
            let peak = try peak(words)
            #expect(peak.anonymous > 0 && peak.anonymous < tensor / 5 + keeps, "\(words): \(peak)")
            #expect(peak.resident < tensor + keeps, "\(words): \(peak)")
        }
    }
}
