import Architectures
import Checkpoints
import TestSupport
import Testing

/// Damages each tensor of each fixture in turn; the error must name that tensor and nothing else will do.
@Suite struct MutationTests {
    static let fixtures = [
        "bert", "bert_masked_lm", "clip_vision", "gpt2", "llama", "llama_biases", "llama_tied", "mistral", "qwen2",
        "qwen3",
        "roberta", "vit",
    ]

    /// Tensors that a checkpoint may lack, as stated by transformers and not by the descriptions under test; without its head a decoder
    /// is taken for its states.
    private static func isOptional(_ name: String) -> Bool {
        ["pooler.", "cls.", "classifier.", "lm_head."].contains { name.hasPrefix($0) }
    }

    /// Extents that follow from no config value: the number of classes.
    private static func isFree(_ name: String) -> Bool {
        ["classifier.weight", "classifier.bias", "classifier.out_proj.weight", "classifier.out_proj.bias"].contains(
            name)
    }

    /// Without the first layer, which repeats the last one.
    private static func places(_ fixture: ChangedFixture) -> [Int] {
        fixture.tensors.indices.filter { place in
            !["layers.0.", "layer.0.", "h.0."].contains { fixture.tensors[place].name.contains($0) }
        }
    }

    private static func family(_ fixture: String) -> String {
        ["bert", "llama"].first { fixture.hasPrefix($0) } ?? fixture
    }

    @Test(arguments: fixtures)
    func dropped(name: String) throws {
        let fixture = try ChangedFixture(name)
        for place in Self.places(fixture) {
            let tensor = fixture.tensors[place].name
            let found = try fixture.error { $0.tensors.remove(at: place) }
            let expected = ArchitectureError.missingTensor(
                path: fixture.path, tensor: tensor, family: Self.family(name))
            #expect(found == (Self.isOptional(tensor) ? nil : expected))
        }
    }

    @Test(arguments: fixtures)
    func renamed(name: String) throws {
        let fixture = try ChangedFixture(name)
        for place in Self.places(fixture) {
            let tensor = fixture.tensors[place].name
            let found = try fixture.error { $0.tensors[place].name += "_" }
            let family = Self.family(name)
            let expected: ArchitectureError =
                Self.isOptional(tensor)
                ? .unknownTensor(path: fixture.path, tensor: tensor + "_", family: family)
                : .missingTensor(path: fixture.path, tensor: tensor, family: family)
            #expect(found == expected)
        }
    }

    @Test(arguments: fixtures)
    func anotherRank(name: String) throws {
        let fixture = try ChangedFixture(name)
        for place in Self.places(fixture) {
            let (tensor, shape) = (fixture.tensors[place].name, fixture.tensors[place].shape)
            let found = try fixture.error { $0.tensors[place].shape.append(1) }
            #expect(
                found == .shapeMismatch(path: fixture.path, tensor: tensor, expected: shape, found: shape + [1]))
        }
    }

    /// One more row, and for matrices one more column: each axis has its extent checked.
    @Test(arguments: fixtures)
    func anotherExtent(name: String) throws {
        let fixture = try ChangedFixture(name)
        for place in Self.places(fixture) {
            let (tensor, shape) = (fixture.tensors[place].name, fixture.tensors[place].shape)
            for axis in shape.indices {
                var grown = shape
                grown[axis] += 1
                let found = try fixture.error {
                    $0.tensors[place].shape = grown
                    $0.tensors[place].bytes = [UInt8](repeating: 0, count: 4 * grown.reduce(1, *))
                }
                let expected = ArchitectureError.shapeMismatch(
                    path: fixture.path, tensor: tensor, expected: shape, found: grown)
                if Self.isFree(tensor) && axis == 0 {
                    // Weight and bias need only agree with each other.
                    guard case .shapeMismatch? = found else {
                        Issue.record("found \(String(describing: found))")
                        continue
                    }
                } else {
                    #expect(found == expected)
                }
            }
        }
    }

    @Test(arguments: fixtures)
    func anotherType(name: String) throws {
        let fixture = try ChangedFixture(name)
        for place in Self.places(fixture) {
            let tensor = fixture.tensors[place].name
            let found = try fixture.error { $0.tensors[place].type = .i32 }
            #expect(found == .notFloatingPoint(path: fixture.path, tensor: tensor, found: "I32"))
        }
    }
}
