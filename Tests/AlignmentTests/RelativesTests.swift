import Alignment
import Checkpoints
import Foundations
import Protections
import TestSupport
import Testing

/// Two models trained from one base, each locked by another key and in another way, and no base: one is the anchor of the other.
@Suite struct RelativesTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private static let locks: [(ProtectionMethodList, ProtectionMethodList)] = [
        ([.mergelock], [.full]), ([.mergelock, .params], [.lossless]), ([.lossless], [.mergelock, .params]),
        ([.full], [.full]), ([.full], [.mergelock]),
    ]

    typealias ProtectionMethodList = [ProtectionMethod]

    /// One model comes to lie where the other's lock would have taken it, and their mean computes what the mean of the two computes without locks.
    @Test(
        arguments: [
            "qwen2", "gpt2", "bert", "mixtral", "phi3_partial", "gemma2", "qwen3", "deepseek_v3", "opt",
        ], locks.indices)
    func oneIsTheAnchorOfTheOther(name: String, number: Int) throws {
        let (own, other) = try EditableModel.withBase(name, .f32, in: place.folder)
        let lock = Self.locks[number]
        let a = try place.protect(own, lock.0, to: "a")
        let b = try place.protect(other, lock.1, key: Workplace.otherKey, to: "b")
        let there = try place.protect(own, lock.1, key: Workplace.otherKey, to: "there")
        let (aligned, report) = try Aligner(.coupled, threads: 2).aligned(a, to: b)
        let before = try place.distance(a, there)
        #expect(before > 0.5)
        let distance = try place.distance(aligned, there)
        #expect(distance < 0.03)
        #expect(report.estimates.values.allSatisfy { $0.agreement > 0.97 })
        let means = (
            plain: try place.mean(own, other, to: "plain"), locked: try place.mean(a, b, to: "locked"),
            aligned: try place.mean(try place.written(aligned, to: "aligned"), b, to: "mean")
        )
        let (far, near) = (
            try place.difference(means.locked, means.plain), try place.difference(means.aligned, means.plain)
        )
        #expect(near < 0.01 && near < far / 20, "\(near) of \(far)")
    }
}
