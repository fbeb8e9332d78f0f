import Foundations

/// The members of an object of a receipt: all that there are are known, and each that must be there is.
struct ReceiptMembers {
    private let object: JSONObject
    private let file: String
    /// Before the names of members in messages: `predicate.key.`
    private let prefix: String

    /// - Parameters:
    ///   - names: of all members that must be there.
    ///   - optional: of those that may be.
    init(
        _ value: JSONValue?, _ names: [String], optional: [String] = [], file: String, prefix: String = ""
    ) throws(ReceiptError) {
        (self.file, self.prefix) = (file, prefix)
        guard let object = value?.object else {
            throw .field(file: file, field: prefix.isEmpty ? "the whole" : String(prefix.dropLast()))
        }
        if let stray = object.members.first(where: { !(names + optional).contains($0.key) }) {
            throw .unknownField(file: file, field: prefix + stray.key)
        }
        if let missing = names.first(where: { object[$0] == nil }) { throw .field(file: file, field: prefix + missing) }
        self.object = object
    }

    subscript(_ name: String) -> JSONValue? { object[name] }

    private func required<T>(_ value: T?, _ name: String) throws(ReceiptError) -> T {
        guard let value else { throw .field(file: file, field: prefix + name) }
        return value
    }

    func string(_ name: String) throws(ReceiptError) -> String { try required(object[name]?.string, name) }
    func bool(_ name: String) throws(ReceiptError) -> Bool { try required(object[name]?.bool, name) }
    func int(_ name: String) throws(ReceiptError) -> Int { try required(object[name]?.int, name) }
    func isNull(_ name: String) throws(ReceiptError) -> Bool { try required(object[name]?.isNull, name) }

    /// Nil for null.
    func number(_ name: String) throws(ReceiptError) -> Double? {
        try isNull(name) ? nil : try required(object[name]?.double.flatMap { $0.isFinite ? $0 : nil }, name)
    }

    func members(
        _ name: String, _ names: [String], optional: [String] = []
    ) throws(ReceiptError) -> ReceiptMembers {
        try ReceiptMembers(object[name], names, optional: optional, file: file, prefix: prefix + name + ".")
    }

    func list<T>(
        _ name: String, of names: [String], optional: [String] = [],
        _ read: (ReceiptMembers) throws(ReceiptError) -> T
    ) throws(ReceiptError) -> [T] {
        var items: [T] = []
        for (number, value) in try required(object[name]?.array, name).enumerated() {
            items.append(
                try read(
                    ReceiptMembers(value, names, optional: optional, file: file, prefix: "\(prefix)\(name)[\(number)].")
                ))
        }
        return items
    }

    /// Files by names that stay inside a directory, none of them twice.
    func digests(_ name: String) throws(ReceiptError) -> [FileDigest] {
        var seen: Set<[UInt8]> = []
        return try list(name, of: ["name", "digest"]) { (file) throws(ReceiptError) in
            let path = try file.string("name")
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !["", ".", ".."].contains($0) }), !path.utf8.contains(0),
                seen.insert(Array(path.utf8)).inserted
            else { throw .field(file: self.file, field: file.prefix + "name") }
            let digest = try file.members("digest", ["sha256"])
            let text = try digest.string("sha256")
            let isDigest =
                text.utf8.count == 64
                && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            guard isDigest else { throw .field(file: self.file, field: digest.prefix + "sha256") }
            return FileDigest(name: path, sha256: text)
        }
    }
}
