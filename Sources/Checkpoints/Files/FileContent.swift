/// Judges by its content whether a file may be copied beside protected weights, or could hold weights itself.
enum FileContent {
    /// Up to here a file of no known kind is copied whatever it holds.
    static let smallBytes = 64 << 10
    /// Up to here text of any name is copied.
    static let textBytes = 4 << 20
    static let mediaBytes = 16 << 20
    /// Up to here vocabularies are copied: the largest in use have some tens of megabytes.
    static let vocabularyBytes = 128 << 20

    /// Nil for a file to copy.
    static func omission(_ bytes: UnsafeRawBufferPointer, named name: String) -> Omission? {
        switch FileFormat(bytes) {
        case .weights(let format): return .holdsWeights(format: format)
        case .media where bytes.count <= mediaBytes: return nil
        case .media: return .unknown(bytes: bytes.count)
        case nil: break
        }
        guard bytes.count > smallBytes else { return nil }
        if isSentencePiece(name), bytes.count <= vocabularyBytes, SentencePieceModel.isPlausible(bytes) { return nil }
        guard bytes.count <= (isVocabulary(name) ? vocabularyBytes : textBytes) else {
            return .unknown(bytes: bytes.count)
        }
        let census = ByteCensus(bytes)
        guard census.isText else { return .unknown(bytes: bytes.count) }
        // Whisper's preprocessor_config.json holds its filters: some hundred kilobytes of numbers.
        let isConfiguration = name.hasSuffix("config.json") && bytes.count <= textBytes
        return census.isEncoded && !isConfiguration ? .encodedNumbers(bytes: bytes.count) : nil
    }

    private static let vocabularies: Set = [
        "tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "vocab.bpe", "vocab-src.json",
        "vocab-tgt.json",
        "merges.txt", "encoder.json", "bpe.codes", "dict.txt", "added_tokens.json", "special_tokens_map.json",
        "tekken.json",
        "config.json",
    ]

    private static func isVocabulary(_ name: String) -> Bool {
        vocabularies.contains(name) || name.hasSuffix(".tiktoken")
    }

    private static func isSentencePiece(_ name: String) -> Bool {
        name.hasSuffix(".spm") || name.hasSuffix(".model") || name.hasPrefix("tokenizer.model.v")
    }
}

/// How often which kinds of bytes occur in a file.
struct ByteCensus {
    private var count = 0
    private var control = 0
    private var blank = 0
    /// Bytes that lists of numbers and hexadecimal dumps consist of.
    private var numeric = 0
    /// Letters, digits, + / = - _
    private var base64 = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        var histogram = [Int](repeating: 0, count: 256)
        histogram.withUnsafeMutableBufferPointer { histogram in
            for byte in bytes { histogram[Int(byte)] += 1 }
        }
        count = bytes.count
        for (byte, times) in histogram.enumerated() where times > 0 {
            switch UInt8(byte) {
            case 0x09, 0x0a, 0x0c, 0x0d, 0x20:
                blank += times
                numeric += times
            case 0..<0x20, 0x7f: control += times
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                numeric += times
                base64 += times
            case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "("),
                UInt8(ascii: ")"):
                numeric += times
            case UInt8(ascii: "g")...UInt8(ascii: "z"), UInt8(ascii: "G")...UInt8(ascii: "Z"), UInt8(ascii: "/"),
                UInt8(ascii: "="), UInt8(ascii: "_"):
                base64 += times
            default: break
            }
        }
    }

    /// Words and lines in some encoding without zero bytes.
    var isText: Bool { control * 1000 <= count }

    /// Hardly anything but numbers, or bytes written as letters: what prose and vocabularies never are.
    var isEncoded: Bool {
        numeric * 100 >= count * 95 || ((base64 + blank) * 100 >= count * 98 && blank * 100 < count * 3)
    }
}

/// The format of sentencepiece models: a protocol buffer with the pieces as field 1, settings in fields 2 to 5.
enum SentencePieceModel {
    private static let maximumPiece = 4096
    private static let maximumSettings = 4 << 20

    static func isPlausible(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < bytes.count {
            let tag = bytes[position]
            position += 1
            guard tag & 7 == 2, (1...5).contains(tag >> 3), let length = varint(bytes, &position),
                length <= bytes.count - position, length <= (tag >> 3 > 1 ? maximumSettings : maximumPiece)
            else { return false }
            position += length
        }
        return true
    }

    /// A base-128 number of at most 28 bits.
    private static func varint(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, through: 21, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
