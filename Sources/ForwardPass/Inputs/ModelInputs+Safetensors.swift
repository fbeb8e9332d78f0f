import Checkpoints
import Foundation
import Foundations

extension ModelInputs {
    /// Reads inputs from a safetensors file, under the names that transformers' models take: `input_ids`, `attention_mask`,
    /// `token_type_ids`, `decoder_input_ids` (I64 or I32; sequences x positions), `pixel_values` or `input_features` (any floating
    /// type; one array per sequence). Positions that the mask leaves out must lie at the end; they are dropped.
    public init(reading path: String) throws {
        let file = try Checkpoint(opening: path)
        let mask = try Self.integers("attention_mask", in: file)
        func sequences(_ name: String, masked: Bool) throws -> [[Int]] {
            let rows = try Self.integers(name, in: file)
            guard masked, !mask.isEmpty, !rows.isEmpty else { return rows }
            guard mask.map(\.count) == rows.map(\.count) else {
                throw InputError.shape(file: path, tensor: name, reason: "attention_mask has another shape")
            }
            return try zip(rows, mask).map { row, mask in
                let kept = mask.prefix { $0 != 0 }.count
                guard mask.dropFirst(kept).allSatisfy({ $0 == 0 }) else {
                    throw InputError.shape(
                        file: path, tensor: "attention_mask", reason: "padding must stand at the end of each sequence")
                }
                return Array(row.prefix(kept))
            }
        }
        self.init(
            tokens: try sequences("input_ids", masked: true), types: try sequences("token_type_ids", masked: true),
            decoderTokens: try sequences("decoder_input_ids", masked: false),
            pixels: try Self.arrays("pixel_values", in: file) + Self.arrays("input_features", in: file))
    }

    /// The class of each example: `labels`, one axis, I64 or I32; empty where there is none.
    public static func labels(reading path: String) throws -> [Int] {
        let file = try Checkpoint(opening: path)
        guard let record = file.tensors["labels"] else { return [] }
        guard record.shape.count == 1, record.type == .i64 || record.type == .i32 else {
            throw InputError.shape(
                file: path, tensor: "labels",
                reason: "expected I64 or I32 of one axis, found \(record.type.rawValue) \(record.shape)")
        }
        return values(of: record, in: file)
    }

    private static func values(of record: TensorRecord, in file: Checkpoint) -> [Int] {
        let bytes = file.bytes(of: record)
        return (0..<record.elementCount).map { place in
            record.type == .i64
                ? Int(bytes.loadUnaligned(fromByteOffset: 8 * place, as: Int64.self))
                : Int(bytes.loadUnaligned(fromByteOffset: 4 * place, as: Int32.self))
        }
    }

    private static func integers(_ name: String, in file: Checkpoint) throws -> [[Int]] {
        guard let record = file.tensors[name] else { return [] }
        guard record.shape.count == 2, record.type == .i64 || record.type == .i32 else {
            throw InputError.shape(
                file: file.path, tensor: name,
                reason: "expected I64 or I32 of two axes, found \(record.type.rawValue) \(record.shape)")
        }
        try refuseEmpty(record, in: file)
        let values = values(of: record, in: file)
        let width = record.shape[1]
        return (0..<record.shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    /// A tensor without elements may claim any number of rows.
    private static func refuseEmpty(_ record: TensorRecord, in file: Checkpoint) throws {
        guard record.elementCount == 0 else { return }
        throw InputError.shape(
            file: file.path, tensor: record.name, reason: "holds nothing: its shape is \(record.shape)")
    }

    private static func arrays(_ name: String, in file: Checkpoint) throws -> [PixelArray] {
        guard let record = file.tensors[name] else { return [] }
        guard (3...4).contains(record.shape.count), record.type.isComputable else {
            throw InputError.shape(
                file: file.path, tensor: name,
                reason: "expected floating values of three or four axes, found \(record.type.rawValue) \(record.shape)")
        }
        try refuseEmpty(record, in: file)
        let count = record.elementCount
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            if let target = buffer.baseAddress, let source = file.bytes(of: record).baseAddress {
                Float.widen(target, source, record.type, count)
            }
            filled = count
        }
        let shape = Array(record.shape.dropFirst())
        let size = shape.reduce(1, *)
        return (0..<record.shape[0]).map {
            PixelArray(shape: shape, values: Array(values[$0 * size..<($0 + 1) * size]))
        }
    }

    /// The examples of a file, joined: safetensors where its name ends so, JSON lines else.
    public init(readingExamples path: String) throws {
        if path.hasSuffix(".safetensors") { try self.init(reading: path) } else { try self.init(readingLines: path) }
    }

    /// The examples of a file of JSON lines, joined.
    public init(readingLines path: String) throws {
        self.init(joining: try Self.lines(reading: path).map(\.inputs))
    }

    /// Reads token ids from JSON lines: each line an array of ids, or an object with `input_ids`, perhaps `token_type_ids`,
    /// `decoder_input_ids` and `label`.
    public static func lines(reading path: String) throws -> [(inputs: ModelInputs, label: Int?)] {
        guard let text = FileManager.default.contents(atPath: path) else { throw InputError.unreadable(file: path) }
        var examples: [(inputs: ModelInputs, label: Int?)] = []
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let blanks = Set(" \t\r".utf8)
        for (number, line) in lines.enumerated() where !line.allSatisfy(blanks.contains) {
            func fault(_ reason: String) -> InputError { .line(file: path, line: number + 1, reason: reason) }
            guard let document = try? JSONDocument(parsing: Array(line)) else { throw fault("is not JSON") }
            func ids(_ value: JSONValue?) throws -> [Int]? {
                guard let value else { return nil }
                let ids = value.array?.compactMap(\.int) ?? []
                guard !ids.isEmpty, ids.count == value.array?.count else { throw fault("needs lists of whole numbers") }
                return ids
            }
            let root = document.root
            guard let tokens = try root.array == nil ? ids(root["input_ids"]) : ids(root) else {
                throw fault("has no input_ids")
            }
            let inputs = ModelInputs(
                tokens: [tokens], types: try ids(root["token_type_ids"]).map { [$0] } ?? [],
                decoderTokens: try ids(root["decoder_input_ids"]).map { [$0] } ?? [])
            guard inputs.types.isEmpty || inputs.types[0].count == tokens.count else {
                throw fault("has token_type_ids of another length")
            }
            let label = root["label"].flatMap { $0.isNull ? nil : $0 }
            guard label == nil || label?.int != nil else { throw fault("has a label that is no whole number") }
            examples.append((inputs, label?.int))
        }
        guard !examples.isEmpty else { throw InputError.unreadable(file: path) }
        return examples
    }
}

/// Why inputs could not be read.
public enum InputError: Error, Sendable, Equatable {
    case unreadable(file: String)
    case shape(file: String, tensor: String, reason: String)
    case line(file: String, line: Int, reason: String)
}

extension InputError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let file): "\(file): cannot be read or is empty; give a file with one example per line"
        case .shape(let file, let tensor, let reason): "\(file): tensor \(tensor): \(reason)"
        case .line(let file, let line, let reason): "\(file), line \(line): \(reason)"
        }
    }
}
