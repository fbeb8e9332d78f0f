import Checkpoints
import Foundation
import Foundations
import Protections

/// What findings depend on, as text: files by their sizes and times, and all that was chosen.
struct AuditIdentity {
    private let common: String

    init(_ configuration: AuditConfiguration, _ models: AuditModels) throws {
        let experts = [configuration.model] + configuration.others
        let checkpoints = models.experts.map(\.checkpoint) + [models.base]
        let calibration = try configuration.calibration.map(Self.state) ?? "no calibration"
        let files = try checkpoints.map { try Self.state(of: $0.path) } + experts.map { try Self.state(of: $0.data) }
        common =
            (files + [
                "mergeproof \(Release.version)", "tasks \(experts.map(\.name))", "heads \(models.heads.sorted())",
                "examples \(configuration.examples)",
                "seed \(configuration.seed)",
                "singles \(configuration.otherCoefficients)", calibration,
            ]).joined(separator: "; ")
    }

    func key(_ finding: String) -> String { "\(finding); \(common)" }

    /// What a protection depends on besides.
    func description(
        _ protection: AuditConfiguration.Protection, opening: (String) throws -> Checkpoint
    ) throws -> String {
        switch protection.form {
        case .none: "none"
        case .published(let path): try Self.state(of: opening(path).path)
        case .steps(let steps):
            steps.map(Self.text).joined(separator: " + ")
        }
    }

    private static func text(_ step: StepOptions) -> String {
        let parameters = step.parameters.map { "\($0.key.name) \($0.value)" }.sorted()
        let kinds = step.siteKinds.map { $0.map(\.rawValue).sorted() }
        return
            "\(step.method.name) \(step.sampler?.rawValue ?? "-") \(step.condition ?? 0) \(kinds ?? ["-"]) \(step.residual) \(step.layers ?? [-1]) \(parameters) \(step.ffn?.rawValue ?? "-")"
    }

    /// Every file's name, size and time.
    private static func state(of path: String) throws -> String {
        let system = PosixSystemCalls()
        let names =
            try system.status(path).kind == .directory ? try system.list(path).sorted().map { "\(path)/\($0)" } : [path]
        let states = try names.map { name in
            let status = try system.status(name)
            return "\(name) \(status.size) \(status.modifiedSeconds).\(status.modifiedNanoseconds)"
        }
        return states.joined(separator: ", ")
    }
}
