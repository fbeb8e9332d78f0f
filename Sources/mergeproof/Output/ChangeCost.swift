import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Protections

/// What is to be measured of a model before a lock acts on its changed weights, read and checked.
struct CostQuestion {
    private let model: Checkpoint
    /// Nil where none are given.
    private let examples: [ModelEvaluation.Example]?
    private let criticalLayers: [Int]
    /// What polynomials are looked at on; nil where activations stay.
    private let inputs: [ModelInputs]?
    private let threads: Int?

    /// Finds critical layers where they are asked for, and takes them out of the steps that mask.
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
        let examples = try path.map { try ModelEvaluation.examples(reading: $0) }
        var layers: [Int] = []
        if let critical, let examples, let base = options.base {
            let bar = ProgressBar("layers", quiet: quiet)
            layers = try CriticalLayers(of: model, base: base, on: examples, threads: options.threads) {
                bar.update(done: $0, of: $1)
            }.layers(share: critical)
            bar.finish()
            options.leaveAlone(layers, of: try Architecture.resolve(model).layerCount)
        }
        (self.model, self.examples, criticalLayers, threads) = (model, examples, layers, options.threads)
        inputs = states ? examples?.map(\.inputs) ?? options.calibration?.examples ?? [] : nil
    }

    /// - Parameter changed: the model with its weights changed and no lock.
    func cost(of changed: Checkpoint) throws -> ChangeCost {
        ChangeCost(
            scores: try examples.map {
                try ScoreCost(of: model, changed: changed, on: $0, criticalLayers: criticalLayers, threads: threads)
            },
            polynomials: try inputs.map { try PolynomialCost(of: model, stated: changed, on: $0, threads: threads) })
    }
}

/// What a changed model costs, and which layers were left alone for its sake.
struct ChangeCost: Encodable {
    /// Nil where no examples are given.
    let scores: ScoreCost?
    /// Nil where activations stay.
    let polynomials: PolynomialCost?

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
        func scores(_ checkpoint: Checkpoint) throws -> ModelEvaluation.Scores {
            try ModelEvaluation(model: Model(checkpoint, threads: threads)).scores(read)
        }
        let (before, after) = (try scores(model), try scores(changed))
        (accuracy, loss, examples) = (before.accuracy, before.loss, before.count)
        (changedAccuracy, changedLoss) = (after.accuracy, after.loss)
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
