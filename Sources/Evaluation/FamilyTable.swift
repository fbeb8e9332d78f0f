import Architectures
import Checkpoints
import ForwardPass
import Protections
import Symmetries
import Verification

/// What is true of each family, measured on recorded models: its sites and groups, what is refused and why, and the errors seen.
package struct FamilyTable {
    /// One recorded model.
    package struct Row: Sendable {
        /// Name, family, sites and limits as cells of a table.
        package let facts: String
        /// Our outputs against transformers', f32 against f32 and f64 against f64.
        package let single: Double
        package let double: Double
        /// Largest change of the f64 outputs by any method, weights stored as they are.
        package let drift: Double
        /// Root mean square of that change over the rounding floor's, by methods that round no more than storing did.
        package let ratio: Double
    }

    private static let draws: UInt8 = 8

    private let scratch: String

    /// - Parameter scratch: a path at which protected copies are made, one at a time, by `replacing`.
    package init(scratch: String) { self.scratch = scratch }

    /// - Parameters:
    ///   - path: a model directory.
    ///   - reference: inputs and outputs of that model on record.
    ///   - replacing: removes what lies at a path.
    package func row(
        model path: String, reference: RecordedReference, replacing: (String) throws -> Void
    ) throws -> Row {
        let checkpoint = try Checkpoint(opening: path)
        let model = try Model(checkpoint)
        let single = try model.single(reference.inputs).values.flatMap { $0.elements.map(Double.init) }
        let double = try model.double(reference.inputs).values.flatMap(\.elements)
        var (worst, drift, floor) = (0.0, 0.0, 0.0)
        for (method, sampler) in [
            (ProtectionMethod.mergelock, Sampler.diagonalOrthogonal), (.mergelock, .orthogonal),
            (.mergelock, .conditioned), (.lossless, .exact),
        ] {
            let roundsOnce = sampler == .diagonalOrthogonal || sampler == .orthogonal
            var options = ProtectionOptions(method: method)
            options.sampler = method == .mergelock ? sampler : nil
            options.nonce = .zero
            for draw in 0..<(roundsOnce ? Self.draws : 1) {
                try replacing(scratch)
                _ = try Protector().protect(
                    checkpoint, to: scratch, key: SecretKey(bytes: [UInt8](repeating: draw, count: 32)),
                    options: options)
                let found = try FunctionalVerification(precision: .f64, seed: UInt64(draw))
                    .verify(checkpoint, try Checkpoint(opening: scratch), inputs: reference.inputs)
                worst = max(worst, found.drift.relativeError)
                guard roundsOnce else { continue }
                drift += found.drift.relativeError * found.drift.relativeError
                floor += found.floor.relativeError * found.floor.relativeError
            }
        }
        try replacing(scratch)
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return Row(
            facts: Self.facts(model.architecture, name: name),
            single: relativeError(single, reference.single.flatMap(\.self)),
            double: relativeError(double, reference.double.flatMap(\.self)), drift: worst,
            ratio: (drift / floor).squareRoot())
    }

    /// `name | family | sites | limits`.
    package static func facts(_ architecture: Architecture, name: String) -> String {
        let sites = SiteSummary.list(architecture.allSites).map {
            "\($0.count) \($0.kind): \($0.group), dimension \($0.parameters)"
        }
        let opaque = architecture.opaqueParts.map { "\($0.name), copied and not understood" }
        let limits = (opaque + architecture.limits).joined(separator: "; ")
        return "\(name) | \(architecture.family) | \(sites.joined(separator: "; ")) | \(limits)"
    }

    /// `family | refused settings and why` of every family that refuses some.
    package static func refusals() throws -> [String] {
        try Architecture.supported().compactMap { family, _ in
            let refusals = try Architecture.refusals(of: family)
            guard !refusals.isEmpty else { return nil }
            return "\(family) | " + refusals.map { "`\($0.key)`: \($0.reason)" }.joined(separator: "; ")
        }
    }
}
