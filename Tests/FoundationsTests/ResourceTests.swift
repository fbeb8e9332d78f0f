import Foundations
import Glibc
import TestSupport
import Testing

/// Threads and cores, and time on hostile files.
@Suite struct ResourceTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    @Test func countsOfThreadsAreBounded() {
        #expect(WorkerThreads.count(Int.max) == WorkerThreads.most && WorkerThreads.count(Int.min) == 1)
        #expect(WorkerThreads.count(3) == 3 && WorkerThreads.count(nil) == WorkerThreads.availableCores)
        #expect((1...Int(sysconf(Int32(_SC_NPROCESSORS_CONF)))).contains(WorkerThreads.availableCores))
    }

    @Test func controlGroupsLimitCores() throws {
        for path in ["a", "a/b"] { try Files.makeDirectory(folder(path)) }
        try Files.write("1:cpu:/else\n0::/a/b\n", to: folder("cgroup"))
        func quota() -> Int? { WorkerThreads.quota(root: folder.path, membership: folder("cgroup")) }
        #expect(quota() == nil)
        try Files.write("max 100000\n", to: folder("a/b/cpu.max"))
        #expect(quota() == nil)
        try Files.write("350000 100000\n", to: folder("a/cpu.max"))
        #expect(quota() == 4)
        try Files.write("50000 100000\n", to: folder("a/b/cpu.max"))
        #expect(quota() == 1)
        try Files.write("9223372036854775807 1\n", to: folder("a/b/cpu.max"))
        #expect(quota() == 4)
        #expect(WorkerThreads.quota(root: folder.path, membership: folder("none")) == nil)
    }

    @Test func manyMembersAreFoundInLinearTime() throws {
        let count = 200_000
        let text = "{" + (0..<count).map { "\"key \($0)\":\($0)" }.joined(separator: ",") + "}"
        let started = ContinuousClock.now
        var object = try #require(try JSONDocument(parsing: Array(text.utf8)).root.object)
        for number in 0..<count where object["key \(number)"]?.int != number { Issue.record("key \(number)") }
        for number in 0..<1000 { object["new \(number)"] = .int(number) }
        #expect(object["new 999"]?.int == 999 && object["none"] == nil)
        // One by one this takes minutes.
        #expect(ContinuousClock.now - started < .seconds(60))
    }

    @Test func objectsOfAnySizeAreAlike() {
        for count in [1, 16, 17, 40] {
            var object = JSONObject((0..<count).map { ("\($0)", .int($0)) } + [("0", .int(-1))])
            #expect(object["0"]?.int == 0)
            object["0"] = nil
            #expect(object["0"]?.int == -1 && object.members.count == count)
            object["a"] = .null
            object["0"] = .int(7)
            #expect(object["a"] == .null && object["0"]?.int == 7 && object.members.count == count + 1)
            object["e\u{301}"] = .int(1)
            #expect(object["\u{e9}"] == nil && object["e\u{301}"]?.int == 1)
            var twin = JSONObject()
            for member in object.members { twin[member.key] = member.value }
            #expect(twin == object)
        }
    }

    @Test func keysOfEndlessMarksAreRefused() throws {
        let key = "e" + String(repeating: "\u{301}\u{316}", count: 100_000)
        #expect(throws: JSONFault.endlessKey(offset: 400_004)) {
            try JSONDocument(parsing: Array("{\"\(key)\":1}".utf8))
        }
        _ = try JSONDocument(parsing: Array("{\"\(key.unicodeScalars.prefix(31).map(String.init).joined())\":1}".utf8))
    }
}
