import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// Decoys: what is left of the correlation with the base, and that it went at the least cost on the calibration data.
@Suite struct DecoyTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func inputs(_ model: Checkpoint, positions: Int = 96) throws -> ModelInputs {
        var stream = KeyedRandomStream(secret: [9], info: "calibration")
        return ModelInputs(
            tokens: (0..<max(1, positions / 12)).map { _ in
                (0..<min(12, positions)).map { _ in 4 + stream.nextIndex(below: 40) }
            })
    }

    private func options(
        _ methods: ProtectionMethod..., model: Checkpoint, base: Checkpoint
    ) throws -> ProtectionOptions {
        let steps = methods.map(StepOptions.init(method:))
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        (options.nonce, options.base, options.calibration) = (.zero, base, try inputs(model))
        return options
    }

    @discardableResult
    private func protect(_ model: Checkpoint, to name: String, _ options: ProtectionOptions) throws -> EditableModel {
        Files.remove(folder(name))
        _ = try Protector.unsynchronized.protect(model, to: folder(name), key: key, options: options)
        return try EditableModel(reading: folder(name))
    }

    private func makeBase(of path: String) throws -> Checkpoint {
        try EditableModel.base(of: path).write(to: folder("base"))
        return try Checkpoint(opening: folder("base"))
    }

    /// Real constraints on some rows of a map, one below the other as one long row: what each says is a row here.
    private func constraints(_ rows: [[Double]], pairs: Bool) -> [[Double]] {
        guard pairs else { return rows }
        // Multiplication by the conjugate of x + iy: its real and its imaginary part.
        return [rows[0] + rows[1], rows[1].map { -$0 } + rows[0]]
    }

    /// Blocks of channels that a group's element mixes.
    private func blocks(_ group: Group) -> [(channels: [Int], pairs: Bool)] {
        switch group {
        case .generalLinear(let n): [(Array(0..<n), false)]
        case .torus(let pairing), .pairSigns(let pairing):
            (0..<pairing.pairCount).map {
                ([pairing.channels(ofPair: $0).real, pairing.channels(ofPair: $0).imaginary], true)
            }
        case .monomial(let n, _): (0..<n).map { ([$0], false) }
        case .product(let factors):
            factors.indices.flatMap { number in
                let before = factors[..<number].reduce(0) { $0 + $1.dimension }
                return blocks(factors[number]).map { ($0.channels.map { $0 + before }, $0.pairs) }
            }
        default: []
        }
    }

    /// By the formula in real numbers, from activations that are computed in f64.
    @Test(arguments: ["bert", "llama", "gpt2", "phi3_partial", "qwen3", "gptj", "llama_biases"])
    func leastDamageLeavesAShareOfTheCorrelation(name: String) throws {
        let model = try Checkpoint(opening: Fixtures.path(name))
        let base = try makeBase(of: model.path)
        var options = try options(.decoy, model: model, base: base)
        options.parameters = [.strength: 0.8]
        let decoyed = try protect(model, to: "d", options)
        let (own, before) = (try EditableModel(reading: model.path), try EditableModel(reading: base.path))
        let changed = Set(try Manifest.read(from: Checkpoint(opening: folder("d"))).changed)
        let architecture = try Architecture.resolve(model)
        let sinks = Dictionary(
            uniqueKeysWithValues: changed.map { (ActivationPoint.input(of: .init($0)), GramSink(threads: 1)) })
        _ = try Model(model, threads: 1).double(try inputs(model), sinks: sinks)
        var seen: Set<String> = []
        for site in architecture.allSites where [.queryKey, .valueOutput, .mlp].contains(site.kind) {
            for slice in site.slices {
                guard changed.contains(slice.tensor), let sink = sinks[.input(of: .init(slice.tensor))],
                    ![.down].contains(slice.part)
                else { continue }
                if case .output = slice.part { continue }
                seen.insert(slice.tensor)
                let d = sink.matrix.columns
                var c = sink.matrix.elements.map { $0 / Double(sink.count) }
                let trace = (0..<d).reduce(0.0) { $0 + c[$1 * (d + 1)] }
                for i in 0..<d { c[i * (d + 1)] += 1e-3 * trace / Double(d) }
                let inverse = try Matrix(rows: d, columns: d, elements: c).inverse()
                func rows(_ model: EditableModel, _ channels: [Int]) throws -> [[Double]] {
                    let values = try model.floats(slice.tensor)
                    return try channels.map { channel in
                        try model.places(slice.tensor, axis: slice.axis, slice.start + channel * slice.stride)
                            .map { values[$0] }
                    }
                }
                for block in blocks(site.group) {
                    let (w, w0) = (try rows(own, block.channels), try rows(before, block.channels))
                    let found = try rows(decoyed, block.channels)
                    let long = block.pairs ? [w.flatMap(\.self)] : w
                    let limits = constraints(w0, pairs: block.pairs)
                    let g = Matrix(rows: limits.count, columns: limits[0].count, elements: limits.flatMap(\.self))
                    // Both members of a pair read the same: the metric repeats.
                    var metric = Matrix(rows: g.columns, columns: g.columns, repeating: 0.0)
                    for part in 0..<g.columns / d {
                        for i in 0..<d { for j in 0..<d { metric[part * d + i, part * d + j] = inverse[i, j] } }
                    }
                    let v = Matrix(rows: long.count, columns: g.columns, elements: long.flatMap(\.self))
                    let white = g * metric
                    let delta = v * g.transposed * (try (white * g.transposed).inverse()) * white
                    let expected = zip(v.elements, delta.elements).map { $0 - 0.8 * $1 }
                    let size = v.elements.reduce(0) { $0 + $1 * $1 } + delta.elements.reduce(0) { $0 + $1 * $1 }
                    let error = zip(expected, found.flatMap(\.self)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                    // The engine's activations are of f32.
                    #expect(error < 1e-7 * size, "\(site.path) \(slice.tensor): \((error / size).squareRoot())")
                }
            }
        }
        #expect(seen == changed && !seen.isEmpty)
    }

    /// A lock behind it is undone, and what the decoy made is left, whatever the number of threads.
    @Test func locksBehindItAreUndone() throws {
        let model = try Checkpoint(opening: Fixtures.path("llama_sharded"))
        let base = try makeBase(of: model.path)
        var alone = try options(.decoy, model: model, base: base)
        alone.layers = [1]
        let decoyed = try protect(model, to: "d", alone)
        let own = try EditableModel(reading: model.path)
        for tensor in own.tensors where tensor.name.contains("layers.0.") {
            #expect(tensor.bytes == decoyed.tensors[try decoyed.index(tensor.name)].bytes)
        }
        var chain = ProtectionOptions(alone.steps[0], then: [StepOptions(method: .lossless)])
        (chain.nonce, chain.base, chain.calibration, chain.threads) = (.zero, base, alone.calibration, 1)
        try protect(model, to: "p", chain)
        let report = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        #expect(report.proof?.isBitForBit == true)
        let back = try EditableModel(reading: folder("r"))
        for tensor in decoyed.tensors { #expect(tensor.bytes == back.tensors[try back.index(tensor.name)].bytes) }
        #expect(Files.names(in: folder.path).sorted() == ["base", "d", "p", "r"])
    }

    @Test func badCalibrationIsRefused() throws {
        let model = try Checkpoint(opening: Fixtures.path("llama"))
        let base = try makeBase(of: model.path)
        var options = try options(.decoy, model: model, base: base)
        options.calibration = try inputs(model, positions: 3)
        let width = model.tensors["model.layers.0.self_attn.q_proj.weight"]?.shape.last ?? 0
        #expect {
            try protect(model, to: "p", options)
        } throws: { error in
            guard case .tooFewInputs(_, 3, width / 4)? = error as? ProtectionError else { return false }
            return true
        }
        options.calibration = ModelInputs(tokens: [[1_000_000]])
        #expect(throws: (any Error).self) { try protect(model, to: "p", options) }
        options.calibration = ModelInputs(pixels: [PixelArray(shape: [1, 1, 1], values: [0])])
        #expect(throws: ForwardError.self) { try protect(model, to: "p", options) }
        options.calibration = try inputs(model)
        options.allowsNonFinite = true
        var broken = try EditableModel(reading: model.path)
        try broken.editFloats("model.embed_tokens.weight") { for place in $0.indices { $0[place] = .infinity } }
        try broken.write(to: folder("broken"))
        #expect {
            try protect(try Checkpoint(opening: folder("broken")), to: "p", options)
        } throws: { error in
            guard case .inputsNotFinite? = error as? ProtectionError else { return false }
            return true
        }
        #expect(Files.names(in: folder.path).sorted() == ["base", "broken"])
    }
}
