import Architectures
import Checkpoints
import Protections
import Symmetries
import Transformers

/// What is true of each family, measured on recorded models: its sites and groups, what is refused and why, and the errors seen.
public struct FamilyTable {
    /// One recorded model.
    public struct Row: Sendable {
        public let model: String
        public let family: String
        /// Such as `4 vo GL(8)`; dimension counts the real parameters of all groups of a kind.
        public let sites: String
        public let limits: [String]
        public let refusals: [String]
        /// Our outputs against transformers', f32 against f32 and f64 against f64.
        public let single: Double
        public let double: Double
        /// Largest change of the f64 outputs by any method, weights stored as they are.
        public let drift: Double
        /// Largest ratio of that change to the rounding floor, of methods that are rounding-neutral.
        public let ratio: Double
    }

    private let scratch: String
    private var copies = 0

    /// - Parameter scratch: a directory for protected copies, which are left there.
    public init(scratch: String) { self.scratch = scratch }

    /// - Parameters:
    ///   - model: a model directory.
    ///   - reference: inputs and outputs of that model on record.
    public mutating func row(model path: String, reference: RecordedReference) throws -> Row {
        let checkpoint = try Checkpoint(opening: path)
        let model = try Model(checkpoint)
        let single = try model.single(reference.inputs).values.flatMap { $0.elements.map(Double.init) }
        let double = try model.double(reference.inputs).values.flatMap(\.elements)
        var (drift, ratio) = (0.0, 0.0)
        for (method, sampler) in [
            (ProtectionMethod.mergelock, Sampler.diagonalOrthogonal), (.mergelock, .orthogonal),
            (.mergelock, .conditioned), (.lossless, .exact),
        ] {
            var options = ProtectionOptions(method: method)
            options.sampler = method == .mergelock ? sampler : nil
            let copy = "\(scratch)/\(model.architecture.family)-\(copies)"
            copies += 1
            _ = try Protector().protect(
                checkpoint, to: copy, key: SecretKey(bytes: [UInt8](0..<32)), options: options)
            let report = try FunctionalVerification(precision: .f64)
                .verify(checkpoint, try Checkpoint(opening: copy), inputs: reference.inputs)
            drift = max(drift, report.drift.relativeError)
            if sampler != .conditioned { ratio = max(ratio, report.ratio) }
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return Row(
            model: name, family: model.architecture.family, sites: Self.sites(model.architecture.sites),
            limits: model.architecture.limits,
            refusals: try Architecture.refusals(of: model.architecture.family).map { "`\($0.key)`: \($0.reason)" },
            single: relativeError(single, reference.single.flatMap(\.self)),
            double: relativeError(double, reference.double.flatMap(\.self)), drift: drift, ratio: ratio)
    }

    /// Counts by kind and group, with the dimension of all of them together.
    private static func sites(_ sites: [Site]) -> String {
        var parts: [String] = []
        for kind in Site.Kind.allCases {
            var groups: [(name: String, count: Int, dimension: Int)] = []
            for site in sites where site.kind == kind {
                let name = site.group.description
                if let place = groups.firstIndex(where: { $0.name == name }) {
                    groups[place].count += 1
                    groups[place].dimension += site.group.parameterCount
                } else {
                    groups.append((name, 1, site.group.parameterCount))
                }
            }
            parts += groups.map { "\($0.count) \(kind.rawValue): \($0.name), dimension \($0.dimension)" }
        }
        return parts.joined(separator: "; ")
    }
}
