import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Which layers rotate and which slide, where config.json says it in one of several ways.
@Suite struct LayerKindTests {
    private func kinds(
        _ name: String, _ change: (inout JSONObject) -> Void = { _ in }
    ) throws -> (rotates: [Bool], windows: [Int?]) {
        let model = try ChangedFixture(name).resolve { change(&$0.config) }
        return (model.attention.map { $0.rotary != nil }, model.attention.map(\.mask.window))
    }

    /// A kind of layer for each beats the pattern, which may then be anything.
    @Test func aPatternBesideListedLayersIsNotRead() throws {
        for pattern in [JSONValue.string("LLLG"), .int(1), .null] {
            let found = try kinds("exaone4") { $0["sliding_window_pattern"] = pattern }
            #expect(found.rotates == [true, false] && found.windows == [5, nil])
        }
        let fixture = try ChangedFixture("exaone4")
        let found = try fixture.configError {
            $0["layer_types"] = nil
            $0["sliding_window_pattern"] = .string("LLLG")
        }
        #expect(
            found
                == .invalidConfigValue(
                    path: fixture.path, key: "sliding_window_pattern", found: "\"LLLG\"",
                    expected: "a positive whole number"))
    }

    /// Nothing and null differ: without a word there is a window, and full layers do not rotate.
    @Test func withoutAWindowAllLayersRotate() throws {
        let absent = try kinds("exaone4") { $0["sliding_window"] = nil }
        #expect(absent.rotates == [true, false] && absent.windows == [4096, nil])
        let null = try kinds("exaone4") { $0["sliding_window"] = .null }
        #expect(null.rotates == [true, true] && null.windows == [nil, nil])
    }

    @Test func layersWithoutRotationAreListedOrCounted() throws {
        #expect(try kinds("smollm3").rotates == [true, false])
        #expect(try kinds("smollm3") { $0["no_rope_layers"] = nil }.rotates == [true, true])
        let counted = try kinds("smollm3") {
            $0["no_rope_layers"] = nil
            $0["no_rope_layer_interval"] = .int(2)
        }
        #expect(counted.rotates == [true, false])
    }

    /// Without kinds of layers those without rotation slide, if any do.
    @Test func layersThatSlideAreListedOrFollow() throws {
        #expect(try kinds("smollm3_sliding").windows == [5, nil])
        let derived = try kinds("smollm3_sliding") {
            $0["layer_types"] = nil
            $0["no_rope_layers"] = .array([.int(1), .int(0)])
        }
        #expect(derived.windows == [nil, 5])
        let none = try kinds("smollm3_sliding") {
            $0["layer_types"] = nil
            $0["use_sliding_window"] = nil
        }
        #expect(none.windows == [nil, nil])
    }

    /// transformers 5 reads a base at the top for full layers alone, transformers 4 for all.
    @Test func aBaseForSomeLayersAloneIsRefused() throws {
        let fixture = try ChangedFixture("olmo3")
        let found = try fixture.configError {
            $0["rope_parameters"] = nil
            $0["rope_theta"] = .double(10000)
        }
        #expect(
            found
                == .contradiction(
                    path: fixture.path, key: "rope_theta", found: "10000.0", other: "the base of the rotary embedding",
                    otherFound: "500000.0"))
    }
}
