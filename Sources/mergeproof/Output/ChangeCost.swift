import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Protections

/// What a changed model costs, and which layers were left alone for its sake.
struct ChangeCost: Encodable {
    /// Nil where no examples are given.
    let scores: ScoreCost?
    /// Nil where activations stay.
    let polynomials: PolynomialCost?

    /// Finds critical layers where they are asked for, takes them out of the steps that mask, and measures.
    /// - Returns: nil where there is nothing to measure, or nothing to measure it on.
    init?(
        of model: Checkpoint, _ options: inout ProtectionOptions, examples path: String?, critical: Double?, quiet: Bool
    ) throws {
        if let critical {
            try requireShare("--critical", critical)
            guard path != nil, options.base != nil, options.steps.contains(where: { $0.method == .mergeguard }) else {
                throw CostError(reason: "--critical is for mergeguard and needs --base and --examples")
            }
        }
        let states = options.steps.contains { $0.ffn != nil }
        guard path != nil || states && options.calibration != nil else { return nil }
        guard options.steps.contains(where: \.changesWeights) || options.adapter != nil else {
            throw CostError(reason: "--examples measure what changed weights cost, and these methods change none")
        }
        let read = try path.map { try ModelEvaluation.examples(reading: $0) }
        var layers: [Int] = []
        if let critical, let read, let base = options.base {
            let bar = ProgressBar("layers", quiet: quiet)
            layers = try CriticalLayers(of: model, base: base, on: read, threads: options.threads) {
                bar.update(done: $0, of: $1)
            }.layers(share: critical)
            bar.finish()
            options.leaveAlone(layers, of: try Architecture.resolve(model).layerCount)
        }
        let changed = try Protector.changing(model, options)
        scores = try read.map {
            try ScoreCost(of: model, changed: changed, on: $0, criticalLayers: layers, threads: options.threads)
        }
        let inputs = read?.map(\.inputs) ?? options.calibration?.examples ?? []
        polynomials =
            states ? try PolynomialCost(of: model, stated: changed, on: inputs, threads: options.threads) : nil
    }

    func encode(to encoder: any Encoder) throws {
        try scores?.encode(to: encoder)
        enum Key: String, CodingKey { case polynomials }
        var container = encoder.container(keyedBy: Key.self)
        try container.encodeIfPresent(polynomials, forKey: .polynomials)
    }

    var text: String { [scores?.text, polynomials?.text].compactMap(\.self).joined(separator: "\n") }
}

/// What changed weights cost a model on examples.
struct ScoreCost: Encodable {
    let examples: Int
    /// Of the original, and with its weights changed and no lock.
    let accuracy, loss, changedAccuracy, changedLoss: Double
    let criticalLayers: [Int]

    enum CodingKeys: String, CodingKey {
        case examples, accuracy, loss
        case changedAccuracy = "changed_accuracy"
        case changedLoss = "changed_loss"
        case criticalLayers = "critical_layers"
    }

    init(
        of model: Checkpoint, changed: Checkpoint, on read: [ModelEvaluation.Example], criticalLayers: [Int],
        threads: Int?
    ) throws {
        func scores(_ checkpoint: Checkpoint) throws -> (Double, Double, Int) {
            let evaluation = ModelEvaluation(model: try Model(checkpoint, threads: threads))
            let accuracy = try evaluation.evaluate(read, .accuracy)
            return (accuracy.value, try evaluation.evaluate(read, .loss).value, accuracy.count)
        }
        (accuracy, loss, examples) = try scores(model)
        (changedAccuracy, changedLoss, _) = try scores(changed)
        self.criticalLayers = criticalLayers
    }

    var text: String {
        let left =
            criticalLayers.isEmpty
            ? "" : "; critical layers left alone: \(criticalLayers.map(String.init).joined(separator: ", "))"
        return
            "On \(examples) examples the change takes accuracy from \(fixed(accuracy, 3)) to \(fixed(changedAccuracy, 3)), the loss from \(fixed(loss, 3)) to \(fixed(changedLoss, 3))\(left)."
    }
}

extension PolynomialCost {
    fileprivate var text: String {
        "On \(examples) inputs the polynomials move outputs by \(scientific(outputError)) of their norm; \(fixed(outsideShare * 100, 3)) % of what goes into polynomials lies beyond the calibrated ranges, where the value at a range's end holds."
    }
}

/// Options that do not go together.
private struct CostError: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}

private func requireShare(_ option: String, _ value: Double) throws {
    guard value > 0, value < 1 else { throw CostError(reason: "\(option) is between 0 and 1, found \(value)") }
}
