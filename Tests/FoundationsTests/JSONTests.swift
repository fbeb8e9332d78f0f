import Foundations
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws(JSONFault) -> JSONValue {
        try JSONDocument(parsing: Array(text.utf8)).root
    }

    @Test func valuesAreReadAndKeepTheirOrder() throws {
        let value = try parse(#" { "b" : [1, -2.5e3, true, false, null], "a": {"x": "é\n\u0041\ud83d\ude00"} } "#)
        #expect(value.object?.members.map(\.key) == ["b", "a"])
        #expect(value["b"]?.array?[0].int == 1 && value["b"]?.array?[1].double == -2500)
        #expect(value["b"]?.array?[1].int == nil && value["b"]?.array?[4].isNull == true)
        #expect(value["a"]?["x"]?.string == "é\nA😀" && value["c"] == nil)
    }

    @Test func numbersKeepTheirText() throws {
        let text = "[1e-05, 1.0, 10000000000000000000000, -0, 0.1]"
        #expect(try parse(text).serialized() == text)
        #expect(try parse(text).array?[2].int == nil)
    }

    @Test(arguments: [
        ("", JSONFault.unexpectedEnd), ("{", .unexpectedEnd), ("[1,]", .unexpectedByte(offset: 3)),
        (#"{"a":1,}"#, .unexpectedByte(offset: 7)), ("[1 2]", .unexpectedByte(offset: 3)),
        ("01", .invalidNumber(offset: 0)), ("-", .invalidNumber(offset: 0)), ("1.", .invalidNumber(offset: 0)),
        ("1e", .invalidNumber(offset: 0)), ("+1", .unexpectedByte(offset: 0)), (".5", .unexpectedByte(offset: 0)),
        ("NaN", .unexpectedByte(offset: 0)), ("Infinity", .unexpectedByte(offset: 0)), ("tru", .unexpectedEnd),
        ("trux", .unexpectedByte(offset: 3)), ("1 1", .trailingBytes(offset: 2)), ("'a'", .unexpectedByte(offset: 0)),
        ("\"a", .unexpectedEnd), ("\"\u{1}\"", .unexpectedByte(offset: 1)), (#""\x""#, .invalidEscape(offset: 2)),
        (#""\u12g4""#, .invalidEscape(offset: 5)), (#""\ud800""#, .invalidEscape(offset: 7)),
        (#""\ud800\u0041""#, .invalidEscape(offset: 13)), (#""\udc00""#, .invalidEscape(offset: 7)),
        (#"{"a":1,"a":2}"#, .duplicateKey("a")), (#"{"a":1,"\u0061":2}"#, .duplicateKey("a")),
        ("{1:2}", .unexpectedByte(offset: 1)), ("// c\n1", .unexpectedByte(offset: 0)),
    ])
    func wrongTextHasItsOwnError(text: String, expected: JSONFault) {
        #expect(throws: expected) { try parse(text) }
    }

    /// As tokens of a vocabulary: forms that Unicode calls equal are two keys, and marks may follow each other without end.
    @Test func keysMayBeToldApartByTheirBytes() throws {
        let marks = String(repeating: "\u{301}", count: 40)
        let text = "{\"\u{e9}\": 1, \"e\u{301}\": 2, \"\(marks)\": 3}"
        #expect(throws: JSONFault.equivalentKeys("e\u{301}")) { try parse(text) }
        let document = try JSONDocument(parsing: Array(text.utf8), as: .bytewise)
        #expect(document["\u{e9}"]?.int == 1 && document["e\u{301}"]?.int == 2 && document[marks]?.int == 3)
        let edited = try #require(document.setting(["e\u{301}"], to: .int(7)))
        #expect(edited["\u{e9}"]?.int == 1 && edited["e\u{301}"]?.int == 7)
        #expect(throws: JSONFault.duplicateKey("a")) {
            try JSONDocument(parsing: Array("{\"a\": 1, \"\\u0061\": 2}".utf8), as: .bytewise)
        }
    }

    @Test(arguments: [[0xff], [0x22, 0xc0, 0xaf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xe2, 0x82]])
    func wrongUTF8IsRejected(bytes: [UInt8]) {
        #expect(throws: JSONFault.invalidUTF8) { try JSONDocument(parsing: bytes) }
    }

    @Test func depthIsLimited() throws {
        func deep(_ n: Int) -> String { String(repeating: "[", count: n) + String(repeating: "]", count: n) }
        _ = try parse(deep(64))
        #expect(throws: JSONFault.tooDeep(offset: 64)) { try parse(deep(65)) }
        #expect(throws: JSONFault.tooDeep(offset: 64)) { try parse(deep(1_000_000)) }
    }

    @Test func serializationReadsBack() throws {
        let value = JSONValue.object([
            "text": .string("\"\\\n\t\u{1}é😀"), "list": .array([.int(1), .array([]), .object(["a": .object([:])])]),
            "flag": .bool(true), "number": .double(1e-5),
        ])
        #expect(try parse(value.serialized()) == value)
        #expect(try parse(value.serialized(indented: true)) == value)
        #expect(JSONValue.double(.infinity).isNull)
    }

    private func edit(_ text: String, _ path: [String], _ value: JSONValue) throws -> String? {
        try JSONDocument(parsing: Array(text.utf8)).setting(path, to: value)
            .map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test func aValueIsReplacedAndNothingElse() throws {
        let text = "\t{ \"b\" :  1 ,\r\n\"metadata\":{\"x\": [ ] , \"total_size\"\n: 12e0},  \"a\":\"é\\u0041\" }\n\n"
        #expect(try edit(text, ["metadata", "total_size"], .int(345)) == text.replacing("12e0", with: "345"))
        #expect(try edit(text, ["b"], .string("two")) == text.replacing(" 1 ", with: " \"two\" "))
        #expect(try edit(text, ["metadata", "x"], .null) == text.replacing("[ ]", with: "null"))
        #expect(try edit(#"{"\u0061": 1}"#, ["a"], .int(2)) == #"{"\u0061": 2}"#)
    }

    @Test func aNewMemberTakesTheStyleAround() throws {
        #expect(
            try edit("{\n    \"a\": 1,\n    \"b\": {\n    }\n}\n", ["c"], .bool(true))
                == "{\n    \"a\": 1,\n    \"b\": {\n    },\n    \"c\": true\n}\n")
        #expect(try edit(#"{"a":1,"b":2}"#, ["c"], .int(3)) == #"{"a":1,"b":2,"c":3}"#)
        #expect(
            try edit("{\n  \"m\": {\n\t\t\"x\" : 0\n  }\n}", ["m", "y"], .int(1))
                == "{\n  \"m\": {\n\t\t\"x\" : 0,\n\t\t\"y\" : 1\n  }\n}")
    }

    @Test func pathsThatLeadNowhereAreRefused() throws {
        for path in [[], ["a", "x"], ["x", "y"], ["b", "c", "d"]] {
            #expect(try edit(#"{"a": [1], "b": {"c": 1}}"#, path, .int(1)) == nil)
        }
    }
}
