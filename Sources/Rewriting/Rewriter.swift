import Checkpoints
import LinearAlgebra
import Symmetries

/// Makes the tensors that a script acts on. Protecting, restoring and undoing what an attack has found are the same act with other elements.
public struct Rewriter: Sendable {
    private let script: EditScript
    private let source: Checkpoint
    private let elements: ElementCache
    private let exchange: TensorExchange
    private let allowsNonFinite: Bool

    /// - Parameters:
    ///   - source: the original, or the other model where elements are to be undone.
    ///   - isInverse: undo the elements instead of applying them.
    ///   - allowsNonFinite: pass NaN and infinity on; they are refused otherwise.
    public init(
        _ script: EditScript, of source: Checkpoint, by provider: any ElementProvider, gains: FoldedGains,
        isInverse: Bool, allowsNonFinite: Bool
    ) throws {
        // One thread per product: bits must not depend on how many tiles are computed at once.
        BLASThreads.use(1)
        (self.script, self.source, self.allowsNonFinite) = (script, source, allowsNonFinite)
        elements = ElementCache(provider, isInverse: isInverse, gains: gains)
        exchange = try TensorExchange(script.sites, elements)
    }

    /// What makes a tensor of the output; nil where nothing acts on it.
    public func producer(of tensor: TensorSpec) -> (any TensorProducer)? {
        guard let edits = script.edits[exchange.origin(of: tensor.name)],
            let input = source.tensors[exchange.input(of: tensor.name)]
                ?? script.added.first(where: { $0.name == tensor.name })
        else { return nil }
        if let gain = edits.folded {
            let stored = elements.isInverse ? elements.gains.stored[tensor.name] : nil
            return StoredProducer(stored ?? (elements.isInverse ? [] : gain.ones(tensor)))
        }
        func make<Storage: WeightStorage>(_ storage: Storage.Type) -> any TensorProducer {
            WeightProducer<Storage>(
                edits: edits, input: input, source: source, elements: elements, allowsNonFinite: allowsNonFinite)
        }
        return switch edits.tensor.type {
        case .bf16: make(BF16Storage.self)
        case .f16: make(F16Storage.self)
        case .f32: make(F32Storage.self)
        default: make(F64Storage.self)
        }
    }
}
