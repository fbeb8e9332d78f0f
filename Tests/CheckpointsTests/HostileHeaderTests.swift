import Checkpoints
import TestSupport
import Testing

/// Every rule of the format, broken alone; each must end in its own error. After the errors of the safetensors library and its
/// folder of attacks.
@Suite struct HostileHeaderTests {
    private func parse(_ bytes: [UInt8]) throws(HeaderFault) -> SafetensorsHeader {
        try bytes.withUnsafeBufferPointer { (buffer) throws(HeaderFault) in
            try SafetensorsHeader(parsing: UnsafeRawBufferPointer(buffer))
        }
    }

    private static func tensor(
        _ name: String = "t", dtype: String = "\"U8\"", shape: String = "[4]", offsets: String = "[0,4]"
    ) -> String {
        "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    private func expect(
        _ fault: HeaderFault, header: String, data: Int = 4, at location: SourceLocation = #_sourceLocation
    ) {
        let bytes = SafetensorsBuilder.file(header: header, data: [UInt8](repeating: 7, count: data))
        #expect(throws: fault, sourceLocation: location) { try parse(bytes) }
        #expect(!"\(fault)".contains("\n") && "\(fault)".count > 20, sourceLocation: location)
    }

    @Test func whatIsRightIsRead() throws {
        _ = try parse(SafetensorsBuilder.file(header: "{" + Self.tensor() + "}", data: [1, 2, 3, 4]))
        _ = try parse(SafetensorsBuilder.file(header: "{" + Self.tensor() + "}   ", data: [1, 2, 3, 4]))
        _ = try parse(SafetensorsBuilder.file(header: "{}"))
        _ = try parse(SafetensorsBuilder.file(header: "{\"__metadata__\":{\"format\":\"pt\"}}"))
    }

    @Test func everyElementTypeIsKnownByItsBits() throws {
        for type in ElementType.allCases {
            var builder = SafetensorsBuilder()
            // Eight elements are whole bytes for every width.
            builder.add("t", type.rawValue, [2, 4], byteCount: type.bitWidth)
            #expect(try parse(builder.build()).tensors.first?.type == type)
        }
    }

    @Test func tensorsAreSortedByPlaceAndEmptyOnesAreLegal() throws {
        let text = """
            {"z":{"dtype":"U8","shape":[2],"data_offsets":[2,4]},"e":{"dtype":"F32","shape":[0,9],"data_offsets":[2,2]},\
            "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"s":{"dtype":"U8","shape":[],"data_offsets":[4,5]},\
            "end":{"dtype":"I64","shape":[0,1099511627776,1099511627776],"data_offsets":[5,5]}}
            """
        let header = try parse(SafetensorsBuilder.file(header: text, data: [1, 2, 3, 4, 5]))
        #expect(header.tensors.map(\.name) == ["a", "e", "z", "s", "end"])
        #expect(header.tensors.last?.matrixShape.columns == 0)
    }

    @Test func wrongLengths() {
        #expect(throws: HeaderFault.fileTooSmall(bytes: 0)) { try parse([]) }
        #expect(throws: HeaderFault.fileTooSmall(bytes: 7)) { try parse([1, 2, 3, 4, 5, 6, 7]) }
        #expect(throws: HeaderFault.headerStart(found: 0)) { try parse([0, 0, 0, 0, 0, 0, 0, 0]) }
        for length: UInt64 in [100_000_001, 1 << 63, .max] {
            #expect(throws: HeaderFault.headerTooLarge(length: length)) {
                try parse(SafetensorsBuilder.file(headerBytes: Array("{}".utf8), length: length))
            }
        }
        for length: UInt64 in [3, 100_000_000] {
            #expect(throws: HeaderFault.headerBeyondFile(length: Int(length), fileSize: 10)) {
                try parse(SafetensorsBuilder.file(headerBytes: Array("{}".utf8), length: length))
            }
        }
    }

    @Test func wrongText() {
        #expect(throws: HeaderFault.json(.invalidUTF8)) {
            try parse(SafetensorsBuilder.file(headerBytes: [0x7b, 0x22, 0xff, 0x22, 0x7d]))
        }
        expect(.headerStart(found: 0x20), header: " {}", data: 0)
        expect(.headerStart(found: 0x5b), header: "[]", data: 0)
        expect(.json(.unexpectedEnd), header: "{", data: 0)
        expect(.json(.trailingBytes(offset: 3)), header: "{} x", data: 0)
        expect(.json(.trailingBytes(offset: 2)), header: "{}\0", data: 0)
        expect(.json(.unexpectedByte(offset: 1)), header: "{x}", data: 0)
        let deep = String(repeating: "[", count: 100_000)
        expect(.json(.tooDeep(offset: 79)), header: "{\"__metadata__\":" + deep, data: 0)
    }

    @Test func wrongNames() {
        let two = Self.tensor() + "," + Self.tensor(offsets: "[4,8]")
        expect(.json(.duplicateKey("t")), header: "{\(two)}", data: 8)
        let spelled = Self.tensor() + "," + Self.tensor("\\u0074", offsets: "[4,8]")
        expect(.json(.duplicateKey("t")), header: "{\(spelled)}", data: 8)
        let equal = Self.tensor("\u{e9}") + "," + Self.tensor("e\u{301}", offsets: "[4,8]")
        expect(.json(.equivalentKeys("e\u{301}")), header: "{\(equal)}", data: 8)
        expect(.emptyName, header: "{\(Self.tensor(""))}")
        expect(.json(.duplicateKey("__metadata__")), header: "{\"__metadata__\":{},\"__metadata__\":{}}", data: 0)
    }

    @Test func wrongMetadata() {
        for text in ["null", "[]", "\"x\""] {
            expect(.metadataNotStrings(key: "__metadata__"), header: "{\"__metadata__\":\(text)}", data: 0)
        }
        expect(.metadataNotStrings(key: "a"), header: "{\"__metadata__\":{\"a\":1}}", data: 0)
        expect(.metadataNotStrings(key: "a"), header: "{\"__metadata__\":{\"a\":{}}}", data: 0)
        expect(
            .json(.duplicateKey("a")), header: "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", data: 0)
    }

    @Test func wrongFields() {
        func malformed(_ field: String, _ header: String, at location: SourceLocation = #_sourceLocation) {
            expect(.tensorInfo(tensor: "t", field: field), header: header, at: location)
        }
        for text in ["null", "[]", "1", "\"x\""] { malformed("its description", "{\"t\":\(text)}") }
        malformed("dtype", "{\"t\":{\"shape\":[4],\"data_offsets\":[0,4]}}")
        malformed("shape", "{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}")
        malformed("data_offsets", "{\"t\":{\"dtype\":\"U8\",\"shape\":[4]}}")
        let more = "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],"
        malformed("the field \"stride\"", "{\"t\":{\(more)\"stride\":[1]}}")
        expect(.json(.duplicateKey("shape")), header: "{\"t\":{\(more)\"shape\":[4]}}")
        expect(.unknownType(tensor: "t", type: "u8"), header: "{\(Self.tensor(dtype: "\"u8\""))}")
        malformed("dtype", "{\(Self.tensor(dtype: "8"))}")
        for shape in ["4", "[4.0]", "[4e0]", "[-4]", "[true]", "[\"4\"]", "[[4]]", "[9223372036854775808]"] {
            malformed("shape", "{\(Self.tensor(shape: shape))}")
        }
        for offsets in ["[0]", "[]", "[0,4,4]", "[0,4.0]", "[-1,3]", "{}", "[0,18446744073709551616]"] {
            malformed("data_offsets", "{\(Self.tensor(offsets: offsets))}")
        }
    }

    @Test func wrongSizes() {
        for shape in ["[4294967296,4294967296]", "[9223372036854775807]", "[4611686018427387904]"] {
            expect(.sizeOverflow(tensor: "t"), header: "{\(Self.tensor(shape: shape))}")
        }
        expect(
            .sizeOverflow(tensor: "t"),
            header: "{\(Self.tensor(shape: "[4294967296,4294967296,0]", offsets: "[0,0]"))}", data: 0)
        expect(.sizeMismatch(tensor: "t", expected: 5, found: 4), header: "{\(Self.tensor(shape: "[5]"))}")
        expect(.sizeMismatch(tensor: "t", expected: 16, found: 4), header: "{\(Self.tensor(dtype: "\"F32\""))}")
        expect(
            .misaligned(tensor: "t", bits: 12),
            header: "{\(Self.tensor(dtype: "\"F4\"", shape: "[3]", offsets: "[0,2]"))}")
        expect(
            .misaligned(tensor: "t", bits: 6),
            header: "{\(Self.tensor(dtype: "\"F6_E2M3\"", shape: "[]", offsets: "[0,1]"))}")
    }

    @Test func wrongPlaces() {
        expect(.reversedOffsets(tensor: "t"), header: "{\(Self.tensor(offsets: "[4,0]"))}")
        expect(.hole(tensor: "t", expected: 0, found: 2), header: "{\(Self.tensor(offsets: "[2,6]"))}", data: 6)
        let overlapping = Self.tensor() + "," + Self.tensor("u", offsets: "[2,6]")
        expect(.overlap(tensor: "u", expected: 4, found: 2), header: "{\(overlapping)}", data: 6)
        let holed = Self.tensor() + "," + Self.tensor("u", offsets: "[5,9]")
        expect(.hole(tensor: "u", expected: 4, found: 5), header: "{\(holed)}", data: 9)
        expect(.dataSize(expected: 4, found: 3), header: "{\(Self.tensor())}", data: 3)
        expect(.dataSize(expected: 4, found: 5), header: "{\(Self.tensor())}", data: 5)
        expect(.dataSize(expected: 0, found: 1), header: "{}", data: 1)
        let end = Self.tensor(shape: "[1]", offsets: "[9223372036854775806,9223372036854775807]")
        expect(.sizeOverflow(tensor: "t"), header: "{\(end)}")
        // Two tensors on the same bytes: whichever is second overlaps.
        let same = Self.tensor() + "," + Self.tensor("u")
        #expect {
            try parse(SafetensorsBuilder.file(header: "{\(same)}", data: [1, 2, 3, 4]))
        } throws: { error in
            guard case HeaderFault.overlap(_, 4, 0)? = error as? HeaderFault else { return false }
            return true
        }
    }

    /// A header made to cost time and memory must cost little.
    @Test(.timeLimit(.minutes(1))) func costlyHeadersEndSoon() {
        let axes = "[" + String(repeating: "1,", count: 500_000) + "1]"
        expect(.sizeMismatch(tensor: "t", expected: 1, found: 4), header: "{\(Self.tensor(shape: axes))}")
        let keys = (0..<50_000).map { Self.tensor("k\($0)", shape: "[0]", offsets: "[0,0]") }.joined(separator: ",")
        expect(.dataSize(expected: 0, found: 4), header: "{\(keys)}")
    }

    /// Thousands of damaged headers: each is read or refused, none crashes.
    @Test func damagedHeadersNeverCrash() throws {
        var builder = SafetensorsBuilder()
        builder.metadata = "{\"format\":\"pt\"}"
        builder.add("a.weight", "F32", [3, 5], byteCount: 60)
        builder.add("b", "BF16", [7], byteCount: 14)
        let good = builder.build()
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var refused = 0
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...random(3) {
                let place = random(bytes.count)
                switch random(4) {
                case 0: bytes[place] = UInt8(random(256))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(Array("0123456789[]{},:\"-eE".utf8)[random(20)], at: place)
                default: bytes[place] ^= 1 << UInt8(random(8))
                }
            }
            do { _ = try parse(bytes) } catch { refused += 1 }
        }
        #expect(refused > 10_000)
    }
}
