import Architectures
import Protections
import Symmetries

/// Holds what a manifest says against what follows from the model and its own settings: one sentence for each disagreement.
struct ManifestCheck {
    let manifest: Manifest
    let architecture: Architecture
    let allowance: RoundingAllowance

    var problems: [String] {
        var problems: [String] = []
        for step in manifest.steps.all
        where !step.method.onlyChangesWeights && !step.method.samplers.contains(step.sampler) {
            let known = step.method.samplers.map(\.rawValue).joined(separator: ", ")
            problems.append(
                "\(Manifest.fileName): sampler \(step.sampler.rawValue) is none of \(step.method.name)'s: \(known)")
        }
        func agree(_ field: String, _ found: String, _ expected: String) {
            guard found != expected else { return }
            problems.append("\(Manifest.fileName): \(field) is \(found), expected \(expected)")
        }
        agree("architecture", manifest.family, architecture.family)
        agree("site_count", "\(manifest.siteCount)", "\(allowance.sites.count)")
        let multiple = allowance.predicted
        // Libraries may differ in the last digits of a logarithm.
        let isClose = (manifest.roundingMultiple - multiple).magnitude <= 1e-6 * multiple
        if !isClose || !multiple.isFinite {
            agree("predicted_rounding_multiple", "\(manifest.roundingMultiple)", "\(multiple)")
        }
        return problems
    }
}
