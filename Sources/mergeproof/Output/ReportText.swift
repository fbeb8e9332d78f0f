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
            let drawn =
                step.sampler == .exact
                ? "exact elements"
                : "sampler \(step.sampler.rawValue), condition number \(fixed(step.condition, 1))"
            return "\(step.method.name), \(drawn)"
        }
        return """
            protected \(PrintableText.line(output))
              method     \(steps.joined(separator: "; then ")), key \(manifest.keyIdentifier)
              sites      \(report.sites) in \(report.rewrittenTensors) tensors (\(ByteSize.format(report.rewrittenBytes)) of \(ByteSize.format(report.tensorBytes)))
              rounding   about \(fixed(manifest.roundingMultiple, 1)) x that of storing the original
              time       \(fixed(seconds, 2)) s, \(ByteSize.format(Int(Double(report.tensorBytes) / max(seconds, 1e-6))))/s; OpenBLAS kernels: \(manifest.coreType)
            \(whatNoLongerFits(manifest))\(whatWasUntied(manifest))\(whatTheCardSays(manifest))
            This lock does not stop an attacker who aligns the weights to the public base model.
            """
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
        guard !proof.isBitForBit else {
            return
                "restored \(PrintableText.line(output)) bit for bit \(size)\nproved: all \(proof.tensors) tensors are the original's; \(files)\(card(proof, report.manifest))"
        }
        return
            "restored \(PrintableText.line(output)) to rounding \(size)\nproved: \(proof.identicalTensors) of \(proof.tensors) tensors are the original's to the bit, the others come from unchanged ones and are rounded; \(files)\(card(proof, report.manifest))"
    }

    /// What became of the model card; of one that was changed a warning tells.
    private static func card(_ proof: RestorationProof, _ manifest: Manifest) -> String {
        guard let card = manifest.card, !proof.changes.contains(where: \.isOfCard) else { return "" }
        return card.extendsAnother
            ? "; \(ModelCard.fileName) is the original's again"
            : "; \(ModelCard.fileName) was mergeproof's alone and is gone"
    }
}
