import Architectures

extension Architecture {
    /// Every place of the residual stream, in the order of computation.
    public var streamPoints: [ActivationPoint] {
        stacks.flatMap { stack in
            let blocks = stack.layers.enumerated().flatMap { number, layer in
                layer.sublayers.map { sublayer in
                    ActivationPoint.block(stack: stack.name, layer: number, name: sublayer.operation.shortName)
                }
            }
            return [.embedding(stack: stack.name)] + blocks + [.states(stack: stack.name)]
        }
    }

    /// Every linear map that is stored, once where several layers share it.
    public var storedMaps: Set<ActivationPoint.StoredMap> { Set(projections.map(\.storedMap)) }

    /// Every linear map of a block, an embedding or a head.
    package var projections: [Projection] {
        var projections = stacks.flatMap { stack in
            stack.embedding.projections + stack.layers.flatMap(\.projections)
                + [stack.finalProjection].compactMap(\.self)
        }
        switch head {
        case .language(let head): projections += [head.transform?.projection, head.head].compactMap(\.self)
        case .classifier(let head): projections += head.steps.map(\.projection)
        case .contrastive(let head):
            for tower in [head.text, head.image] {
                projections += [tower.projection].compactMap(\.self)
                if case .attention(let layer) = tower.pooling { projections += layer.projections }
            }
        case .none: break
        }
        return projections
    }

    /// Every linear map of a layer.
    package var layerProjections: [Projection] { stacks.flatMap { $0.layers.flatMap(\.projections) } }

    /// The maps of experts that a router chooses.
    var routedMaps: Set<ActivationPoint.StoredMap> {
        let sublayers = stacks.flatMap { $0.layers.flatMap(\.sublayers) }
        return Set(
            sublayers.flatMap { sublayer -> [Projection] in
                guard case .experts(let block) = sublayer.operation else { return [] }
                return block.experts.flatMap(\.projections)
            }.map(\.storedMap))
    }

    /// How a point is written.
    public func spelling(of point: ActivationPoint) -> String {
        switch point {
        case .embedding(let stack): stack + ".embedding"
        case .block(let stack, let layer, let name): "\(stacks.count > 1 ? stack + "." : "")layers.\(layer).\(name)"
        case .states(let stack): stack + ".states"
        case .input(let map): map.spelling + ".input"
        case .output(let map): map.spelling
        }
    }

    /// The point that is written so.
    ///
    /// - Parameter path: the model's, for the error.
    /// - Throws: `unknownActivation` unless the model has it.
    public func activationPoint(spelled text: String, path: String) throws(ForwardError) -> ActivationPoint {
        if let point = streamPoints.first(where: { spelling(of: $0) == text }) { return point }
        let maps = storedMaps
        // A tensor may itself be called so.
        if let map = maps.first(where: { $0.spelling == text }) { return .output(of: map) }
        if let map = maps.first(where: { $0.spelling + ".input" == text }) { return .input(of: map) }
        throw unknown(text, path: path)
    }

    /// Throws unless the model computes all of the points.
    func require(_ points: some Collection<ActivationPoint>, path: String) throws(ForwardError) {
        guard !points.isEmpty else { return }
        let (stream, maps) = (Set(streamPoints), storedMaps)
        for point in points {
            let isKnown =
                switch point {
                case .embedding, .block, .states: stream.contains(point)
                case .input(let map), .output(let map): maps.contains(map)
                }
            if !isKnown { throw unknown(spelling(of: point), path: path) }
        }
    }

    /// Names the known point that begins like the one in question, as far as any does.
    private func unknown(_ text: String, path: String) -> ForwardError {
        let known = streamPoints.map(spelling) + storedMaps.map(\.spelling).sorted()
        let nearest = known.max { $0.commonPrefix(with: text) < $1.commonPrefix(with: text) }
        return .unknownActivation(path: path, name: text, nearest: nearest ?? "")
    }
}

extension String {
    /// How many bytes two texts have in common at their beginning.
    fileprivate func commonPrefix(with other: String) -> Int { zip(utf8, other.utf8).prefix { $0 == $1 }.count }
}

extension ActivationPoint.StoredMap {
    var spelling: String { tensor + (expert.map { ".\($0)" } ?? "") }
}

extension Projection {
    package var storedMap: ActivationPoint.StoredMap { .init(weight, expert: expert) }
}

extension Sublayer.Operation {
    /// What the block is called within its layer.
    var shortName: String { blockName.split(separator: ".").last.map(String.init) ?? blockName }

    var projections: [Projection] {
        switch self {
        case .attention(let block):
            [block.query, block.key, block.value, block.output]
                + [block.queryLatent?.down, block.keyValueLatent?.down].compactMap(\.self)
        case .mlp(let block): block.projections
        case .experts(let block):
            [block.router] + (block.experts + [block.shared].compactMap(\.self)).flatMap(\.projections)
                + [block.sharedGate].compactMap(\.self)
        case .opaque: []
        }
    }
}

extension MLPBlock {
    var projections: [Projection] { [gate, up, down].compactMap(\.self) }
}

extension Layer {
    fileprivate var projections: [Projection] { sublayers.flatMap(\.operation.projections) }
}

extension Embedding {
    fileprivate var projections: [Projection] {
        switch self {
        case .tokens(let embedding): [embedding.projection].compactMap(\.self)
        case .patches(let embedding): [embedding.patches]
        case .audio(let embedding): [embedding.first, embedding.second]
        }
    }
}
