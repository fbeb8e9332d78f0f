import Architectures
import Checkpoints
import Foundations
import Protections
import Symmetries

/// What a model offers to protect, and what each method would touch.
public struct Inspection: Sendable {
    public struct MethodSummary: Sendable {
        public let name: String
        /// Nil where it draws no elements and changes weights alone.
        public let sampler: Sampler?
        /// The condition number that is used unless the user names one.
        public let condition: Double
        public let isDefault: Bool
        /// What must be given besides the model and the key: a base, calibration data.
        public let needs: [String]
        public let sites: Int
        public let bytes: Int
        /// Predicted cost of rounding, in multiples of rounding the original, at the site where it is largest.
        public let roundingMultiple: Double
        /// What it takes of this machine; nil where that was not asked for or can't be foretold.
        public fileprivate(set) var forecast: Forecast?
    }

    public struct FileRemark: Sendable {
        public let path: String
        public let reason: String
    }

    public let family: String
    public let modelType: String
    public let tensorCount: Int
    public let fileCount: Int
    /// Bytes by element type.
    public let types: NamedValues<Int>
    public let dimensions: NamedValues<Int>
    public let sites: [SiteSummary]
    /// What norms, gates and rotations forbid, and why.
    public let limits: [String]
    public let methods: [MethodSummary]
    /// What is copied and not understood.
    public let opaqueParts: [OpaquePart]
    /// Whether everything of the model can be computed.
    public let isEvaluable: Bool
    /// Disk space that an output takes.
    public let outputBytes: Int
    /// Files that no output holds, and why.
    public let leftOut: [FileRemark]
    /// Files beside which the model is not protected at all, and why.
    public let refused: [FileRemark]
    /// What is unusual about this checkpoint.
    public let notes: [String]
    public let isProtected: Bool

    /// - Parameters:
    ///   - threads: nil for all cores.
    ///   - starting: processor seconds that a program takes before it opens a model, for forecasts of what methods take of this machine, which cost
    ///     trials of a fraction of a second; nil for none.
    public init(_ checkpoint: Checkpoint, threads: Int? = nil, forecastsFrom starting: Double? = nil) throws {
        let began = ProcessUsage.processSeconds
        let architecture = try Architecture.resolve(checkpoint)
        let all = architecture.allSites
        family = architecture.family
        modelType = architecture.modelType
        tensorCount = checkpoint.tensors.count
        fileCount = checkpoint.shards.count
        types = NamedValues(
            ElementType.allCases.compactMap { type in
                let bytes = checkpoint.tensors.values.filter { $0.type == type }.reduce(0) { $0 + $1.byteCount }
                return bytes > 0 ? (type.rawValue, bytes) : nil
            })
        dimensions = NamedValues(architecture.dimensions.map { ($0.key, $0.value) })
        sites = SiteSummary.list(all)
        limits = architecture.limits
        opaqueParts = architecture.opaqueParts
        isEvaluable = architecture.isEvaluable
        let started = ProcessUsage.processSeconds
        let powers = try WeightPowers(of: all, in: checkpoint, threads: threads)
        let measuring = ProcessUsage.processSeconds - started
        var forecaster = try starting.map {
            try Forecaster(
                checkpoint, all, measuring: measuring, opening: $0 + started - began, threads: threads)
        }
        methods = try ProtectionMethod.allCases.flatMap { method in
            try method.samplers.map { sampler in
                let condition = sampler.defaultCondition
                let touched = all.filter {
                    method.siteKinds.contains($0.kind) && $0.group.isMoved(by: sampler, condition: condition)
                }
                let step = ProtectionStep(method: method, sampler: sampler, condition: condition)
                let tensors = Set(touched.flatMap { $0.slices.map(\.tensor) })
                return MethodSummary(
                    name: method.name, sampler: sampler, condition: condition,
                    isDefault: sampler == method.defaultSampler, needs: [],
                    sites: touched.count, bytes: tensors.reduce(0) { $0 + (checkpoint.tensors[$1]?.byteCount ?? 0) },
                    roundingMultiple: try PredictedRounding(touched, powers: powers) { _ in
                        [DrawLaw(sampler, condition: condition)]
                    }.multiple, forecast: try forecaster?.forecast(step, touched))
            } + Self.changing(method, architecture, checkpoint, &forecaster)
        }
        outputBytes = OutputPlan.keepingShards(of: checkpoint).totalBytes
        leftOut = checkpoint.entries.compactMap { entry in
            entry.omission.map { FileRemark(path: entry.relativePath, reason: "\($0)") }
        }
        refused = checkpoint.entries.compactMap { entry in
            entry.refusal.map { FileRemark(path: entry.relativePath, reason: "\($0)") }
        }
        notes = architecture.notes
        isProtected = try checkpoint.document(named: Manifest.fileName) != nil
    }

    /// A method that changes weights and draws nothing.
    private static func changing(
        _ method: ProtectionMethod, _ architecture: Architecture, _ checkpoint: Checkpoint,
        _ forecaster: inout Forecaster?
    ) throws -> [MethodSummary] {
        guard method.onlyChangesWeights, let change = method.change else { return [] }
        let tensors = change.tensors(of: checkpoint, architecture, method)
        return [
            MethodSummary(
                name: method.name, sampler: nil, condition: 1, isDefault: true,
                needs: (change.needsBase ? ["base"] : []) + (change.needsInputs ? ["calibration"] : []),
                sites: 0, bytes: tensors.reduce(0) { $0 + $1.byteCount }, roundingMultiple: 1,
                forecast: try forecaster?.forecast(change, of: tensors))
        ]
    }
}

extension Inspection: Encodable {
    enum CodingKeys: String, CodingKey {
        case family = "architecture"
        case modelType = "model_type"
        case tensorCount = "tensors"
        case fileCount = "files"
        case types, dimensions, sites, limits
        case opaqueParts = "opaque_parts"
        case isEvaluable = "evaluable"
        case methods
        case outputBytes = "output_bytes"
        case leftOut = "left_out"
        case refused, notes
        case isProtected = "protected"
    }
}

extension Inspection.MethodSummary: Encodable {
    enum CodingKeys: String, CodingKey {
        case name = "method"
        case sampler, condition, needs
        case isDefault = "default"
        case sites
        case bytes = "rewritten_bytes"
        case roundingMultiple = "predicted_rounding_multiple"
        case seconds = "predicted_compute_seconds"
        case peakBytes = "predicted_peak_bytes"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(sampler, forKey: .sampler)
        try container.encode(condition, forKey: .condition)
        try container.encode(needs, forKey: .needs)
        try container.encode(isDefault, forKey: .isDefault)
        try container.encode(sites, forKey: .sites)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(roundingMultiple, forKey: .roundingMultiple)
        try container.encode(forecast?.seconds, forKey: .seconds)
        try container.encode(forecast?.peakBytes, forKey: .peakBytes)
    }
}

extension Inspection.FileRemark: Encodable {
    enum CodingKeys: String, CodingKey {
        case path = "file"
        case reason
    }
}

extension Sampler: Encodable {}
