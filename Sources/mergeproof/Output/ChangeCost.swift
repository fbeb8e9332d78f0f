import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Protections

/// What changed weights cost a model on examples, and which layers were left alone for their sake.
struct ChangeCost: Encodable {
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

    /// Finds critical layers where they are asked for, takes them out of the steps that mask, and measures.
    /// - Returns: nil where no examples are given.
    init?(
        of model: Checkpoint, _ options: inout ProtectionOptions, examples path: String?, critical: Double?, quiet: Bool
    ) throws {
        if let critical {
            try requireShare("--critical", critical)
            guard path != nil, options.base != nil, options.steps.contains(where: { $0.method == .mergeguard }) else {
                throw CostError(reason: "--critical is for mergeguard and needs --base and --examples")
            }
        }
        guard let path else { return nil }
        guard options.steps.contains(where: \.changesWeights) || options.adapter != nil else {
            throw CostError(reason: "--examples measure what changed weights cost, and these methods change none")
        }
        let read = try ModelEvaluation.examples(reading: path)
        var layers: [Int] = []
        if let critical, let base = options.base {
            let bar = ProgressBar("layers", quiet: quiet)
            layers = try CriticalLayers(of: model, base: base, on: read, threads: options.threads) {
                bar.update(done: $0, of: $1)
            }.layers(share: critical)
            bar.finish()
            options.leaveAlone(layers, of: try Architecture.resolve(model).layerCount)
        }
        let changed = try Protector.changing(model, options)
        func scores(_ checkpoint: Checkpoint) throws -> (Double, Double, Int) {
            let evaluation = ModelEvaluation(model: try Model(checkpoint, threads: options.threads))
            let accuracy = try evaluation.evaluate(read, .accuracy)
            return (accuracy.value, try evaluation.evaluate(read, .loss).value, accuracy.count)
        }
        (accuracy, loss, examples) = try scores(model)
        (changedAccuracy, changedLoss, _) = try scores(changed)
        criticalLayers = layers
    }

    var text: String {
        let left =
            criticalLayers.isEmpty
            ? "" : "; critical layers left alone: \(criticalLayers.map(String.init).joined(separator: ", "))"
        return
            "On \(examples) examples the change takes accuracy from \(fixed(accuracy, 3)) to \(fixed(changedAccuracy, 3)), the loss from \(fixed(loss, 3)) to \(fixed(changedLoss, 3))\(left)."
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
