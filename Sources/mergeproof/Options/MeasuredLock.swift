import Architectures
import Protections
import Symmetries

/// A lock that benchmarks and tables measure, as it is written behind `protect --method`.
struct MeasuredLock {
    let words: [String]
    /// What is done to residual streams beyond what the method does.
    let residual: ResidualTransform

    private init(_ method: ProtectionMethod, sites: String? = nil, residual: ResidualTransform = .permutation) {
        self.residual = residual
        words =
            [method.rawValue] + (sites.map { ["--sites", $0] } ?? [])
            + (residual == .permutation ? [] : ["--residual", residual.rawValue])
    }

    var name: String { words.joined(separator: " ") }
    var turnsStreams: Bool { residual.form != nil }

    /// Every method as it is, and what else its options make of it.
    static let all = ProtectionMethod.locks.flatMap { method -> [MeasuredLock] in
        switch method {
        case .lossless: [MeasuredLock(method), MeasuredLock(method, sites: "all")]
        case .full:
            [MeasuredLock(method)] + [.hadamard, .rotation].map { MeasuredLock(method, residual: $0) }
        default: [MeasuredLock(method)]
        }
    }

    /// Whether it acts on anything in a model.
    func findsSites(in architecture: Architecture) throws -> Bool {
        try options.steps.contains { options in
            let sampler = options.method.defaultSampler
            let step = ProtectionStep(
                method: options.method, sampler: sampler, condition: sampler.defaultCondition,
                siteKinds: options.siteKinds)
            return !step.sites(of: architecture).isEmpty
        }
    }

    /// What `protect` makes of the words.
    var options: ProtectionOptions { get throws { try .init(words: words) } }
}

/// A method that changes weights, alone or below locks, as it is written behind `protect --method`.
struct MeasuredChange {
    let words: [String]
    /// What it is given to look at.
    let usesBase, isCalibrated: Bool

    private init(_ words: String, usesBase: Bool = true, isCalibrated: Bool = false) {
        self.words = words.split(separator: " ").map(String.init)
        (self.usesBase, self.isCalibrated) = (usesBase, isCalibrated)
    }

    var name: String { (words + (isCalibrated ? ["--calibration"] : [])).joined(separator: " ") }
    var options: ProtectionOptions { get throws { try .init(words: words) } }

    static let all = [
        MeasuredChange("mergeguard"),
        MeasuredChange("mergeguard", isCalibrated: true),
        MeasuredChange("mergeguard+lossless"),
        MeasuredChange("params --prune 0.1"),
        MeasuredChange("decoy", isCalibrated: true),
        MeasuredChange("decoy+mergelock+params", isCalibrated: true),
        MeasuredChange("mergebarrier --ffn fit --order 8", usesBase: false, isCalibrated: true),
        MeasuredChange("mergebarrier --ffn taylor --order 8", usesBase: false, isCalibrated: true),
    ]
}

extension ProtectionOptions {
    /// What `protect` makes of words behind `--method`.
    fileprivate init(words: [String]) throws {
        let steps = try MethodOptions.parse(["--method"] + words).steps
        self.init(steps[0], then: Array(steps.dropFirst()))
    }
}
