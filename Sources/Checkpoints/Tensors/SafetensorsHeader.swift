import Foundations

/// The header of a safetensors file: 8 bytes of little-endian length, then JSON, then the tensors' bytes without hole or
/// overlap. Every rule of the format is checked here.
public struct SafetensorsHeader: Sendable, Equatable {
    public static let maximumLength = 100_000_000
    static let metadataKey = "__metadata__"

    /// Length prefix and JSON as they stand in the file.
    public let bytes: [UInt8]
    public let metadata: JSONValue?
    /// In the order of their data.
    public let tensors: [TensorRecord]

    /// - Parameters:
    ///   - file: the whole file; of the data only the size is looked at.
    ///   - shard: the index that the records shall carry.
    public init(parsing file: UnsafeRawBufferPointer, shard: Int = 0) throws(HeaderFault) {
        guard file.count >= 8 else { throw .fileTooSmall(bytes: file.count) }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.maximumLength) else { throw .headerTooLarge(length: length) }
        let dataStart = 8 + Int(length)
        guard dataStart <= file.count else { throw .headerBeyondFile(length: Int(length), fileSize: file.count) }
        guard length > 0, file[8] == UInt8(ascii: "{") else { throw .headerStart(found: length > 0 ? file[8] : 0) }
        let root: JSONValue
        do throws(JSONFault) {
            root = try JSONParser.parse(UnsafeRawBufferPointer(rebasing: file[8..<dataStart]))
        } catch { throw .json(error) }
        bytes = Array(file[0..<dataStart])
        guard case .object(let object) = root else { throw .headerStart(found: file[8]) }

        metadata = object[Self.metadataKey]
        try Self.checkMetadata(metadata)
        var records: [TensorRecord] = []
        for member in object.members where member.key != Self.metadataKey {
            records.append(try Self.record(member.key, member.value, shard: shard, dataStart: dataStart))
        }
        records.sort {
            ($0.dataRange.lowerBound, $0.dataRange.upperBound) < ($1.dataRange.lowerBound, $1.dataRange.upperBound)
        }
        try Self.checkContiguity(records, dataStart: dataStart, fileSize: file.count)
        tensors = records
    }

    private static func checkMetadata(_ metadata: JSONValue?) throws(HeaderFault) {
        guard let metadata else { return }
        guard let members = metadata.object?.members else { throw .metadataNotStrings(key: metadataKey) }
        if let odd = members.first(where: { $0.value.string == nil }) { throw .metadataNotStrings(key: odd.key) }
    }

    private static func record(
        _ name: String, _ value: JSONValue, shard: Int, dataStart: Int
    ) throws(HeaderFault) -> TensorRecord {
        guard !name.isEmpty else { throw .emptyName }
        guard let info = value.object else { throw .tensorInfo(tensor: name, field: "its description") }
        if let odd = info.members.first(where: { !["dtype", "shape", "data_offsets"].contains($0.key) }) {
            throw .tensorInfo(tensor: name, field: "the field \"\(odd.key)\"")
        }
        guard let typeName = info["dtype"]?.string else { throw .tensorInfo(tensor: name, field: "dtype") }
        guard let type = ElementType(rawValue: typeName) else { throw .unknownType(tensor: name, type: typeName) }
        guard let shape = naturals(info["shape"]) else { throw .tensorInfo(tensor: name, field: "shape") }
        guard let offsets = naturals(info["data_offsets"]), offsets.count == 2 else {
            throw .tensorInfo(tensor: name, field: "data_offsets")
        }
        guard offsets[0] <= offsets[1] else { throw .reversedOffsets(tensor: name) }

        var bits = type.bitWidth
        for extent in shape {
            let (product, overflow) = bits.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw .sizeOverflow(tensor: name) }
            bits = product
        }
        guard bits % 8 == 0 else { throw .misaligned(tensor: name, bits: bits) }
        guard bits / 8 == offsets[1] - offsets[0] else {
            throw .sizeMismatch(tensor: name, expected: bits / 8, found: offsets[1] - offsets[0])
        }
        let (begin, beginOverflow) = offsets[0].addingReportingOverflow(dataStart)
        let (end, endOverflow) = offsets[1].addingReportingOverflow(dataStart)
        guard !beginOverflow, !endOverflow else { throw .sizeOverflow(tensor: name) }
        return TensorRecord(name: name, type: type, shape: shape, shard: shard, dataRange: begin..<end)
    }

    private static func naturals(_ value: JSONValue?) -> [Int]? {
        guard let values = value?.array else { return nil }
        let numbers = values.compactMap(\.int).filter { $0 >= 0 }
        return numbers.count == values.count ? numbers : nil
    }

    private static func checkContiguity(
        _ records: [TensorRecord], dataStart: Int, fileSize: Int
    ) throws(HeaderFault) {
        var expected = dataStart
        for record in records {
            let (found, place) = (record.dataRange.lowerBound - dataStart, expected - dataStart)
            if found > place { throw .hole(tensor: record.name, expected: place, found: found) }
            if found < place { throw .overlap(tensor: record.name, expected: place, found: found) }
            expected = record.dataRange.upperBound
        }
        guard expected == fileSize else {
            throw .dataSize(expected: expected - dataStart, found: fileSize - dataStart)
        }
    }
}
