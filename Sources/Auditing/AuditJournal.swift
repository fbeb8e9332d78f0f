import Checkpoints
import Foundation

/// What an audit has found so far, one line for each finding: a run that was stopped goes on from there.
///
/// A finding's key says all that it depends on. Lines of other keys are left alone, so that a changed configuration takes what it still can.
package final class AuditJournal {
    private struct Line<Value: Codable>: Codable {
        let key: String
        let value: Value
    }

    private struct Key: Decodable { let key: String }

    private let path: String
    private var lines: [String: Data] = [:]

    /// - Parameter path: of a file, which may be there; what can't be read in it is found once more.
    package init(_ path: String) {
        self.path = path
        let data = FileManager.default.contents(atPath: path) ?? Data()
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let key = try? JSONDecoder().decode(Key.self, from: line) else { continue }
            lines[key.key] = line
        }
    }

    /// What was found under a key, or is found now.
    func value<Value: Codable>(_ key: String, _ find: () throws -> Value) throws -> Value {
        if let line = lines[key], let known = try? JSONDecoder().decode(Line<Value>.self, from: line) {
            return known.value
        }
        let value = try find()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try append(try encoder.encode(Line(key: key, value: value)) + Data("\n".utf8))
        return value
    }

    /// Begins on a line of its own also where an earlier run was ended in the middle of one.
    private func append(_ line: Data) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) ?? Self.new(path) else {
            throw CheckpointError.systemCall(call: "open", path: path, code: errno)
        }
        defer { try? file.close() }
        let end = try file.seekToEnd()
        var start = Data()
        if end > 0 {
            try file.seek(toOffset: end - 1)
            if try file.read(upToCount: 1) != Data("\n".utf8) { start = Data("\n".utf8) }
        }
        try file.write(contentsOf: start + line)
    }

    private static func new(_ path: String) -> FileHandle? {
        FileManager.default.createFile(atPath: path, contents: nil) ? FileHandle(forUpdatingAtPath: path) : nil
    }
}
