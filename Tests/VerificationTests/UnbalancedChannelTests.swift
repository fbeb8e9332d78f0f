import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Heads whose channels were rescaled by powers of two against those that read them, as quantisation recipes leave them: errors count
/// by what they do to the product of the two sides, however small the channel.
@Suite struct UnbalancedChannelTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static func powers(_ count: Int, _ reach: Int) -> [Double] {
        (0..<count).map { Double(sign: .plus, exponent: $0 * 5 % (2 * reach + 1) - reach, significand: 1) }
    }

    private func checkpoint(_ model: EditableModel, _ name: String) throws -> Checkpoint {
        Files.remove(folder(name))
        return try Checkpoint(opening: try model.write(to: folder(name)))
    }

    /// A fixture in some type, and the same with all heads of a kind out of balance: one function to the bit, but for f16's range.
    private func models(
        _ name: String, _ type: ElementType, reach: Int
    ) throws -> (balanced: EditableModel, unbalanced: EditableModel, sites: [Site]) {
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.round(to: type)
        let sites = try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).sites.filter {
            if case .generalLinear = $0.group { true } else { false }
        }
        var unbalanced = model
        for site in sites { try unbalanced.rescale(site, by: Self.powers(site.group.dimension, reach)) }
        return (model, unbalanced, sites)
    }

    private func protect(_ source: Checkpoint, _ method: ProtectionMethod) throws -> EditableModel {
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)), options: ProtectionOptions(method: method))
        return try EditableModel(reading: folder("p"))
    }

    private static let reaches = [(ElementType.bf16, 6), (.bf16, 20), (.f16, 3), (.f32, 20)]

    /// What was balanced before it was mixed computes the same, and so does what was never mixed.
    @Test(arguments: ["llama", "bert", "gpt2"], reaches)
    func soundLocksPass(name: String, choice: (type: ElementType, reach: Int)) throws {
        let (balanced, unbalanced, _) = try models(name, choice.type, reach: choice.reach)
        let original = try checkpoint(unbalanced, "u")
        let exact = try AlgebraicVerification(threads: 1).verify(
            original, try checkpoint(protect(original, .lossless), "e"))
        #expect(exact.holds, "\(exact.failures)")
        let locked = try AlgebraicVerification(threads: 1).verify(
            original, try checkpoint(protect(try checkpoint(balanced, "b"), .mergelock), "l"))
        #expect(locked.holds, "\(locked.failures.prefix(2))")
    }

    /// The sign of the largest entry of the smallest channel, on either side.
    @Test(arguments: [ProtectionMethod.lossless, .mergelock], [Representation.direct, .dual])
    func oneEntryOfASmallChannel(method: ProtectionMethod, side: Representation) throws {
        let (balanced, unbalanced, sites) = try models("llama_bf16", .bf16, reach: 6)
        let original = try checkpoint(unbalanced, "u")
        for site in sites {
            let source = method == .lossless ? original : try checkpoint(balanced, "b")
            var locked = try protect(source, method)
            // The protected side may be out of balance, too.
            try locked.rescale(site, by: Self.powers(site.group.dimension, 6))
            let sound = try AlgebraicVerification(threads: 1).verify(original, checkpoint(locked, "s"))
            #expect(sound.holds, "\(sound.failures)")
            let slice = try #require(site.slices.first { $0.representation == side })
            let smallest = side == .direct ? 0 : 5
            let places = try locked.places(slice.tensor, axis: slice.axis, slice.start + smallest, across: slice.across)
            try locked.editFloats(slice.tensor) { values in
                if let largest = places.max(by: { values[$0].magnitude < values[$1].magnitude }) {
                    values[largest] *= -1
                }
            }
            let report = try AlgebraicVerification(threads: 1).verify(original, checkpoint(locked, "c"))
            #expect(report.failures.map(\.path) == [site.path])
        }
    }

    /// Dense elements on channels of 2^±6 leave nothing of the small ones in 16 bits: each weight is right to rounding, and the
    /// function is gone.
    @Test func whatRoundingDestroyedFails() throws {
        let (_, unbalanced, sites) = try models("llama_bf16", .bf16, reach: 6)
        let original = try checkpoint(unbalanced, "u")
        var locked = unbalanced
        for site in sites {
            var stream = KeyedRandomStream(secret: [1], info: site.path)
            let element = try RandomMatrices.haarOrthogonal(site.group.dimension, using: &stream).matrix
            try locked.act(element, on: site)
        }
        let protected = try checkpoint(locked, "l")
        let report = try AlgebraicVerification(threads: 1).verify(original, protected)
        #expect(report.failures.count == sites.count)
        #expect(report.failures.allSatisfy { $0.roundingMultiple > 20 && $0.invariantError <= $0.tolerance })
        #expect(try !FunctionalVerification(threads: 1).verify(original, protected).holds)
        let outcome = try CommandRunner.run("verify", folder("u"), folder("l"), "--weights-only")
        #expect(outcome.code == 2 && outcome.output.contains("x that of the original"), "\(outcome.output)")
    }
}

extension EditableModel {
    /// Multiplies a site's channels by an orthogonal matrix, and rounds.
    fileprivate mutating func act(_ matrix: Matrix<Double>, on site: Site) throws {
        for slice in site.slices {
            let rows = try (0..<matrix.rows).map {
                try places(slice.tensor, axis: slice.axis, slice.start + $0, across: slice.across)
            }
            try editFloats(slice.tensor) { values in
                let before = values
                for line in rows[0].indices {
                    for i in 0..<matrix.rows {
                        values[rows[i][line]] =
                            (0..<matrix.rows).reduce(0) { $0 + matrix[i, $1] * before[rows[$1][line]] }
                    }
                }
            }
        }
    }
}
