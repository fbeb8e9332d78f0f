import Alignment
import Checkpoints
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing

/// Models merged by what locks leave.
@Suite struct CircuitMergerTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private static let families = [
        "llama", "gpt2", "bert", "phi3_partial", "mixtral", "gptj", "deepseek_v3", "llama_biases", "qwen3",
    ]

    /// Merged with itself, as it is and locked by two keys, a model computes what it did: nothing is lost on the way through circuits and back.
    @Test(arguments: families) func aModelWithItself(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        let a = try place.protect(own, [.full], to: "a")
        let b = try place.protect(own, [.mergelock, .params], key: Workplace.otherKey, to: "b")
        for others in [[own], [b], [own, b]] {
            let (merged, report) = try CircuitMerger(threads: 2).merged(a, with: others)
            #expect(try place.difference(merged, own) < 2e-5)
            for kept in report.kept.values { #expect(kept > 1 - 1e-9) }
            #expect(report.alignments.count == others.count)
        }
    }

    /// What comes out does not depend on locks, and lies near the mean of the models as they were.
    @Test(arguments: families) func locksDoNotMatter(name: String) throws {
        let (own, other) = try EditableModel.withBase(name, .f32, in: place.folder)
        let a = try place.protect(own, [.full], to: "a")
        let b = try place.protect(other, [.lossless], key: Workplace.otherKey, to: "b")
        let merger = CircuitMerger(threads: 2)
        let (plain, locked) = (try merger.merged(own, with: [other]).0, try merger.merged(a, with: [b]).0)
        let mean = try place.mean(own, other, to: "mean")
        let far = try place.difference(try place.mean(a, b, to: "far"), mean)
        let (apart, near) = (try place.difference(locked, plain), try place.difference(plain, mean))
        #expect(far > 0.5)
        #expect(apart < 1e-5)
        #expect(near < 2e-3)
    }

    /// With a base, λ = 0 is the base and 1/2 of two models is their mean, whichever lock they have.
    @Test(arguments: ["llama", "bert"]) func baseAndWeight(name: String) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: place.folder)
        let other = try Checkpoint(
            opening: try EditableModel.base(of: place.folder("own"), seed: 8).write(to: place.folder("other")))
        let a = try place.protect(own, [.full], to: "a")
        let merger = CircuitMerger(threads: 2)
        let none = try merger.merged(a, with: [other], base: base, weight: 0).0
        #expect(try place.difference(none, base) < 0.002)
        let (half, mean) = (try merger.merged(a, with: [other], base: base).0, try merger.merged(a, with: [other]).0)
        #expect(try place.difference(half, mean) < 1e-6)
        let all = try merger.merged(a, with: [base], base: base, weight: 1).0
        #expect(try place.difference(all, own) < 0.002)
    }

    /// It is written as it is, in the protected model's types, for any number of threads.
    @Test func theMergedModelIsWritten() throws {
        let (own, other) = try EditableModel.withBase("qwen2", .bf16, in: place.folder)
        let a = try place.protect(own, [.full], to: "a")
        for (threads, name) in [(1, "one"), (3, "three")] {
            try CircuitMerger(threads: threads).merge(a, with: [other], writing: place.folder(name))
        }
        #expect(try Files.tree(place.folder("one")) == Files.tree(place.folder("three")))
        #expect(Set(Files.names(in: place.folder("one"))) == Set(Files.names(in: own.path)))
        let written = try Checkpoint(opening: place.folder("one"))
        #expect(written.tensors.values.map(\.type) == a.tensors.values.map(\.type))
        let made = try CircuitMerger().merged(a, with: [other]).0
        #expect(try place.distance(written, made) == 0)
        #expect(try place.difference(written, place.mean(own, other, to: "mean")) < 0.1)
    }

    @Test func whatCannotBeMergedIsRefused() throws {
        let own = try Checkpoint(opening: Fixtures.path("llama"))
        let merger = CircuitMerger()
        #expect(throws: AlignmentError.nothingToMerge(path: own.path)) { try merger.merged(own, with: []) }
        #expect(throws: AlignmentError.weightWithoutBase) { try merger.merged(own, with: [own], weight: 0.5) }
        #expect(throws: AlignmentError.weightNotFinite) {
            try merger.merged(own, with: [own], base: own, weight: .infinity)
        }
        let other = try Checkpoint(opening: Fixtures.path("gpt2"))
        #expect(throws: AlignmentError.nothingInCommon(path: own.path, other: other.path)) {
            try merger.merged(own, with: [other])
        }
    }
    /// Neither what a weight takes out of a type's range nor what was no number before is written.
    @Test func onlyNumbersAreWritten() throws {
        let (own, base) = try EditableModel.withBase("llama", .f16, in: place.folder)
        let merger = CircuitMerger(threads: 2)
        for weight in [1e7, -1e7] {
            guard
                case .overflow(_, .f16) = #expect(
                    throws: AlignmentError.self,
                    performing: {
                        try merger.merge(own, with: [own], base: base, weight: weight, writing: place.folder("out"))
                    })
            else {
                Issue.record("a weight of \(weight)")
                continue
            }
        }
        // No circuit shows these; the second is on no site at all.
        for (name, tensor) in [
            ("llama", "model.layers.1.post_attention_layernorm.weight"),
            ("jamba", "model.layers.0.mamba.A_log"),
        ] {
            let own = try Checkpoint(opening: Fixtures.path(name))
            var model = try EditableModel(reading: own.path)
            try model.editFloats(tensor) { $0[5] = .nan }
            let odd = try Checkpoint(opening: try model.write(to: place.folder("odd-\(name)")))
            for (protected, other) in [(own, odd), (odd, own)] {
                #expect(throws: AlignmentError.nonFinite(path: odd.path, tensor: tensor)) {
                    try merger.merge(protected, with: [other], writing: place.folder("out"))
                }
            }
        }
        #expect(!Files.exists(place.folder("out")))
        try merger.merge(own, with: [base], writing: place.folder("out"))
    }
}
