import Architectures
import Checkpoints
import ForwardPass
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Models of which some part is copied and not understood: locked around it, proved by their weights, restored.
@Suite struct OpaquePartTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ name: String, _ method: ProtectionMethod) throws -> (Checkpoint, Checkpoint) {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(repeatable: method)
        if method != .mergelock { options.siteKinds = Set(Site.Kind.allCases) }
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        return (source, try Checkpoint(opening: folder("p")))
    }

    /// What is proved of the lock in memory, with its manifest beside it.
    private func verify(_ source: Checkpoint, _ model: EditableModel) throws -> VerificationReport {
        Files.remove(folder("changed"))
        try model.write(to: folder("changed"))
        try Files.write(try Files.read(folder("p/mergeproof.json")), to: folder("changed/mergeproof.json"))
        return try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("changed")))
    }

    /// Sites by kind, and the opaque parts with the number of their tensors.
    static let expected: [(name: String, sites: [Site.Kind: Int], parts: [String: Int])] = [
        ("gemma3", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["vision tower": 34]),
        ("llava", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["vision tower": 27]),
        ("llava_mistral", [.valueOutput: 2, .queryKey: 2, .mlp: 1, .heads: 3], ["vision tower": 27]),
        ("llava_qwen2", [.valueOutput: 2, .queryKey: 2, .mlp: 1, .heads: 3], ["vision tower": 36]),
        ("mistral3", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["vision tower": 15]),
        ("qwen2_vl", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["vision tower": 19]),
        ("qwen2_5_vl", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["vision tower": 18]),
        ("qwen3_vl", [.valueOutput: 4, .queryKey: 4, .queryKeyGain: 2, .mlp: 2, .heads: 6], ["vision tower": 27]),
        ("qwen3_5", [.valueOutput: 2, .mlp: 2, .heads: 3], ["vision tower": 21, "delta-net layers": 9]),
        ("lfm2", [.valueOutput: 2, .queryKey: 2, .queryKeyGain: 1, .mlp: 2, .heads: 3], ["convolution layers": 6]),
        ("jamba", [.valueOutput: 2, .queryKey: 2, .mlp: 6, .heads: 3, .experts: 1], ["state-space layers": 24]),
        ("bamba", [.valueOutput: 2, .queryKey: 2, .mlp: 2, .heads: 3], ["state-space layers": 8]),
        (
            "granitemoehybrid", [.valueOutput: 2, .queryKey: 2, .mlp: 10, .heads: 3, .experts: 2],
            ["state-space layers": 8]
        ),
        ("falcon_h1", [.valueOutput: 4, .queryKey: 4, .mlp: 2, .heads: 6], ["state-space mixers": 16]),
        ("nemotron_h", [.valueOutput: 2, .queryKey: 2, .mlp: 6, .heads: 3, .experts: 1], ["state-space layers": 8]),
        ("qwen3_next", [.valueOutput: 4, .mlp: 11, .heads: 6, .experts: 2], ["delta-net layers": 7]),
    ]

    @Test func everyModelIsExpected() {
        #expect(Self.expected.map(\.name).sorted() == Fixtures.undescribed.sorted())
    }

    @Test(arguments: expected.indices)
    func sitesLieOutsideOfOpaqueParts(number: Int) throws {
        let expected = Self.expected[number]
        let checkpoint = try Checkpoint(opening: Fixtures.path(expected.name))
        let architecture = try Architecture.resolve(checkpoint)
        let counts = Dictionary(grouping: architecture.allSites, by: \.kind).mapValues(\.count)
        #expect(counts == expected.sites)
        let parts = architecture.opaqueParts.map { ($0.name, $0.tensors.count) }
        #expect(Dictionary(uniqueKeysWithValues: parts) == expected.parts)
        #expect(!architecture.isEvaluable && architecture.roles.count == checkpoint.tensors.count)
        let opaque = Set(architecture.opaqueParts.flatMap(\.tensors))
        #expect(opaque == Set(architecture.roles.filter { $0.value.name == "opaque" }.keys))
        #expect(opaque.isDisjoint(with: architecture.allSites.flatMap(\.slices).map(\.tensor)))
        #expect(
            throws: ArchitectureError.notEvaluable(path: checkpoint.path, parts: architecture.opaqueParts.map(\.name))
        ) {
            _ = try Model(checkpoint)
        }
    }

    @Test(arguments: Fixtures.undescribed, ProtectionMethod.locks)
    func locksAreProvedByWeightsAndUndone(name: String, method: ProtectionMethod) throws {
        let (source, locked): (Checkpoint, Checkpoint)
        do { (source, locked) = try protect(name, method) } catch ProtectionError.noSites where method == .mergebarrier
        {
            return
        }
        let report = try AlgebraicVerification(threads: 1).verify(source, locked)
        #expect(report.holds, "\(report.failures.prefix(2)) \(report.problems)")
        let acted = try Manifest.read(from: locked).steps.sites(of: Architecture.resolve(source)).map(\.path)
        #expect(report.sites.filter(\.isMoved).map(\.path).sorted() == acted.sorted())
        #expect(!report.opaqueParts.isEmpty)
        for tensor in report.opaqueParts.flatMap(\.tensors) {
            let (a, b) = (try #require(source.tensors[tensor]), try #require(locked.tensors[tensor]))
            #expect(source.bytes(of: a).elementsEqual(locked.bytes(of: b)))
        }
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.holds == true)
        guard method == .lossless else { return }
        #expect(restored.proof?.isBitForBit == true)
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path(name)))
    }

    /// The lowest bit of one weight of an opaque part.
    @Test(arguments: Fixtures.undescribed)
    func oneBitIsSeen(name: String) throws {
        let (source, _) = try protect(name, .mergelock)
        for tensor in try Architecture.resolve(source).opaqueParts.flatMap(\.tensors) {
            var model = try EditableModel(reading: folder("p"))
            let place = try model.index(tensor)
            model.tensors[place].bytes[4 * (model.tensors[place].bytes.count / 8)] ^= 1
            let report = try verify(source, model)
            #expect(report.problems == ["tensor \(tensor) differs, and no symmetry site may change it"])
        }
    }

    /// A gate on the attention's output that stays where it is while values move, or that moves alone.
    @Test(arguments: ["qwen3_next", "qwen3_next_full", "qwen3_5", "qwen3_5_text"], [ProtectionMethod.lossless, .full])
    func theGateBelongsToItsSite(name: String, method: ProtectionMethod) throws {
        let (source, _) = try protect(name, method)
        let block = try #require(try Architecture.resolve(source).attention.first)
        let gate = try #require(block.outputGate)
        #expect(gate.weight == block.query.weight && block.sites.allSatisfy { $0.kind == .valueOutput })
        let original = try EditableModel(reading: source.path)
        for tensor in [gate.weight, gate.bias].compactMap(\.self) {
            var model = try EditableModel(reading: folder("p"))
            #expect(try verify(source, model).holds)
            let width = tensor == gate.weight ? gate.inputCount : 1
            let values = try original.floats(tensor)
            try model.edit(tensor) { weights in
                for member in 0..<block.groupSize {
                    let rows = gate.headLayout?.range(group: 1, member: member) ?? 0..<0
                    for place in rows.lowerBound * width..<rows.upperBound * width {
                        weights[place] = Float(values[place])
                    }
                }
            }
            #expect(try !verify(source, model).holds, "\(tensor)")
        }
    }
}
