import Architectures
import Checkpoints
import Protections
import Symmetries

/// What a model offers to protect, and what each method would touch.
public struct Inspection: Sendable {
    public struct MethodSummary: Sendable {
        public let name: String
        public let sampler: Sampler
        public let isDefault: Bool
        public let sites: Int
        public let bytes: Int
        /// Predicted cost of rounding, in multiples of rounding the original, at the site where it is largest.
        public let roundingMultiple: Double
    }

    public let family: String
    public let modelType: String
    public let tensorCount: Int
    public let fileCount: Int
    public let types: [(name: String, bytes: Int)]
    public let dimensions: [(name: String, value: Int)]
    public let sites: [SiteSummary]
    /// What norms, gates and rotations forbid, and why.
    public let limits: [String]
    public let methods: [MethodSummary]
    /// What is copied and not understood.
    public let opaqueParts: [OpaquePart]
    /// Disk space that an output takes.
    public let outputBytes: Int
    /// Files that no output holds, and why.
    public let leftOut: [(path: String, reason: String)]
    /// Files beside which the model is not protected at all, and why.
    public let refused: [(path: String, reason: String)]
    /// What is unusual about this checkpoint.
    public let notes: [String]
    public let isProtected: Bool

    public init(_ checkpoint: Checkpoint, threads: Int? = nil) throws {
        let architecture = try Architecture.resolve(checkpoint)
        let all = architecture.allSites
        family = architecture.family
        modelType = architecture.modelType
        tensorCount = checkpoint.tensors.count
        fileCount = checkpoint.shards.count
        types = ElementType.allCases.compactMap { type in
            let bytes = checkpoint.tensors.values.filter { $0.type == type }.reduce(0) { $0 + $1.byteCount }
            return bytes > 0 ? (type.rawValue, bytes) : nil
        }
        dimensions = architecture.dimensions.map { ($0.key, $0.value) }
        sites = SiteSummary.list(all)
        limits = architecture.limits
        opaqueParts = architecture.opaqueParts
        let powers = try WeightPowers(of: all, in: checkpoint, threads: threads)
        methods = ProtectionMethod.allCases.flatMap { method in
            let protection = method.protection
            return protection.samplers.map { sampler in
                let condition = sampler.defaultCondition
                let touched = all.filter {
                    protection.siteKinds.contains($0.kind) && $0.group.isMoved(by: sampler, condition: condition)
                }
                let tensors = Set(touched.flatMap { $0.slices.map(\.tensor) })
                return MethodSummary(
                    name: method.rawValue, sampler: sampler, isDefault: sampler == protection.defaultSampler,
                    sites: touched.count, bytes: tensors.reduce(0) { $0 + (checkpoint.tensors[$1]?.byteCount ?? 0) },
                    roundingMultiple: PredictedRounding(
                        touched, powers: powers, sampler: sampler, condition: condition
                    ).multiple)
            }
        }
        outputBytes = OutputPlan.keepingShards(of: checkpoint).totalBytes
        leftOut = checkpoint.entries.compactMap { entry in entry.omission.map { (entry.relativePath, "\($0)") } }
        refused = checkpoint.entries.compactMap { entry in entry.refusal.map { (entry.relativePath, "\($0)") } }
        notes = architecture.notes
        isProtected = try checkpoint.document(named: Manifest.fileName) != nil
    }

    public var json: JSONValue {
        .object([
            "architecture": .string(family), "model_type": .string(modelType), "tensors": .int(tensorCount),
            "files": .int(fileCount),
            "types": .object(JSONObject(types.map { ($0.name, .int($0.bytes)) })),
            "dimensions": .object(JSONObject(dimensions.map { ($0.name, .int($0.value)) })),
            "sites": .array(sites.map(\.json)), "limits": .array(limits.map(JSONValue.string)),
            "opaque_parts": .array(opaqueParts.map(\.json)), "evaluable": .bool(opaqueParts.isEmpty),
            "methods": .array(
                methods.map {
                    .object([
                        "method": .string($0.name), "sampler": .string($0.sampler.rawValue),
                        "condition": .double($0.sampler.defaultCondition), "default": .bool($0.isDefault),
                        "sites": .int($0.sites), "rewritten_bytes": .int($0.bytes),
                        "predicted_rounding_multiple": .double($0.roundingMultiple),
                    ])
                }),
            "output_bytes": .int(outputBytes), "left_out": Self.list(leftOut), "refused": Self.list(refused),
            "notes": .array(notes.map(JSONValue.string)), "protected": .bool(isProtected),
        ])
    }

    private static func list(_ files: [(path: String, reason: String)]) -> JSONValue {
        .array(files.map { .object(["file": .string($0.path), "reason": .string($0.reason)]) })
    }
}
