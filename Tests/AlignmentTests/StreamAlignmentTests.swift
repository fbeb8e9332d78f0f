import Alignment
import Architectures
import Checkpoints
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing

/// Residual streams that were turned, gains folded, found by the base's tables.
@Suite struct StreamAlignmentTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private func turned(
        _ own: Checkpoint, _ transform: ResidualTransform, key: SecretKey = Workplace.key, to name: String = "p"
    ) throws -> Checkpoint {
        var options = ProtectionOptions(StepOptions(method: .full))
        (options.nonce, options.writesCard, options.residual) = (.zero, false, transform)
        Files.remove(place.folder(name))
        _ = try Protector.unsynchronized.protect(own, to: place.folder(name), key: key, options: options)
        return try Checkpoint(opening: place.folder(name))
    }

    /// Weights lie beside the base's again, up to gains, which are the base's, and to what the few tokens of these models tell of R; all that lies within is
    /// found; and it computes what it did.
    @Test(
        arguments: ["llama", "qwen2", "gpt2", "mixtral", "phi3", "llama_tied"],
        [ResidualTransform.hadamard, .rotation])
    func streamsTurnBack(name: String, transform: ResidualTransform) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: place.folder)
        let protected = try turned(own, transform)
        let (aligned, report) = try Aligner(.coupled, threads: 2).aligned(protected, to: base)
        #expect(try place.distance(protected, own) > 0.5)
        let distance = try place.distance(aligned, own)
        #expect(distance < 0.1)
        #expect(try place.difference(aligned, protected) < 1e-4)
        let scores = AlignmentScore.all(of: report, against: try Protector.elements(of: protected, key: Workplace.key))
        #expect(try #require(scores[.residual]?.error) < 0.1)
        for (kind, score) in scores { #expect(score.permutationShare ?? 1 == 1, "\(kind)") }
        #expect(report.estimates.values.allSatisfy { $0.agreement > 0.97 })
        #expect(report.sites.count { $0.kind == .residual } == 1)
    }

    /// One turned model is the anchor of another, and of one that was not turned.
    @Test(arguments: ["llama", "phi3", "mixtral"]) func relativesMayBeTurned(name: String) throws {
        let (own, other) = try EditableModel.withBase(name, .f32, in: place.folder)
        let anchor = try turned(other, .hadamard, key: Workplace.otherKey, to: "b")
        let mean = try place.mean(own, other, to: "plain")
        for protected in [try turned(own, .rotation, to: "a"), try place.protect(own, [.full], to: "c")] {
            let aligned = try Aligner(.coupled, threads: 2).aligned(protected, to: anchor).0
            #expect(try place.difference(aligned, protected) < 1e-4)
            let merged = try place.mean(try place.written(aligned, to: "aligned"), anchor, to: "mean")
            #expect(try place.difference(merged, mean) < 0.02)
            let naive = try place.mean(protected, anchor, to: "naive")
            #expect(try place.difference(naive, mean) > 0.3)
            #expect(try place.difference(CircuitMerger(threads: 2).merged(anchor, with: [protected]).0, mean) < 0.02)
        }
    }

    /// A table that is the head, too, is turned onto one that is not as two tensors.
    @Test(arguments: ["gpt2", "llama_tied"]) func tiedHeadsAreToldApart(name: String) throws {
        let (own, other) = try EditableModel.withBase(name, .f32, in: place.folder)
        let anchor = try turned(other, .hadamard)
        #expect(try place.distance(Aligner(.coupled).aligned(anchor, to: own).0, other) < 0.1)
        let mean = try place.mean(own, other, to: "plain")
        let aligned = try place.written(Aligner(.coupled).aligned(own, to: anchor).0, to: "aligned")
        #expect(try place.difference(aligned, own) < 1e-4)
        #expect(Set(aligned.tensors.keys) == Set(anchor.tensors.keys))
        #expect(try place.difference(place.mean(aligned, anchor, to: "mean"), mean) < 0.02)
        // A head of its own counts as one.
        var apart = try EditableModel(reading: anchor.path)
        try apart.editFloats("lm_head.weight") { for place in $0.indices { $0[place] *= 3 } }
        let loud = try Checkpoint(opening: apart.write(to: place.folder("loud")))
        let merged = try place.written(CircuitMerger(threads: 2).merged(own, with: [loud]).0, to: "merged")
        let (table, head) = (
            try EditableModel(reading: merged.path).floats(
                own.tensors.keys.first { $0.hasSuffix("wte.weight") || $0.hasSuffix("embed_tokens.weight") } ?? ""),
            try EditableModel(reading: merged.path).floats("lm_head.weight")
        )
        func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        #expect(norm(head) > 1.5 * norm(table))
        for (first, second) in [(anchor, own), (own, anchor)] {
            #expect(try place.difference(CircuitMerger(threads: 2).merged(first, with: [second]).0, mean) < 0.02)
        }
    }
}
