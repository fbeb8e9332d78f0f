import Architectures
import Checkpoints
import Protections
import Symmetries

/// What a model offers to protect, and what each method would touch.
public struct Inspection: Sendable {
    public struct SiteSummary: Sendable {
        public let kind: String
        public let count: Int
        public let group: String
        public let parameters: Int
    }

    public struct MethodSummary: Sendable {
        public let name: String
        public let sites: Int
        public let bytes: Int
        public let roundingMultiple: Double
    }

    public let family: String
    public let modelType: String
    public let tensorCount: Int
    public let fileCount: Int
    public let types: [(name: String, bytes: Int)]
    public let dimensions: [(name: String, value: Int)]
    public let sites: [SiteSummary]
    public let methods: [MethodSummary]
    /// Disk space that an output takes.
    public let outputBytes: Int
    public let leftOut: [String]
    public let isProtected: Bool

    public init(_ checkpoint: Checkpoint) throws {
        let architecture = try Architecture.resolve(checkpoint)
        let all = architecture.sites
        family = architecture.family
        modelType = architecture.modelType
        tensorCount = checkpoint.tensors.count
        fileCount = checkpoint.shards.count
        types = ElementType.allCases.compactMap { type in
            let bytes = checkpoint.tensors.values.filter { $0.type == type }.reduce(0) { $0 + $1.byteCount }
            return bytes > 0 ? (type.rawValue, bytes) : nil
        }
        dimensions = architecture.dimensions.map { ($0.key, $0.value) }
        sites = Site.Kind.allCases.compactMap { kind in
            let sites = all.filter { $0.kind == kind }
            return sites.first.map {
                SiteSummary(
                    kind: kind.rawValue, count: sites.count, group: $0.group.description,
                    parameters: sites.reduce(0) { $0 + $1.group.parameterCount })
            }
        }
        methods = ProtectionMethod.allCases.map { method in
            let protection = method.protection
            let touched = all.filter { protection.siteKinds.contains($0.kind) }
            let tensors = Set(touched.flatMap { $0.slices.map(\.tensor) })
            return MethodSummary(
                name: method.rawValue, sites: touched.count,
                bytes: tensors.reduce(0) { $0 + (checkpoint.tensors[$1]?.byteCount ?? 0) },
                roundingMultiple: touched.map {
                    $0.group.expectedRoundingMultiple(
                        protection.defaultSampler, condition: protection.defaultSampler.defaultCondition)
                }.max() ?? 1)
        }
        outputBytes = OutputPlan.keepingShards(of: checkpoint).totalBytes
        leftOut = checkpoint.leftOut
        isProtected = try checkpoint.document(named: Manifest.fileName) != nil
    }

    public var json: JSONValue {
        .object([
            "architecture": .string(family), "model_type": .string(modelType), "tensors": .int(tensorCount),
            "files": .int(fileCount),
            "types": .object(JSONObject(types.map { ($0.name, .int($0.bytes)) })),
            "dimensions": .object(JSONObject(dimensions.map { ($0.name, .int($0.value)) })),
            "sites": .array(
                sites.map {
                    .object([
                        "kind": .string($0.kind), "count": .int($0.count), "group": .string($0.group),
                        "parameters": .int($0.parameters),
                    ])
                }),
            "methods": .array(
                methods.map {
                    .object([
                        "method": .string($0.name), "sites": .int($0.sites), "rewritten_bytes": .int($0.bytes),
                        "predicted_rounding_multiple": .double($0.roundingMultiple),
                    ])
                }),
            "output_bytes": .int(outputBytes), "left_out": .array(leftOut.map(JSONValue.string)),
            "protected": .bool(isProtected),
        ])
    }
}
