import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Synchronization

/// The second part of MergeBarrier (arXiv 2511.10712): what an MLP computes is published as polynomials of its hidden channels,
///
///     y = b + Σ_n Θ_n·(z - z0)ⁿ,   gated: Σ_n Θ_n·((z_g - z0)ⁿ ∘ z_u),
///
/// with z0 the middle of each channel's range over calibration data. As the matrices `Θ_n = W·diag(c_n)` are one matrix with its columns
/// scaled, they are stored as one, `D = W·diag(g)` in the place of W, and a row of coefficients `c/g` for each channel, in Chebyshev's
/// polynomials of `t = (z - z0)/r`. The g are drawn from the key, `±2^e` with e from 0 to 3. Beyond the range its ends hold.
///
/// It approximates, and hides nothing: whoever fits the known activation to a channel's polynomial finds its g.
struct Polynomials {
    /// The share of a fit's weight that is spread over the whole range, so that it holds where there are few data, too.
    private static let floor = 1e-3
    /// Nodes that carry it.
    private static let floorNodes = 64
    /// Positions for each coefficient.
    private static let positions = 4
    private static let scales = 4
    /// Families whose MLPs call a function where others have a module that can be replaced.
    private static let withoutModules: Set = ["lfm2"]

    let changes: [String: any TensorChange]
    let restatement: Restatement

    /// - Parameters:
    ///   - model: with all that changes weights before.
    ///   - stream: a random stream of the protection's key for each name.
    init(
        _ step: ProtectionStep, of model: Checkpoint, _ architecture: Architecture, inputs: ModelInputs, threads: Int?,
        stream: (String) -> KeyedRandomStream
    ) throws {
        guard let form = step.ffn, let config = model.config else {
            throw ProtectionError.noPolynomials(path: model.path, reason: "there is no config.json")
        }
        let order = step.order
        let positions = Self.positions * (order + 1)
        let blocks = try Self.blocks(of: architecture, step, path: model.path)
        let architectures = config.root["architectures"] ?? .null
        let code = try ModelingCode(architectures: architectures, path: model.path)
        let histograms = try Self.histograms(blocks, in: model, architecture, inputs: inputs, threads: threads)
        var changes: [String: any TensorChange] = [:]
        var tensors: [Restatement.Tensor] = []
        for (block, histogram) in zip(blocks, histograms) {
            guard histogram.count >= positions else {
                throw ProtectionError.tooFewInputs(
                    tensor: block.first.weight, found: histogram.count, needed: positions)
            }
            guard let down = model.tensors[block.mlp.down.weight] else { continue }
            var random = stream("polynomials/\(block.mlp.name)")
            let factors = (0..<block.mlp.intermediateSize).map { _ in
                random.nextSign() * Double(1 << random.nextIndex(below: Self.scales))
            }
            changes[down.name] = ChannelScaling(
                factors: factors, columns: down.matrixShape.columns, onRows: block.mlp.down.outputAxis == 1)
            let series = try Self.series(
                block.mlp.activation, form, order: order, histogram.spread,
                count: histogram.count, factors, tensor: block.first.weight,
                threads: threads)
            tensors.append(
                Restatement.Tensor(
                    TensorSpec(
                        name: PolynomialActivations.series(of: block.module), type: .f32,
                        shape: [factors.count, order + 3]),
                    home: down.shard, bytes: series.withUnsafeBytes(Array.init)))
        }
        let stated = PolynomialActivations(
            form: form, order: order, modelType: architecture.modelType,
            architectures: architectures,
            modules: blocks.map { ($0.module, $0.mlp.intermediateSize) })
        let text = code.config(config.root, stated).serialized(indented: true) + "\n"
        restatement = Restatement(
            config: try JSONDocument(parsing: Array(text.utf8), as: .lenient), tensors: tensors, files: [code.file])
        self.changes = changes
    }

    private struct Block {
        let mlp: MLPBlock
        let module: String

        /// The map whose outputs the activation takes.
        var first: Projection { mlp.gate ?? mlp.up }
    }

    private static func blocks(
        of architecture: Architecture, _ step: ProtectionStep, path: String
    ) throws -> [Block] {
        let layers = step.layers.map(Set.init)
        let blocks = architecture.denseMLPs.filter { $0.clamp == nil && layers?.contains($0.layer) ?? true }
            .compactMap { mlp in
                PolynomialActivations.module(of: (mlp.gate ?? mlp.up).weight).map { Block(mlp: mlp, module: $0) }
            }
            .sorted { $0.module < $1.module }
        if Self.withoutModules.contains(architecture.family) {
            throw ProtectionError.noPolynomials(
                path: path, reason: "transformers has no module for the activations of \(architecture.family)")
        }
        guard !blocks.isEmpty else {
            throw ProtectionError.noPolynomials(
                path: path, reason: "no MLP without experts and clamps lies in the layers that are acted on")
        }
        if step.ffn == .taylor, let block = blocks.first(where: { $0.mlp.activation.series(about: 0, order: 1) == nil })
        {
            throw ProtectionError.noPolynomials(
                path: path, reason: "\(block.mlp.activation.rawValue) has no Taylor series; have its polynomials fitted"
            )
        }
        return blocks
    }

    /// How the inputs of each block's activations are spread.
    private static func histograms(
        _ blocks: [Block], in model: Checkpoint, _ architecture: Architecture, inputs: ModelInputs, threads: Int?
    ) throws -> [ChannelHistograms] {
        let sinks = blocks.map { block in
            ChannelHistograms(
                channels: block.first.outputCount, offset: block.first.outputOffset, stride: block.first.outputStride)
        }
        let points = zip(blocks, sinks).map { (ActivationPoint.output(of: .init($0.first.weight)), $1) }
        let (model, examples) = (try Model(model, threads: threads), inputs.examples)
        for batch in architecture.batches(examples) {
            _ = try model.single(
                ModelInputs(joining: Array(examples[batch])), sinks: Dictionary(points) { first, _ in first })
        }
        return sinks
    }

    /// The rows `(c, s, a_0, …, a_N)` of all channels.
    private static func series(
        _ activation: Activation, _ form: PolynomialActivations.Form, order: Int, _ spread: ChannelSpread,
        count: Int, _ factors: [Double], tensor: String, threads: Int?
    ) throws -> [Float] {
        let columns = order + 3
        let found = Mutex([Float](repeating: 0, count: factors.count * columns))
        let run = 64
        try WorkerThreads.forEach((factors.count + run - 1) / run, threads: WorkerThreads.count(threads)) { number, _ in
            try Interruption.check()
            for channel in number * run..<min((number + 1) * run, factors.count) {
                let row = try row(
                    activation, form, order: order, spread, count: count, channel, factors[channel], tensor)
                found.withLock { $0.replaceSubrange(channel * columns..<(channel + 1) * columns, with: row) }
            }
        }
        return found.withLock(\.self)
    }

    private static func row(
        _ activation: Activation, _ form: PolynomialActivations.Form, order: Int, _ spread: ChannelSpread,
        count: Int, _ channel: Int, _ factor: Double, _ tensor: String
    ) throws -> [Float] {
        let (least, most) = (spread.minimum[channel], spread.maximum[channel])
        guard least.isFinite, most.isFinite else { throw ProtectionError.inputsNotFinite(tensor: tensor) }
        // What is stored is what is reckoned with.
        let centre = Double(Float(least / 2 + most / 2))
        let reciprocal = Float(2 / (most - least))
        let scale = reciprocal.isFinite ? Double(reciprocal) : 0
        let coefficients: [Double]
        if scale == 0 {
            coefficients = [activation.value(at: centre)]
        } else if form == .taylor {
            let terms = activation.series(about: centre, order: order) ?? []
            var power = 1.0
            coefficients =
                ChebyshevPolynomial(
                    monomials: terms.map { term in
                        defer { power /= scale }
                        return term * power
                    }
                ).coefficients
        } else {
            var nodes = ChebyshevPolynomial.zeros(floorNodes).map { t in
                (t: t, weight: floor / Double(floorNodes), value: activation.value(at: centre + t / scale))
            }
            for (z, number) in spread.histogram(of: channel) where number > 0 {
                nodes.append(
                    ((z - centre) * scale, (1 - floor) * Double(number) / Double(count), activation.value(at: z)))
            }
            coefficients = try ChebyshevPolynomial(order: order, fitting: nodes).coefficients
        }
        let row = [centre, scale] + (0...order).map { $0 < coefficients.count ? coefficients[$0] / factor : 0 }
        let stored = row.map { Float($0) }
        guard stored.allSatisfy(\.isFinite) else {
            throw ProtectionError.seriesNotFinite(tensor: tensor, channel: channel, order: order)
        }
        return stored
    }

    /// Scales the channels that a map reads.
    private struct ChannelScaling: TensorChange {
        let factors: [Double]
        let columns: Int
        /// Whether channels are rows of the stored tensor.
        let onRows: Bool

        func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
            for place in 0..<values.count {
                let channel = onRows ? (start + place) / columns : (start + place) % columns
                values[place] *= factors[channel]
            }
        }
    }
}

extension Architecture {
    /// Feed-forward blocks that every position goes through.
    fileprivate var denseMLPs: [MLPBlock] {
        let routed = stacks.flatMap(\.layers).flatMap(\.sublayers).flatMap { sublayer in
            if case .experts(let block) = sublayer.operation { block.experts.map(\.name) } else { [String]() }
        }
        let names = Set(routed)
        return mlp.filter { !names.contains($0.name) }
    }
}

extension MethodParameter {
    /// N: degree of the polynomials.
    public static let order = MethodParameter(
        "order", "degree of the polynomials that stand for activations", wholeIn: PolynomialActivations.orders)
}

extension ProtectionStep {
    /// The degree that holds where nothing is said.
    static let standardOrder = 8.0

    var order: Int { Int(parameters[.order] ?? Self.standardOrder) }
}
