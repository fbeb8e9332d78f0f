import Checkpoints

/// Makes bytes of safetensors files, right ones and wrong ones, without using the code under test.
public struct SafetensorsBuilder {
    public var entries: [(name: String, type: String, shape: [Int], bytes: [UInt8])] = []
    public var metadata: String?
    /// Spaces after the header's JSON.
    public var padding = 0

    public init() {}

    /// Adds a tensor whose bytes follow from its name.
    public mutating func add(_ name: String, _ type: String, _ shape: [Int], byteCount: Int) {
        var state = name.utf8.reduce(UInt64(0x9e37_79b9_7f4a_7c15)) {
            ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        while bytes.count < byteCount {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            withUnsafeBytes(of: state) {
                bytes.append(contentsOf: $0.suffix(min(4, byteCount - bytes.count)))
            }
        }
        entries.append((name, type, shape, bytes))
    }

    public func build() -> [UInt8] {
        var members = metadata.map { ["\"__metadata__\":\($0)"] } ?? []
        var offset = 0
        for entry in entries {
            let shape = entry.shape.map(String.init).joined(separator: ", ")
            members.append(
                "\"\(entry.name)\":{\"dtype\":\"\(entry.type)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(offset + entry.bytes.count)]}")
            offset += entry.bytes.count
        }
        let header = "{" + members.joined(separator: ",") + "}" + String(repeating: " ", count: padding)
        return Self.file(header: header, data: entries.flatMap(\.bytes))
    }

    /// A file with any header text and any data.
    public static func file(header: String, data: [UInt8] = []) -> [UInt8] {
        file(headerBytes: Array(header.utf8), data: data)
    }

    public static func file(headerBytes: [UInt8], length: UInt64? = nil, data: [UInt8] = []) -> [UInt8] {
        let length = length ?? UInt64(headerBytes.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + headerBytes + data
    }
}
