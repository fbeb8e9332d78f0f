import Checkpoints
import Foundations
import Protections
import TestSupport
import Testing

/// Benchmarks on tiny models: which rows there are, and what they hold.
@Suite struct BenchTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// What is measured of each method besides its defaults.
    private static let more = [
        "lossless": ["lossless --sites all"], "full": ["full --residual hadamard", "full --residual rotation"],
    ]
    private static let locks = ProtectionMethod.locks.flatMap { [$0.name] + (more[$0.name] ?? []) }

    private func report(_ words: String...) throws -> JSONValue {
        let outcome = try CommandRunner.run(["bench"] + words + ["--work", folder.path, "--quiet", "--json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(Files.names(in: folder.path).isEmpty)
        return try JSONDocument(parsing: Array(outcome.output.utf8)).root
    }

    @Test func everyLockIsTimed() throws {
        let commands = try #require(
            try report("protect", Fixtures.path("llama"), "--rounds", "1", "--threads", "1")["commands"]?.array)
        #expect(
            commands.map { $0["command"]?.string } == ["cp -r && sync"]
                + Self.locks.map { "protect \($0)" })
        for command in commands {
            let isRotation = command["command"]?.string?.hasSuffix("rotation") == true
            #expect((command["product_operations"]?.double ?? 0 > 0) == isRotation)
            #expect((command["median_share_of_raw_product_rate"]?.double ?? 0 > 0) == isRotation)
        }
    }

    @Test func whatCannotBeTurnedIsSaid() throws {
        let report = try report("protect", Fixtures.path("bert"), "--rounds", "1")
        #expect(report["commands"]?.array?.count == 1 + Self.locks.filter { !$0.contains("--residual") }.count)
        #expect(report["not_turned"]?.string?.isEmpty == false)
    }

    @Test func displacementIsToldByTypeAndLock() throws {
        let report = try report("displacement", Fixtures.path("bert"), "--keys", "1", "--types", "f32,f16")
        let locks = try #require(report["locks"]?.array)
        #expect(
            locks.compactMap { $0["type"]?.string }
                == ["f32", "f16"].flatMap { type in Self.locks.map { _ in type } })
        for lock in locks {
            let turns = lock["lock"]?.string?.contains("--residual") == true
            #expect((lock["reason"]?.string != nil) == turns && (lock["measured"]?.isNull == true) == turns)
            #expect(turns || lock["measured"]?["same_function"]?.bool == true)
        }
    }
}
