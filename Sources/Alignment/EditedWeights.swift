import Checkpoints
import Foundations
import Rewriting
import Symmetries

/// A model's weights with elements undone: tensors are made when they are asked for.
final class EditedWeights: TensorSource {
    private let rewriter: Rewriter
    private let script: EditScript
    let others: [Checkpoint]

    init(
        _ script: EditScript, of model: Checkpoint, undoing elements: any ElementProvider, gains: FoldedGains = .none,
        isInverse: Bool = true
    ) throws {
        self.script = script
        rewriter = try Rewriter(
            script, of: model, by: elements, gains: gains, isInverse: isInverse, allowsNonFinite: true)
        others = [model]
    }

    func makes(_ name: String) -> Bool { script.acts(on: name) }

    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer) {
        guard let producer = rewriter.producer(of: tensor.spec) else { return }
        let scratch = WorkerScratch()
        for tile in producer.tiles {
            // What is not finite stays so: nothing else ends a tile of a script that fits.
            try? producer.write(tile, into: UnsafeMutableRawBufferPointer(rebasing: output[tile]), scratch: scratch)
        }
        producer.finish()
    }
}

/// Elements that were estimated, by the paths of their sites.
struct EstimatedElements: ElementProvider {
    let isExact = false
    let estimates: [String: Estimate]
    /// Whether the dual sides' own elements are meant, where these were found apart.
    var ofDuals = false

    func element(at site: Site) throws -> Element {
        guard let estimate = estimates[site.path] else { throw RewritingError.noElement(site: site.path) }
        return ofDuals ? estimate.dual ?? estimate.element : estimate.element
    }
}
