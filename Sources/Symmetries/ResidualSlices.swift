import Architectures
import OrderedCollections

/// Gathers the slices of one residual stream, each tensor's axis once, for permutations and for rotations.
struct ResidualSlices {
    private struct Key: Hashable {
        let tensor: String
        let axis, start: Int
    }

    private var slices: OrderedDictionary<Key, Site.Slice> = [:]
    /// Gains of norms and factors behind blocks, which permutations move.
    private var factors: OrderedDictionary<String, Site.Slice> = [:]
    private var gains: OrderedDictionary<String, Site.Gain> = [:]
    /// What knows no signs; nil where nothing does.
    private(set) var signLimit: String?
    /// What may not be turned; nil where nothing forbids it.
    private(set) var turnLimit: String?
    /// Whether some norm subtracts the mean over the channels.
    private(set) var subtractsMean = false

    /// A table that has to be stored twice.
    private(set) var untied: Site.Untied?
    private var untiedSlice: Site.Slice?

    /// What a permutation acts on.
    var permuted: [Site.Slice] {
        slices.values.map { slice in
            .init(
                tensor: slice.tensor, axis: slice.axis, start: slice.start, representation: slice.representation,
                part: slice.part, width: slice.width)
        } + factors.values
    }

    /// What a rotation acts on.
    var turned: [Site.Slice] { slices.values + [untiedSlice].compactMap(\.self) }
    /// The gains that a rotation asks to fold.
    var folded: [Site.Gain] { Array(gains.values) }

    private mutating func forbidTurning(_ what: String) { turnLimit = turnLimit ?? what }

    private mutating func add(
        _ tensor: String?, axis: Int, start: Int = 0, width: Int = 1, gain: Site.Gain? = nil, isDivided: Bool = false
    ) {
        guard let tensor else { return }
        let key = Key(tensor: tensor, axis: axis, start: start)
        let slice = Site.Slice(
            tensor: tensor, axis: axis, start: start, representation: .direct, part: .residual, width: width,
            gain: gain, isDivided: isDivided)
        if let known = slices[key] {
            if known != slice { forbidTurning("\(tensor) meets the stream with different gains") }
            return
        }
        slices[key] = slice
        if slices[Key(tensor: tensor, axis: 1 - axis, start: start)] != nil {
            forbidTurning("\(tensor) meets the stream on both sides")
        }
    }

    /// A table or a vector with axes before the one of the channels.
    private mutating func addTable(_ tensor: String?) { add(tensor, axis: 1) }

    private mutating func addFactors(_ tensor: String) {
        factors[tensor] = .init(tensor: tensor, axis: 0, start: 0, representation: .permutation, part: .residual)
    }

    /// A norm whose result is read by linear maps alone.
    private mutating func add(_ norm: Norm?) {
        guard let norm else { return }
        if norm.kind == .layer {
            signLimit = "norms that subtract the mean"
            subtractsMean = true
        }
        if let weight = norm.weight {
            addFactors(weight)
            gains[weight] = norm.gain
        }
        // g∘n + b = g∘(n + b/g), and the readers take g.
        add(norm.bias, axis: 0, gain: norm.gain, isDivided: norm.weight != nil)
    }

    /// A norm on the stream itself, or on what a block adds to it.
    private mutating func addInPlace(_ norm: Norm?) {
        guard let norm else { return }
        add(norm)
        if norm.weight != nil { forbidTurning("a norm with gains that goes on in the stream") }
    }

    /// - Parameters:
    ///   - norm: what stands between the stream and the map.
    ///   - start: where the stream begins among the inputs.
    private mutating func addReader(_ projection: Projection?, behind norm: Norm?, from start: Int = 0) {
        guard let projection else { return }
        let gain = norm?.gain
        if projection.outputAxis == 0 {
            add(projection.weight, axis: 1, start: start, gain: gain)
        } else {
            add(
                projection.weight, axis: 0, start: (projection.expert ?? 0) * projection.inputCount + start, gain: gain)
        }
    }

    /// - Parameter factor: what the block's result is multiplied by.
    private mutating func addWriter(_ projection: Projection, factor: Site.Gain? = nil) {
        if projection.outputAxis == 0 {
            add(projection.weight, axis: 0, start: (projection.expert ?? 0) * projection.storedOutputs, gain: factor)
        } else {
            add(projection.weight, axis: 1, gain: factor)
        }
        add(projection.bias, axis: projection.expert == nil ? 0 : 1, gain: factor)
    }

    // MARK: Stacks

    /// - Parameters:
    ///   - isOwn: whether the stack's stream is this one; another stack may read it as its encoder's.
    ///   - encoder: where the first stack's stream is this one, the norm behind its layers.
    mutating func add(_ stack: Stack, isOwn: Bool, encoder: Norm??) {
        if isOwn { add(stack.embedding) }
        for sublayer in stack.layers.flatMap(\.sublayers) {
            if isOwn { add(sublayer) }
            if let norm = encoder, case .attention(let block) = sublayer.operation, block.readsEncoder {
                addReader(block.keyValueLatent?.down ?? block.key, behind: norm)
                addReader(block.keyValueLatent == nil ? block.value : nil, behind: norm)
            }
        }
        guard isOwn else { return }
        add(stack.finalNorm)
        addReader(stack.finalProjection, behind: stack.finalNorm)
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
            addInPlace(tokens.norm)
        case .patches(let patches):
            // Stored as (channels, colours, height, width): a channel is a run of rows of the width's length.
            add(patches.patches.weight, axis: 0, width: patches.channels * patches.patchSize)
            add(patches.patches.bias, axis: 0)
            for vector in patches.leading { add(vector, axis: patches.leadingAxis) }
            addTable(patches.positions)
            addInPlace(patches.norm)
        case .audio(let audio):
            // No linear map stands between it and the stream to take R.
            forbidTurning("a nonlinearity behind the convolution")
            signLimit = signLimit ?? "a nonlinearity behind the convolution"
            add(audio.second.weight, axis: 0, width: audio.second.inputCount / 3)
            add(audio.second.bias, axis: 0)
            addTable(audio.positions)
        }
    }

    private mutating func add(_ sublayer: Sublayer) {
        add(sublayer.before)
        addInPlace(sublayer.after)
        addInPlace(sublayer.residual)
        let factor = sublayer.scale.map { Site.Gain(tensor: $0, offset: 0) }
        if let factor {
            addFactors(factor.tensor)
            gains[factor.tensor] = factor
            if sublayer.after != nil { forbidTurning("a factor for each channel of what a norm gives") }
        }
        switch sublayer.operation {
        case .attention(let block): add(block, behind: sublayer.before, factor)
        case .mlp(let block): add(block, behind: sublayer.before, factor)
        // Where there are such, no stream is moved.
        case .opaque: break
        case .experts(let block):
            addReader(block.router, behind: sublayer.before)
            addReader(block.sharedGate, behind: sublayer.before)
            for expert in block.experts + [block.shared].compactMap(\.self) {
                add(expert, behind: sublayer.before, factor)
            }
        }
    }

    /// - Parameter factor: for each channel of what the block gives (LayerScale), which its last map takes.
    private mutating func add(_ block: AttentionBlock, behind norm: Norm?, _ factor: Site.Gain?) {
        if block.probe != nil { forbidTurning("a learned query") }
        addTable(block.probe)
        addReader(block.queryLatent?.down ?? block.query, behind: norm)
        addReader(block.outputGate, behind: norm)
        if !block.readsEncoder {
            addReader(block.keyValueLatent?.down ?? block.key, behind: norm)
            addReader(block.sharedKey, behind: norm)
            if block.keyValueLatent == nil { addReader(block.value, behind: norm) }
        }
        addWriter(block.output, factor: factor)
    }

    private mutating func add(_ block: MLPBlock, behind norm: Norm?, _ factor: Site.Gain?) {
        addReader(block.gate, behind: norm)
        addReader(block.up, behind: norm)
        addWriter(block.down, factor: factor)
    }

    /// What stands in the place of a patch that is hidden from the model.
    mutating func addMask(_ tensor: String) { addTable(tensor) }

    // MARK: Heads

    private mutating func add(_ head: LanguageHead, behind norm: Norm?) {
        let isTable = slices[Key(tensor: head.head.weight, axis: 1, start: 0)] != nil
        guard let gain = norm?.gain, head.isTied else { return addReader(head.head, behind: norm) }
        guard isTable, let own = head.ownName else {
            forbidTurning("a head that config.json ties to its table and that can't be told apart from it")
            return addReader(head.head, behind: norm)
        }
        untied = .init(head: own, table: head.head.weight)
        untiedSlice = .init(
            tensor: own, axis: 1, start: 0, representation: .direct, part: .residual,
            gain: gain)
    }

    mutating func add(_ head: Head, of architecture: Architecture, _ stacks: [Int]) {
        guard let last = architecture.stacks.last else { return }
        // A map behind the layers ends the stream.
        let isLast = stacks.contains(architecture.stacks.count - 1) && last.finalProjection == nil
        switch head {
        case .none: break
        case .language(let head):
            guard isLast else { return }
            guard let transform = head.transform else { return add(head, behind: last.finalNorm) }
            forbidTurning("a transform before the head")
            addReader(transform.projection, behind: last.finalNorm)
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
                addReader(step.projection, behind: last.finalNorm)
                if head.pooling == .firstAndMean {
                    addReader(step.projection, behind: last.finalNorm, from: step.projection.inputCount / 2)
                }
            }
        case .contrastive(let head):
            for tower in [head.text, head.image]
            where stacks.contains(where: { architecture.stacks[$0].name == tower.stack }) {
                let norm = architecture.stacks.first { $0.name == tower.stack }?.finalNorm
                if case .attention(let layer) = tower.pooling {
                    forbidTurning("a pooling that attends")
                    for sublayer in layer.sublayers { add(sublayer) }
                }
                addReader(tower.projection, behind: norm)
            }
        }
    }
}

extension Norm {
    /// Nil where nothing is stored, and the factor is 1.
    package var gain: Site.Gain? { weight.map { Site.Gain(tensor: $0, offset: gainOffset) } }
}
