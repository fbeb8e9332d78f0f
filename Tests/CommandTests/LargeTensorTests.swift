import Evaluation
import Foundation
import TestSupport
import Testing

/// Memory is bounded by tiles, whatever the size of a tensor.
@Suite struct LargeTensorTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// The most memory that no file backs while a command runs, in bytes.
    private func peak(_ words: [String]) throws -> Int {
        let process = try CommandRunner.start(words)
        var largest = 0
        while process.isRunning {
            let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            let line = status?.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
            let kilobytes = line?.split(separator: " ").compactMap { Int($0) }.first ?? 0
            largest = max(largest, 1024 * kilobytes)
            CommandRunner.pause(.milliseconds(2))
        }
        #expect(process.terminationStatus == 0, "\(words)")
        return largest
    }

    /// An embedding and a head of 205 MB each, which residual streams rewrite whole, in a fifth of that.
    @Test(arguments: [["lossless", "--sites", "all"], ["full"]])
    func tensorsLargerThanAllTiles(method: [String]) throws {
        var model = SyntheticModel()
        (model.hidden, model.intermediate, model.heads, model.keyValueHeads) = (512, 512, 8, 2)
        (model.layers, model.vocabulary) = (1, 200_000)
        _ = try model.write(to: folder("m"))
        let bound = 2 * model.vocabulary * model.hidden / 5
        let key = ["--key", folder("key"), "--threads", "2"]
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        let protecting = try peak(["protect", folder("m"), "-o", folder("p"), "--method"] + method + key)
        #expect(protecting > 0 && protecting < bound, "\(protecting)")
        let restoring = try peak(["restore", folder("p"), "-o", folder("r")] + key)
        #expect(restoring > 0 && restoring < bound, "\(restoring)")
    }
}
