import Protections
import Symmetries

/// What `protect --json` prints.
struct ProtectReport: Encodable {
    struct Step: Encodable {
        let method, sampler: String
        let condition: Double
        /// Whether it looked at activations although it can do without.
        let calibrated: Bool
        let parameters: [String: Double]
        /// How activations were stated as polynomials; absent where they stay.
        let ffn: String?

        init(_ step: ProtectionStep) {
            (method, sampler, condition) = (step.method.name, step.sampler.rawValue, step.condition)
            (calibrated, ffn) = (step.isCalibrated, step.ffn?.rawValue)
            parameters = Dictionary(uniqueKeysWithValues: step.parameters.map { ($0.key.name, $0.value) })
        }
    }

    let output, method: String
    /// Of the first step.
    let sampler: String
    let condition: Double
    let steps: [Step]
    /// What was done to the residual stream.
    let residual: String
    let keyIdentifier, nonce: String
    let sites, rewrittenTensors, rewrittenBytes, tensorBytes: Int
    let roundingMultiple: Double
    let scalesWereDropped: Bool
    /// Tensors whose weights were changed, so that the function is not the original's.
    let changed: [String]
    let cost: ChangeCost?
    let leftOut: [String]
    let seconds: Double
    let coreType: String

    enum CodingKeys: String, CodingKey {
        case output, method, sampler, condition, steps, residual, changed, cost
        case keyIdentifier = "key_id"
        case nonce, sites
        case rewrittenTensors = "rewritten_tensors"
        case rewrittenBytes = "rewritten_bytes"
        case tensorBytes = "tensor_bytes"
        case roundingMultiple = "predicted_rounding_multiple"
        case scalesWereDropped = "powers_of_two_dropped"
        case leftOut = "left_out"
        case seconds
        case coreType = "core_type"
    }

    init(_ report: Protector.Report, _ cost: ChangeCost?, output: String, seconds: Double) {
        let manifest = report.manifest
        self.output = output
        method = manifest.steps.name
        (sampler, condition) = (manifest.steps.all[0].sampler.rawValue, manifest.steps.all[0].condition)
        steps = manifest.steps.all.map(Step.init)
        residual = (manifest.steps.siteKinds.contains(.residual) ? manifest.steps.residual : .none).rawValue
        keyIdentifier = manifest.keyIdentifier
        nonce = manifest.nonce?.hexadecimal ?? ""
        sites = report.sites
        rewrittenTensors = report.rewrittenTensors
        rewrittenBytes = report.rewrittenBytes
        tensorBytes = report.tensorBytes
        roundingMultiple = manifest.roundingMultiple
        scalesWereDropped = report.scalesWereDropped
        (changed, self.cost) = (manifest.changed, cost)
        leftOut = manifest.leftOut
        self.seconds = seconds
        coreType = manifest.coreType
    }
}

/// What `restore --json` prints.
struct RestoreReport: Encodable {
    let output, method, keyIdentifier: String
    let sites, tensorBytes: Int
    let isAuthenticated: Bool
    let proved: String
    let tensors, identicalTensors, unchangedFiles: Int?
    let changes: [String]
    /// Tensors that keep what changed weights before the lock.
    let changed: [String]
    let seconds: Double

    enum CodingKeys: String, CodingKey {
        case output, method
        case keyIdentifier = "key_id"
        case sites
        case tensorBytes = "tensor_bytes"
        case isAuthenticated = "authenticated"
        case proved, tensors
        case identicalTensors = "identical_tensors"
        case unchangedFiles = "unchanged_files"
        case changes, changed, seconds
    }

    init(_ report: Protector.Report, output: String, seconds: Double) {
        let held = report.proof.flatMap { $0.holds ? $0 : nil }
        self.output = output
        method = report.manifest.steps.name
        keyIdentifier = report.manifest.keyIdentifier
        sites = report.sites
        tensorBytes = report.tensorBytes
        isAuthenticated = held != nil
        proved = held.map { $0.isBitForBit ? "bit for bit" : "to rounding" } ?? "none"
        tensors = held?.tensors
        identicalTensors = held?.identicalTensors
        unchangedFiles = held?.identicalFiles
        changed = report.manifest.changed
        changes = (report.proof?.changes ?? []).map(\.description)
        self.seconds = seconds
    }
}
