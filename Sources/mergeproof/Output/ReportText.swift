import Architectures
import Checkpoints
import Foundations
import Protections

/// What commands say when they are done.
enum ReportText {
    /// Of a model that was judged by its weights.
    static func notEvaluated(_ part: OpaquePart) -> String {
        "outputs were not evaluated, as this program does not understand the \(part.name) (\(part.reason)); its \(part.tensors.count) tensors were compared to the bit"
    }

    static func protected(_ report: Protector.Report, output: String, seconds: Double) -> String {
        let manifest = report.manifest
        let steps = manifest.steps.all.map { step in
            let drawn: [String] =
                step.method.onlyChangesWeights
                ? []
                : step.sampler == .exact
                    ? ["exact elements"]
                    : ["sampler \(step.sampler.rawValue), condition number \(fixed(step.condition, 1))"]
            let weighted = step.isCalibrated ? ["weighted by activations"] : []
            return ([step.method.name] + drawn + weighted + step.settings).joined(separator: ", ")
        }
        let rate = ByteSize.format(Int(Double(report.tensorBytes) / max(seconds, 1e-6)))
        let rewritten = "\(ByteSize.format(report.rewrittenBytes)) of \(ByteSize.format(report.tensorBytes))"
        var lines = [
            "protected \(PrintableText.line(output))",
            "  method     \(steps.joined(separator: "; then ")), key \(manifest.keyIdentifier)",
        ]
        if report.sites > 0 {
            lines += [
                "  sites      \(report.sites) in \(report.rewrittenTensors) tensors (\(rewritten))",
                "  rounding   about \(fixed(manifest.roundingMultiple, 1)) x that of storing the original",
            ]
        }
        lines.append("  time       \(fixed(seconds, 2)) s, \(rate)/s; OpenBLAS kernels: \(manifest.coreType)")
        if !manifest.changed.isEmpty {
            lines.append(
                "\(changing(manifest)) changed the weights of \(count(manifest.changed)): the function is not the original's, and nothing gives it back. Evaluate both models to see what it costs."
            )
        }
        if manifest.steps.all.contains(where: { $0.ffn != nil }) {
            lines.append(
                "transformers loads it with trust_remote_code alone, and programs that know the native architecture do not compute it. Nothing about the polynomials is secret: the activation that each stands for is known, and gives the map behind it back."
            )
        }
        guard report.sites > 0 else {
            lines.append(
                "No lock was put on: whoever averages this model merges it with what is left."
                    + (manifest.card == nil ? "" : "\n\(ModelCard.fileName) says how the weights were changed."))
            return lines.joined(separator: "\n")
        }
        lines.append(whatNoLongerFits(manifest) + whatWasUntied(manifest) + whatTheCardSays(manifest))
        if manifest.steps.all.contains(where: { $0.method == .decoy }) {
            lines.append(
                "A decoy stops fits of the protected rows onto the base's alone: fits of the base onto them, of output columns, or weighted by activations still align the model."
            )
        }
        if !manifest.steps.all.contains(where: \.method.isKeyed) {
            lines.append("Nothing about this lock is secret: what was mirrored can be read off the protected weights.")
        }
        lines.append("This lock does not stop an attacker who aligns the weights to the public base model.")
        return lines.joined(separator: "\n")
    }

    private static func changing(_ manifest: Manifest) -> String {
        manifest.changedBy.map { $0 == "adapter" ? "the adapter" : $0 }.joined(separator: " and ")
    }

    private static func count(_ tensors: [String]) -> String {
        "\(tensors.count) tensor\(tensors.count == 1 ? "" : "s")"
    }

    private static func whatWasUntied(_ manifest: Manifest) -> String {
        manifest.untied.map {
            "\nThe head was the table of tokens and is stored apart now, as \(PrintableText.line($0.head)); config.json says so (\(UntiedHead.key): false)."
        } ?? ""
    }

    private static func whatTheCardSays(_ manifest: Manifest) -> String {
        manifest.card == nil
            ? "" : "\n\(ModelCard.fileName) says how the model was protected, what still works and what does not."
    }

    private static func whatNoLongerFits(_ manifest: Manifest) -> String {
        manifest.steps.siteKinds.contains(.residual)
            ? "Hidden states have changed: adapters, draft models and steering vectors must be trained on the protected model (--keep-hidden-states leaves the residual stream as it is)."
            : "Adapters, draft models and steering vectors that act inside attention or MLP layers must be trained on the protected model."
    }

    static func restored(_ report: Protector.Report, output: String, seconds: Double) -> String {
        let size = "(\(report.sites) sites, \(ByteSize.format(report.tensorBytes)) in \(fixed(seconds, 2)) s)"
        guard let proof = report.proof else {
            return
                "restored \(PrintableText.line(output)) \(size)\nnothing was proved: the model was protected before manifests were authenticated, so whether anything was changed since is not checked"
        }
        guard proof.holds else {
            return
                "restored \(PrintableText.line(output)) \(size)\nnothing was proved: the model is not as mergeproof protect wrote it, and its changes were accepted"
        }
        let files =
            report.manifest.untied != nil
            ? "config.json is the original's again, of other files \(proof.identicalFiles) are as mergeproof protect wrote them"
            : proof.identicalFiles > 1
                ? "config.json and \(proof.identicalFiles - 1) other files are as mergeproof protect wrote them"
                : "config.json is as mergeproof protect wrote it"
        let changed = report.manifest.changed
        let owner = changed.isEmpty ? "the original's" : "those that \(changing(report.manifest)) left"
        let kept =
            changed.isEmpty
            ? "" : "\nnot the original: \(count(changed)) keep what \(changing(report.manifest)) changed"
        guard !proof.isBitForBit else {
            return
                "restored \(PrintableText.line(output)) bit for bit \(size)\nproved: all \(proof.tensors) tensors are \(owner); \(files)\(card(proof, report.manifest))\(kept)"
        }
        return
            "restored \(PrintableText.line(output)) to rounding \(size)\nproved: \(proof.identicalTensors) of \(proof.tensors) tensors are \(owner) to the bit, the others come from unchanged ones and are rounded; \(files)\(card(proof, report.manifest))\(kept)"
    }

    /// What became of the model card; of one that was changed a warning tells.
    private static func card(_ proof: RestorationProof, _ manifest: Manifest) -> String {
        guard let card = manifest.card, !proof.changes.contains(where: \.isOfCard) else { return "" }
        return card.extendsAnother
            ? "; \(ModelCard.fileName) is the original's again"
            : "; \(ModelCard.fileName) was mergeproof's alone and is gone"
    }
}
