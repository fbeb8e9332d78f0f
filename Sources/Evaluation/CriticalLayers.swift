import Architectures
import Checkpoints
import ForwardPass
import Foundations
import Protections

/// Layers whose part of what training added a model can least do without: found by putting the base's weights in the place of each layer's in
/// turn, as MergeGuard's second stage ranks them (arXiv 2511.11851).
public struct CriticalLayers: Sendable, Encodable {
    public struct Layer: Sendable, Encodable {
        public let layer: Int
        /// With the base's weights in this layer.
        public let accuracy, loss: Double
    }

    /// Of the model as it is.
    public let accuracy, loss: Double
    /// The most critical first.
    public let ranking: [Layer]

    /// - Parameter progress: called with how many layers of how many are done.
    /// - Throws: where base, data and model do not go together.
    public init(
        of model: Checkpoint, base: Checkpoint, on examples: [ModelEvaluation.Example], threads: Int? = nil,
        progress: ((Int, Int) -> Void)? = nil
    ) throws {
        let architecture = try Architecture.resolve(model)
        let whole = try Self.scores(model, examples, threads)
        (accuracy, loss) = (whole.accuracy, whole.loss)
        var layers: [Layer] = []
        for layer in 0..<architecture.layerCount {
            defer { progress?(layer + 1, architecture.layerCount) }
            var step = StepOptions(method: .mergeguard)
            (step.parameters, step.layers) = ([.masked: 1, .beta: 1], [layer])
            var options = ProtectionOptions(step)
            (options.base, options.threads) = (base, threads)
            let masked: Checkpoint
            // A layer that training left as it was costs nothing.
            do { masked = try Protector.changing(model, options) } catch ProtectionError.baseIsModel {
                layers.append(Layer(layer: layer, accuracy: accuracy, loss: loss))
                continue
            }
            let scores = try Self.scores(masked, examples, threads)
            layers.append(Layer(layer: layer, accuracy: scores.accuracy, loss: scores.loss))
        }
        ranking = layers.sorted { ($0.accuracy, $1.loss, $0.layer) < ($1.accuracy, $0.loss, $1.layer) }
    }

    /// The most critical share of all layers, one at least, in ascending order.
    public func layers(share: Double) -> [Int] {
        let count = max(1, Int((share * Double(ranking.count)).rounded()))
        return ranking.prefix(count).map(\.layer).sorted()
    }

    private static func scores(
        _ checkpoint: Checkpoint, _ examples: [ModelEvaluation.Example], _ threads: Int?
    ) throws -> ModelEvaluation.Scores {
        try ModelEvaluation(model: Model(checkpoint, threads: threads)).scores(examples)
    }
}
