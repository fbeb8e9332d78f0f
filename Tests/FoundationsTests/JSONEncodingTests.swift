import Foundation
import Foundations
import Testing

/// Reports as JSON: fixed keys in a fixed order, numbers that read back as they were, text that cannot leave its line.
@Suite struct JSONEncodingTests {
    private enum Colour: String, Encodable { case red }

    private struct Inner: Encodable {
        var x = 0.1
        var y: Float = 0.1
    }

    private struct Outer: Encodable {
        var z = 3
        var absent: String?
        var number: Int?
        var a = true
        var colour = Colour.red
        var inner = [Inner(), Inner(x: .nan, y: -.infinity)]
        var maybe: Inner? = Inner()
        var none: Inner?
        var large = UInt64.max
        var names = NamedValues([("z", 1), ("a", 2)])

        enum CodingKeys: String, CodingKey {
            case z, absent, number, a, colour
            case inner = "inner_things"
            case maybe, none, large, names
        }
    }

    @Test func membersKeepTheirOrderAndNilIsNull() throws {
        #expect(
            try JSONValue(encoding: Outer()).serialized()
                == #"{"z":3, "absent":null, "number":null, "a":true, "colour":"red", "inner_things":[{"x":0.1, "y":0.1}, "#
                + #"{"x":null, "y":null}], "maybe":{"x":0.1, "y":0.1}, "none":null, "large":18446744073709551615, "#
                + #""names":{"z":1, "a":2}}"#)
    }

    private struct Extended: Encodable {
        enum Key: CodingKey { case z, more }

        func encode(to encoder: any Encoder) throws {
            try Outer().encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(4, forKey: .z)
            var list = container.nestedUnkeyedContainer(forKey: .more)
            try list.encodeNil()
            var inner = list.nestedContainer(keyedBy: Key.self)
            try inner.encode("x", forKey: .more)
        }
    }

    /// One value may add to what another has encoded; a key that is there keeps its place.
    @Test func encodersAreShared() throws {
        let object = try #require(try JSONValue(encoding: Extended()).object)
        #expect(object.members.map(\.key).first == "z" && object.members.map(\.key).last == "more")
        #expect(object["z"] == .int(4) && object["more"] == .array([.null, .object(["more": .string("x")])]))
        #expect(object.members.count == 11)
    }

    @Test func doublesReadBack() throws {
        var bits: UInt64 = 0x9e37_79b9_7f4a_7c15
        for _ in 0..<2000 {
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Double(bitPattern: bits)
            guard value.isFinite else { continue }
            let text = try JSONValue(encoding: [value]).serialized()
            #expect(
                try JSONDocument(parsing: Array(text.utf8)).root.array?.first?.double?.bitPattern == value.bitPattern)
        }
    }

    @Test func dictionariesAreSorted() throws {
        let values = Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)", $0) })
        let object = try #require(try JSONValue(encoding: values).object)
        #expect(object.members.map(\.key) == values.keys.sorted() && object["k7"] == .int(7))
    }

    @Test func textStaysOnItsLine() throws {
        let text = "a\u{1b}[2J\n\u{202e}\"\\\u{7f}ü"
        let json = try JSONValue(encoding: [text]).serialized()
        #expect(json == #"["a\u001b[2J\n\u202e\"\\\u007fü"]"#)
        #expect(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String] == [text])
    }

    @Test func emptyAndBare() throws {
        struct Empty: Encodable {}
        #expect(try JSONValue(encoding: Empty()) == .object([:]) && JSONValue(encoding: [Int]()) == .array([]))
        #expect(try JSONValue(encoding: Int?.none) == .null && JSONValue(encoding: 1.5) == .double(1.5))
    }
}
