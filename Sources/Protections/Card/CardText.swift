import Symmetries

/// What a model card says of a protection: how it was done, what still works, what does not, and what it is no help against.
struct CardText {
    let steps: ProtectionSteps
    /// Expected cost of rounding in multiples of rounding the original.
    let roundingMultiple: Double
    /// A head that is stored apart now.
    let untied: String?

    var markdown: String {
        ([title, methods.joined(separator: "\n"), outputs, whatWorks, whatBreaks]
            + [untied.map(Self.headApart), limits, citation].compactMap(\.self)).joined(separator: "\n\n")
    }

    private var title: String {
        """
        ## Protected against merging

        The weights of this model were rewritten by mergeproof with secret invertible matrices. The model computes what the original does; \
        but averaging its weights with those of another model adds up what no longer belongs together.
        """
    }

    private var methods: [String] {
        steps.all.map { step in
            let origin = step.method.reference.map { " (\(Self.link($0)))" } ?? ""
            let layers = step.layers.map { " in layers \($0.map(String.init).joined(separator: ", "))" } ?? ""
            let assigned =
                step.isAssigned ? "; hidden channels lie as far from a base model's as a permutation can send them" : ""
            return "- `\(step.method.name)`\(origin): \(step.method.summary). Here it acts on "
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
        let exactness =
            steps.isExact
            ? """
            No weight was rounded: outputs are those of the original but for the order of additions, and whoever has the key gets the \
            original's weights back bit for bit.
            """
            : """
            Rewritten weights were rounded once, which is expected to cost about \((roundingMultiple * 10).rounded() / 10) times what storing the \
            original in its type does: up to that, outputs are those of the original, and whoever has the key gets the original's \
            weights back to rounding.
            """
        return "**Same outputs.** " + exactness
            + " `mergeproof verify ORIGINAL PROTECTED` compares both, from their weights and from their outputs."
    }

    private var whatWorks: String {
        """
        **What still works.** Inference, with the same code as before; fine-tuning of this model, whole or with adapters that are trained on it \
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
