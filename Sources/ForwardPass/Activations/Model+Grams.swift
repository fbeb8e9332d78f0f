import Architectures
import LinearAlgebra

extension Model {
    /// What linear maps of one block read together, such as queries, keys and values, or gate and up.
    package struct Readers: Sendable {
        /// Stored tensors that read the same rows.
        package let tensors: [String]
        /// Rows that were read.
        package let count: Int
        /// Σ xᵀ·x over them, channels x channels.
        package let gram: Matrix<Double>
    }

    /// Evaluates in f32 and hands over the Gram matrix of what some tensors' maps read, as soon as no later layer reads more: at no time are
    /// more matrices held than one layer's blocks need.
    ///
    /// - Parameter tensors: which are wanted; maps of routed experts are passed over.
    package func grams(of tensors: Set<String>, on inputs: ModelInputs, _ use: (Readers) throws -> Void) throws {
        try withoutActuallyEscaping(use) { use in
            var groups: [[String]: (gram: GramSink, end: ActivationPoint)] = [:]
            for stack in architecture.stacks {
                for (number, layer) in stack.layers.enumerated() {
                    for sublayer in layer.sublayers {
                        let end = ActivationPoint.block(
                            stack: stack.name, layer: number, name: sublayer.operation.shortName)
                        for readers in sublayer.operation.readers {
                            var seen: Set<String> = []
                            let names = readers.map(\.weight).filter {
                                tensors.contains($0) && seen.insert($0).inserted
                            }
                            if !names.isEmpty {
                                groups[names] = (groups[names]?.gram ?? GramSink(threads: threads), end)
                            }
                        }
                    }
                }
            }
            // A tensor that several groups hold would be handed over twice.
            var taken: Set<String> = []
            var sinks: [ActivationPoint: any ActivationSink] = [:]
            var finished: [ActivationPoint: [([String], GramSink)]] = [:]
            for (names, group) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                let fresh = names.filter { taken.insert($0).inserted }
                guard let first = fresh.first else { continue }
                sinks[.input(of: .init(first))] = group.gram
                finished[group.end, default: []].append((fresh, group.gram))
            }
            for (end, groups) in finished {
                sinks[end] = BlockEnd {
                    for (names, sink) in groups where sink.count > 0 {
                        try use(Readers(tensors: names, count: sink.count, gram: sink.matrix))
                        sink.clear()
                    }
                }
            }
            _ = try single(inputs, sinks: sinks)
        }
    }
}

/// Is told when a block is done.
private final class BlockEnd: ActivationSink {
    private let body: () throws -> Void

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws { try body() }
}

extension Sublayer.Operation {
    /// Maps that read the same rows, together.
    fileprivate var readers: [[Projection]] {
        switch self {
        case .attention(let block):
            // Latents lie between, and an encoder's states are not the queries' own.
            let apart = block.queryLatent != nil || block.keyValueLatent != nil || block.readsEncoder
            let inner = apart ? [[block.query], [block.key, block.value]] : [[block.query, block.key, block.value]]
            let latents = [block.queryLatent, block.keyValueLatent].compactMap { $0.map { [$0.down] } }
            return inner + latents + [[block.output]]
        case .mlp(let block): return block.readers
        case .experts(let block): return block.shared?.readers ?? []
        case .opaque: return []
        }
    }
}

extension MLPBlock {
    fileprivate var readers: [[Projection]] {
        [[gate, up].compactMap(\.self).filter { $0.expert == nil }, [down].filter { $0.expert == nil }]
    }
}
