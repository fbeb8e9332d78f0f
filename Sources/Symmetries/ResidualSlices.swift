import Architectures
import OrderedCollections

/// Gathers the slices of one residual stream, each tensor's axis once.
struct ResidualSlices {
    private struct Key: Hashable {
        let tensor: String
        let axis, start: Int
    }

    private var slices: OrderedDictionary<Key, Site.Slice> = [:]
    /// What knows no signs; nil where nothing does.
    private(set) var signLimit: String?

    var all: [Site.Slice] { Array(slices.values) }

    private mutating func add(
        _ tensor: String?, axis: Int, start: Int = 0, _ representation: Representation = .direct, width: Int = 1
    ) {
        guard let tensor else { return }
        let key = Key(tensor: tensor, axis: axis, start: start)
        guard slices[key] == nil else { return }
        slices[key] = .init(
            tensor: tensor, axis: axis, start: start, representation: representation, part: .residual, width: width)
    }

    /// A table or a vector with axes before the one of the channels.
    private mutating func addTable(_ tensor: String?) { add(tensor, axis: 1) }

    private mutating func addFactors(_ tensor: String?) { add(tensor, axis: 0, .permutation) }

    private mutating func add(_ norm: Norm?) {
        guard let norm else { return }
        if norm.kind == .layer { signLimit = "norms that subtract the mean" }
        addFactors(norm.weight)
        add(norm.bias, axis: 0)
    }

    /// - Parameter start: where the stream begins among the inputs.
    private mutating func addReader(_ projection: Projection?, from start: Int = 0) {
        guard let projection else { return }
        if projection.outputAxis == 0 {
            add(projection.weight, axis: 1, start: start)
        } else {
            add(projection.weight, axis: 0, start: (projection.expert ?? 0) * projection.inputCount + start)
        }
    }

    private mutating func addWriter(_ projection: Projection) {
        if projection.outputAxis == 0 {
            add(projection.weight, axis: 0, start: (projection.expert ?? 0) * projection.storedOutputs)
        } else {
            add(projection.weight, axis: 1)
        }
        add(projection.bias, axis: projection.expert == nil ? 0 : 1)
    }

    // MARK: Stacks

    /// - Parameters:
    ///   - isOwn: whether the stack's stream is this one; another stack may read it as its encoder's.
    ///   - encoderIsOwn: whether the first stack's stream is.
    mutating func add(_ stack: Stack, isOwn: Bool, encoderIsOwn: Bool) {
        if isOwn { add(stack.embedding) }
        for sublayer in stack.layers.flatMap(\.sublayers) {
            if isOwn { add(sublayer) }
            if encoderIsOwn, case .attention(let block) = sublayer.operation, block.readsEncoder {
                addReader(block.keyValueLatent?.down ?? block.key)
                addReader(block.keyValueLatent == nil ? block.value : nil)
            }
        }
        guard isOwn else { return }
        add(stack.finalNorm)
        addReader(stack.finalProjection)
    }

    private mutating func add(_ embedding: Embedding) {
        switch embedding {
        case .tokens(let tokens):
            if let projection = tokens.projection {
                addWriter(projection)
                // What stands before the map lives in a space of its own.
                guard tokens.projectsBeforePositions else { return }
            } else {
                addTable(tokens.tokens)
            }
            addTable(tokens.positions)
            addTable(tokens.types)
            add(tokens.norm)
        case .patches(let patches):
            // Stored as (channels, colours, height, width): a channel is a run of rows of the width's length.
            add(patches.patches.weight, axis: 0, width: patches.channels * patches.patchSize)
            add(patches.patches.bias, axis: 0)
            for vector in patches.leading { add(vector, axis: patches.leadingAxis) }
            addTable(patches.positions)
            add(patches.norm)
        case .audio(let audio):
            signLimit = signLimit ?? "a nonlinearity behind the convolution"
            add(audio.second.weight, axis: 0, width: audio.second.inputCount / 3)
            add(audio.second.bias, axis: 0)
            addTable(audio.positions)
        }
    }

    private mutating func add(_ sublayer: Sublayer) {
        for norm in [sublayer.before, sublayer.after, sublayer.residual] { add(norm) }
        addFactors(sublayer.scale)
        switch sublayer.operation {
        case .attention(let block): add(block)
        case .mlp(let block): add(block)
        // Where there are such, no stream is moved.
        case .opaque: break
        case .experts(let block):
            addReader(block.router)
            addReader(block.sharedGate)
            for expert in block.experts + [block.shared].compactMap(\.self) { add(expert) }
        }
    }

    private mutating func add(_ block: AttentionBlock) {
        addTable(block.probe)
        addReader(block.queryLatent?.down ?? block.query)
        addReader(block.outputGate)
        if !block.readsEncoder {
            addReader(block.keyValueLatent?.down ?? block.key)
            addReader(block.sharedKey)
            if block.keyValueLatent == nil { addReader(block.value) }
        }
        addWriter(block.output)
    }

    private mutating func add(_ block: MLPBlock) {
        addReader(block.gate)
        addReader(block.up)
        addWriter(block.down)
    }

    // MARK: Heads

    mutating func add(_ head: Head, of architecture: Architecture, _ stacks: [Int]) {
        guard let last = architecture.stacks.last else { return }
        // A map behind the layers ends the stream.
        let isLast = stacks.contains(architecture.stacks.count - 1) && last.finalProjection == nil
        switch head {
        case .none: break
        case .language(let head):
            guard isLast else { return }
            guard let transform = head.transform else { return addReader(head.head) }
            addReader(transform.projection)
            // What the transform gives meets the tokens' vectors, which this stream may have moved.
            guard head.head.weight == last.tableOfTokens,
                slices[Key(tensor: head.head.weight, axis: 1, start: 0)] != nil
            else { return }
            if transform.activation != nil { signLimit = signLimit ?? "a nonlinearity before the tied head" }
            addWriter(transform.projection)
            add(transform.norm)
        case .classifier(let head):
            guard isLast else { return }
            for step in head.pooling == .meanOfHeads ? head.steps[...] : head.steps.prefix(1) {
                addReader(step.projection)
                if head.pooling == .firstAndMean { addReader(step.projection, from: step.projection.inputCount / 2) }
            }
        case .contrastive(let head):
            for tower in [head.text, head.image]
            where stacks.contains(where: { architecture.stacks[$0].name == tower.stack }) {
                if case .attention(let layer) = tower.pooling { for sublayer in layer.sublayers { add(sublayer) } }
                addReader(tower.projection)
            }
        }
    }
}
