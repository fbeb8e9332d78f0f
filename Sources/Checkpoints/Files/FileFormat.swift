/// What a file's first bytes tell of its format.
enum FileFormat: Equatable {
    /// Made to hold weights, or anything at all (archives, databases, programs).
    case weights(String)
    /// Pictures, sound, fonts, printed pages.
    case media

    private struct Signature {
        let offset: Int
        let bytes: [UInt8]
        let format: FileFormat

        init(_ format: FileFormat, _ text: String, at offset: Int = 0) {
            (self.format, self.bytes, self.offset) = (format, Array(text.utf8), offset)
        }

        init(_ format: FileFormat, bytes: [UInt8], at offset: Int = 0) {
            (self.format, self.bytes, self.offset) = (format, bytes, offset)
        }

        /// Text may begin with the letters of a signature; then no control byte follows.
        func matches(_ file: UnsafeRawBufferPointer) -> Bool {
            let end = offset + bytes.count
            return file.count >= end && file[offset..<end].elementsEqual(bytes)
                && (bytes.contains { $0 < 0x09 || $0 > 0x7e } || file.prefix(512).contains { $0 < 0x09 })
        }
    }

    private static let signatures: [Signature] =
        [
            ("zip", [0x50, 0x4b, 0x03, 0x04]), ("zip", [0x50, 0x4b, 0x05, 0x06]), ("gzip", [0x1f, 0x8b]),
            ("compress", [0x1f, 0x9d]), ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), ("lzma", [0x5d, 0x00, 0x00]),
            ("zstd", [0x28, 0xb5, 0x2f, 0xfd]), ("lz4", [0x04, 0x22, 0x4d, 0x18]),
            ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), ("rar", [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]),
            ("zlib", [0x78, 0x01]), ("zlib", [0x78, 0x9c]), ("zlib", [0x78, 0xda]),
            ("NumPy", [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]), ("ELF", [0x7f, 0x45, 0x4c, 0x46]),
            ("Mach-O", [0xcf, 0xfa, 0xed, 0xfe]), ("Mach-O", [0xca, 0xfe, 0xba, 0xbe]),
        ].map { Signature(.weights($0.0), bytes: $0.1) }
        + [
            ("GGUF", "GGUF"), ("GGML", "lmgg"), ("GGML", "ggml"), ("GGML", "fmgg"), ("GGML", "tjgg"), ("GGML", "algg"),
            ("SQLite", "SQLite format 3\0"), ("Parquet", "PAR1"), ("Arrow", "ARROW1"), ("ar", "!<arch>\n"),
            ("git pack", "PACK\0"), ("TensorRT", "ftrt"), ("RKNN", "RKNN"), ("MATLAB", "MATLAB 5.0"),
        ].map { Signature(.weights($0.0), $0.1) }
        + [
            Signature(.weights("bzip2"), "1AY&SY", at: 4), Signature(.weights("TensorFlow Lite"), "TFL3", at: 4),
            Signature(.weights("ONNX Runtime"), "ORTM", at: 4),
            Signature(.weights("ExecuTorch"), "ET12", at: 4), Signature(.weights("tar"), "ustar", at: 257),
        ]
        + [0, 512, 1024, 2048].map {
            Signature(.weights("HDF5"), bytes: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], at: $0)
        }
        + [
            Signature(.media, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
            Signature(.media, bytes: [0xff, 0xd8, 0xff]), Signature(.media, "GIF8"), Signature(.media, "WEBP", at: 8),
            Signature(.media, "WAVE", at: 8), Signature(.media, "OggS"), Signature(.media, "ID3"),
            Signature(.media, "fLaC"), Signature(.media, "%PDF-"), Signature(.media, "wOFF"), Signature(.media, "wOF2"),
            Signature(.media, "ftyp", at: 4),
        ]

    init?(_ bytes: UnsafeRawBufferPointer) {
        if Self.isSafetensors(bytes) {
            self = .weights("safetensors")
        } else if Self.isPickle(bytes) {
            self = .weights("pickle")
        } else if let known = Self.signatures.first(where: { $0.matches(bytes) }) {
            self = known.format
        } else {
            return nil
        }
    }

    /// Also true of a file that was cut off.
    private static func isSafetensors(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > 8, bytes[8] == UInt8(ascii: "{") else { return false }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        return length >= 2 && length <= UInt64(SafetensorsHeader.maximumLength)
    }

    /// Protocols 2 to 5 begin with their number, the older ones with a class, a mark or an empty list or dictionary.
    private static func isPickle(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.count > 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) { return true }
        guard bytes.last == UInt8(ascii: ".") else { return false }
        let lines = bytes.prefix(256).split(separator: 0x0a, maxSplits: 3, omittingEmptySubsequences: false)
        guard let first = lines.first, let code = first.first else { return false }
        func names(_ line: some Collection<UInt8>, _ texts: String...) -> Bool {
            texts.contains { line.elementsEqual($0.utf8) }
        }
        switch code {
        case UInt8(ascii: "("): return names(first, "(dp0", "(lp0", "(dp1", "(lp1")
        case UInt8(ascii: "}"), UInt8(ascii: "]"): return first.dropFirst().starts(with: [UInt8(ascii: "q"), 0])
        case UInt8(ascii: "c"):
            return lines.count > 2 && (names(lines[2], "p0", "p1") || lines[2].starts(with: [UInt8(ascii: "q"), 0]))
        default: return false
        }
    }

    private static let pickleSuffixes = [
        ".bin", ".pt", ".pth", ".pt2", ".ckpt", ".pkl", ".pickle", ".joblib", ".distcp",
    ]
    private static let otherSuffixes = [
        ".safetensors", ".safetensors.index.json", ".bin.index.json", ".h5", ".h5.index.json", ".hdf5", ".keras",
        ".msgpack",
        ".msgpack.index.json", ".onnx", ".onnx_data", ".onnx.data", ".ort", ".gguf", ".ggml", ".tflite", ".pte",
        ".mlmodel",
        ".pb", ".npz", ".npy", ".ot", ".nemo", ".engine", ".llamafile", ".tar", ".tgz", ".gz", ".bz2", ".zip", ".7z",
        ".xz", ".zst", ".rar", ".lz4",
    ]

    /// The format that a name promises, where it is one that holds weights.
    static func promised(by name: String) -> String? {
        if isPickle(name) { return "pickle by its name" }
        let name = name.lowercased()
        if name.contains(".ckpt.") || name.contains(".data-0") { return "TensorFlow by its name" }
        return otherSuffixes.first { name.hasSuffix($0) }.map { "\($0) by its name" }
    }

    static func isPickle(_ name: String) -> Bool {
        let name = name.lowercased()
        return pickleSuffixes.contains { name.hasSuffix($0) }
    }
}
