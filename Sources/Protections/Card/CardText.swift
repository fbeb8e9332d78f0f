import Symmetries

/// What a model card says of a protection: how it was done, what still works, what does not, and what it is no help against.
struct CardText {
    let steps: ProtectionSteps
    /// Expected cost of rounding in multiples of rounding the original.
    let roundingMultiple: Double
    /// A head that is stored apart now.
    let untied: String?
    /// What changed weights before any lock.
    let changedBy: [String]

    var markdown: String {
        let locks = steps.all.contains { !$0.method.onlyChangesWeights && !$0.siteKinds.isEmpty }
        let parts: [String?] =
            locks
            ? [title, methods.joined(separator: "\n"), changes, code, outputs, whatWorks, whatBreaks]
                + [untied.map(Self.headApart), limits, citation]
            : [changedTitle, methods.joined(separator: "\n"), changes, code, citation]
        return parts.compactMap(\.self).joined(separator: "\n\n")
    }

    private var title: String {
        let what = changedBy.isEmpty ? "what the original does" : "what it did before that"
        let how =
            steps.all.contains(where: \.method.isKeyed) ? "with secret invertible matrices" : "with invertible matrices"
        return """
            ## Protected against merging

            The weights of this model were rewritten by mergeproof \(how). The model computes \(what); \
            but averaging its weights with those of another model adds up what no longer belongs together.
            """
    }

    private var changedTitle: String {
        """
        ## Changed against merging

        The weights of this model were changed by mergeproof, and no lock was put on.
        """
    }

    private var changes: String? {
        guard !changedBy.isEmpty else { return nil }
        let names = Self.list(changedBy.map { $0 == "adapter" ? "an adapter" : "`\($0)`" })
        return
            "**Another function.** \(names) changed weights before anything else was done: outputs are not those of the original, and nothing in this directory gives the original's weights back."
    }

    /// How a model is loaded that needs code of its own.
    private var code: String? {
        guard hasPolynomials else { return nil }
        return """
            **Code of its own.** The activations of MLPs are polynomials here, which approximate the original's over the range that some calibration \
            data fill. transformers loads the model with `trust_remote_code=True`, by `modeling_mergebarrier.py` beside the weights; programs that know the \
            original's architecture alone do not compute it. Nothing about the polynomials is secret.
            """
    }

    private var hasPolynomials: Bool { steps.all.contains { $0.ffn != nil } }

    private var methods: [String] {
        steps.all.map { step in
            let origin = step.method.reference.map { " (\(Self.link($0)))" } ?? ""
            let layers = step.layers.map { " in layers \($0.map(String.init).joined(separator: ", "))" } ?? ""
            let assigned =
                step.isAssigned ? "; hidden channels lie as far from a base model's as a permutation can send them" : ""
            let weighted = step.isCalibrated ? " Here importance was weighted by activations on calibration data." : ""
            let settings = step.settings.joined(separator: ", ")
            let said = settings.isEmpty ? "" : " (\(settings))"
            guard !step.method.onlyChangesWeights, !step.siteKinds.isEmpty else {
                return "- `\(step.method.name)`\(origin)\(said): \(step.method.summary)\(layers).\(weighted)"
            }
            return "- `\(step.method.name)`\(origin)\(said): \(step.method.summary). Here it acts on "
                + "\(Self.list(places(step)))\(layers)\(assigned)."
        }
    }

    private func places(_ step: ProtectionStep) -> [String] {
        let kinds = step.siteKinds
        var places: [String] = []
        if kinds.contains(.queryKey) || kinds.contains(.queryKeyGain) { places.append("queries/keys") }
        if kinds.contains(.valueOutput) { places.append("values/outputs of attention") }
        if kinds.contains(.mlp) { places.append("hidden channels of MLPs") }
        if kinds.contains(.heads) { places.append("the order of heads") }
        if kinds.contains(.experts) { places.append("the order of experts") }
        if kinds.contains(.residual) { places.append("the residual stream") }
        return places
    }

    private var outputs: String {
        let owner = changedBy.isEmpty ? "the original" : "the changed model"
        let exactness =
            steps.isExact
            ? """
            No weight was rounded: outputs are those of \(owner) but for the order of additions, and whoever has the key gets \(owner)'s \
            weights back bit for bit.
            """
            : """
            Rewritten weights were rounded once, which is expected to cost about \((roundingMultiple * 10).rounded() / 10) times what storing the \
            original in its type does: up to that, outputs are those of \(owner), and whoever has the key gets \(owner)'s \
            weights back to rounding.
            """
        return "**Same outputs.** " + exactness
            + " `mergeproof verify ORIGINAL PROTECTED` compares both, from their weights and from their outputs."
    }

    private var whatWorks: String {
        """
        **What still works.** Inference, \(hasPolynomials ? "with the code beside the weights" : "with the same code as before"); fine-tuning of this model, whole or with adapters that are trained on it \
        (another learning rate may suit it); quantisation of the whole model (its error may differ from that of the quantised \
        original).
        """
    }

    private var whatBreaks: String {
        let inner = """
            **What breaks.** Adapters such as LoRA, steering vectors and other additions that were trained on the original and act on the places \
            named above do not fit, nor do deltas to the original's weights.
            """
        guard steps.siteKinds.contains(.residual) else {
            return inner
                + " The residual stream was not moved: hidden states between blocks are the original's up to rounding, and draft heads and "
                + "steering vectors that read or write nothing else still fit."
        }
        let how = steps.residual.form == nil ? "permuted" : "turned by an orthogonal matrix"
        return inner
            + " The residual stream was moved, too (\(how)): hidden states are not the original's, and draft heads, steering vectors, probes "
            + "and all else that reads or writes them must be trained on this model."
    }

    private static func headApart(_ head: String) -> String {
        "The output head was tied to the table of tokens and is stored apart now (`\(head)`), as config.json says."
    }

    private var limits: String {
        """
        **What it does not protect against.** Whoever aligns the weights to the public base model, or to another protected model of that base, undoes \
        what keeps it from being merged (\(Self.link("2606.30360"))). Nor does it stop reconstruction of single tasks, routing between \
        experts, distillation or fine-tuning, and it does not hide the model. mergeproof's README says more under "What it does not protect \
        against".
        """
    }

    private var citation: String? {
        let cited = steps.all.reduce(into: [String]()) { list, step in
            guard let reference = step.method.reference else { return }
            let entry = "arXiv:\(reference) for `\(step.method.name)`"
            if !list.contains(entry) { list.append(entry) }
        }
        return cited.isEmpty ? nil : "**To cite.** " + Self.list(cited) + "."
    }

    private static func link(_ reference: String) -> String {
        "[arXiv \(reference)](https://arxiv.org/abs/\(reference))"
    }

    private static func list(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }
}
