import Architectures
import Checkpoints
import LinearAlgebra

extension Model {
    /// What one linear map reads on some inputs: a stored tensor, or one expert's part of it.
    package struct InputNorms: Sendable {
        /// The map's entries in the stored tensor, in row-major order.
        package let entries: Range<Int>
        /// Whether inputs lie along rows, as in (out, in), and not one below the other.
        package let inputsAreColumns: Bool
        /// How many rows x were read in y = x·Wᵀ + b.
        package let count: Int
        /// Whether positions are routed to it, so that it may have read none.
        package let isRouted: Bool
        /// ‖x_j‖₂ of each input channel j over them.
        package let norms: [Double]
    }

    /// Evaluates in f32 and gives, by name, the norms of what the maps in some tensors read: one for each expert where experts share a tensor. Sums
    /// are taken as activations are computed, and nothing else is kept. A map that reads several things (the pooling of SigLIP its probe and its
    /// states) or that layers share gets the sum of all of them.
    package func inputNorms(of tensors: Set<String>, on inputs: ModelInputs) throws -> [String: [InputNorms]] {
        var sinks: [ActivationPoint: ChannelSquares] = [:]
        var maps: [(Projection, ChannelSquares)] = []
        let routed = architecture.routedMaps
        for projection in architecture.projections where tensors.contains(projection.weight) {
            let point = ActivationPoint.input(of: projection.storedMap)
            guard sinks[point] == nil else { continue }
            let sink = ChannelSquares()
            sinks[point] = sink
            maps.append((projection, sink))
        }
        _ = try single(inputs, sinks: sinks)
        var found: [String: [InputNorms]] = [:]
        for (projection, sink) in maps {
            let size = projection.inputCount * projection.storedOutputs
            let start = (projection.expert ?? 0) * size
            found[projection.weight, default: []].append(
                InputNorms(
                    entries: start..<start + size, inputsAreColumns: projection.outputAxis == 0, count: sink.count,
                    isRouted: routed.contains(projection.storedMap), norms: sink.norms))
        }
        return found.mapValues { $0.sorted { $0.entries.lowerBound < $1.entries.lowerBound } }
    }
}
