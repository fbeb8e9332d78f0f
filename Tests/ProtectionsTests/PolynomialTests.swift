import Architectures
import Checkpoints
import ForwardPass
import Foundation
import Foundations
import LinearAlgebra
import Protections
import TestSupport
import Testing

/// MergeBarrier's second part: what is published in the place of activations, what it computes, and what is refused.
@Suite struct PolynomialTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private static let inputs: ModelInputs = {
        var stream = KeyedRandomStream(secret: [9], info: "calibration")
        return ModelInputs(tokens: (0..<8).map { _ in (0..<12).map { _ in 4 + stream.nextIndex(below: 40) } })
    }()

    private func options(
        _ ffn: PolynomialActivations.Form? = .fit, order: Double? = nil, then others: ProtectionMethod...
    ) -> ProtectionOptions {
        var step = StepOptions(method: .mergebarrier)
        step.ffn = ffn
        step.parameters[.order] = order
        var options = ProtectionOptions(step, then: others.map(StepOptions.init(method:)))
        (options.nonce, options.calibration) = (.zero, Self.inputs)
        return options
    }

    @discardableResult
    private func protect(
        _ model: Checkpoint, _ options: ProtectionOptions, to name: String = "p"
    ) throws -> EditableModel {
        Files.remove(folder(name))
        _ = try Protector.unsynchronized.protect(model, to: folder(name), key: key, options: options)
        return try EditableModel(reading: folder(name))
    }

    private func fixture(_ name: String) throws -> Checkpoint { try Checkpoint(opening: Fixtures.path(name)) }

    /// D = W·diag(g) with g = ±2^e, and series that are the activation divided by g over the calibrated range.
    @Test(arguments: ["llama_bf16", "bert", "gpt2", "phi3", "opt", "t5_gated"])
    func mapsAreScaledAndSeriesStandForActivations(name: String) throws {
        let source = try fixture(name)
        let before = try EditableModel(reading: source.path)
        var chosen = options(order: 12)
        if try Architecture.resolve(source).stacks.last?.readsEncoder == true {
            chosen.calibration?.decoderTokens = Self.inputs.tokens
        }
        let after = try protect(source, chosen)
        let architecture = try Architecture.resolve(Checkpoint(opening: folder("p")))
        let maps = Set(architecture.mlp.map { ActivationPoint.output(of: .init(($0.gate ?? $0.up).weight)) })
        let inner = try Model(source).single(try #require(chosen.calibration), activations: maps).activations
        #expect(architecture.polynomials?.order == 12 && !architecture.mlp.isEmpty)
        for block in architecture.mlp {
            let name = try #require(block.series)
            let (own, changed) = (try before.floats(block.down.weight), try after.floats(block.down.weight))
            let series = try after.floats(name)
            let first = block.gate ?? block.up
            let z = try #require(inner[.output(of: .init(first.weight))])
            var shares: Set<Double> = []
            var worst = 0.0
            for channel in 0..<block.intermediateSize {
                let places = try before.places(block.down.weight, axis: 1 - block.down.outputAxis, channel)
                let factor = try #require(places.first { own[$0] != 0 }.map { changed[$0] / own[$0] })
                #expect(
                    [1, 2, 4, 8].contains(factor.magnitude) && places.allSatisfy { changed[$0] == factor * own[$0] })
                shares.insert(factor)
                let row = Array(series[channel * 15..<(channel + 1) * 15])
                let values = (0..<z.rows).map { Double(z[$0, first.outputOffset + channel * first.outputStride]) }
                let (least, most) = (try #require(values.min()), try #require(values.max()))
                #expect((row[0] - (least + most) / 2).magnitude <= 1e-6 * max(1, most.magnitude))
                for value in values {
                    let t = min(max((value - row[0]) * row[1], -1), 1)
                    let sum = row[2...].enumerated().reduce(0) { $0 + $1.element * cos(Double($1.offset) * acos(t)) }
                    let error = (sum * factor - block.activation.value(at: value)).magnitude
                    worst = max(worst, error / max(most - least, 1))
                }
            }
            // A kink is not met by any polynomial.
            #expect(worst < (block.activation == .relu ? 0.06 : 1e-3))
            #expect(shares.count > 3)
        }
        // Nothing else has changed but queries and keys.
        let moved = Set(architecture.mlp.flatMap { [$0.down.weight, $0.series] }.compactMap(\.self))
        let mirrored = Set(
            architecture.attention.flatMap { [$0.query.weight, $0.query.bias, $0.key.weight, $0.key.bias] })
        for tensor in after.tensors where !moved.contains(tensor.name) && !mirrored.contains(tensor.name) {
            #expect(tensor.bytes == before.tensors[try before.index(tensor.name)].bytes)
        }
        #expect(after.tensors.count == before.tensors.count + architecture.mlp.count)
    }

    private func error(_ name: String, _ form: PolynomialActivations.Form, order: Double) throws -> Double {
        let source = try fixture(name)
        let stated = try Protector.changing(source, options(form, order: order))
        let (a, b) = (try Model(source).double(Self.inputs).values, try Model(stated).double(Self.inputs).values)
        return relativeDistance(a.flatMap(\.elements), b.flatMap(\.elements))
    }

    private func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
        (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / a.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// A higher order is nearer, and a fit nearer than the series, on what both were calibrated with.
    @Test(arguments: ["llama", "bert", "gpt2"])
    func ordersAndFormsComeNearer(name: String) throws {
        let fits = try [2.0, 4, 8, 16].map { try error(name, .fit, order: $0) }
        #expect(zip(fits, fits.dropFirst()).allSatisfy { $0 > $1 } && fits[2] < 1e-3, "\(fits)")
        #expect(try error(name, .taylor, order: 4) > fits[1])
    }

    /// The lock keeps what the polynomials compute, and restoring gives that back and says so.
    @Test(arguments: ["llama_bf16", "bert", "llama_sharded"])
    func locksKeepTheStatedModel(name: String) throws {
        let source = try fixture(name)
        let chain = options(then: .mergelock, .lossless)
        try protect(source, chain)
        try protect(source, options(), to: "alone")
        let (locked, alone) = (try Checkpoint(opening: folder("p")), try Checkpoint(opening: folder("alone")))
        let manifest = try Manifest.read(from: locked)
        #expect(manifest.changedBy == ["mergebarrier"] && manifest.steps.all[0].ffn == .fit)
        let report = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(report.proof?.holds == true)
        let restored = try Checkpoint(opening: folder("r"))
        #expect(restored.config?.root == locked.config?.root)
        #expect(Files.names(in: folder("r")).contains("modeling_mergebarrier.py"))
        let (a, b) = (try Model(restored).double(Self.inputs).values, try Model(locked).double(Self.inputs).values)
        let limit = name.hasSuffix("bf16") ? 3e-2 : 1e-5
        #expect(relativeDistance(a.flatMap(\.elements), b.flatMap(\.elements)) < limit)
        // The same polynomials whatever lock follows, but for the key's scales.
        let c = try Model(alone).double(Self.inputs).values
        #expect(relativeDistance(c.flatMap(\.elements), b.flatMap(\.elements)) < limit)
        var again = chain
        (again.threads, again.maximumShardSize) = (1, 1 << 14)
        let resharded = try protect(source, again, to: "again")
        let first = try EditableModel(reading: folder("p"))
        for tensor in first.tensors {
            #expect(tensor.bytes == resharded.tensors[try resharded.index(tensor.name)].bytes, "\(tensor.name)")
        }
    }

    /// A changed coefficient, a changed configuration and changed code stop restoring.
    @Test func changesAreFound() throws {
        try protect(try fixture("llama"), options())
        let path = folder("p")
        let code = path + "/modeling_mergebarrier.py"
        func refused(_ change: Change) throws {
            #expect(throws: ProtectionError.changed(path: path, [change])) {
                try Protector.unsynchronized.restore(Checkpoint(opening: path), to: folder("r"), key: key)
            }
        }
        let text = try Files.read(code)
        try Files.write(text + Array("# more\n".utf8), to: code)
        try refused(.file("modeling_mergebarrier.py"))
        try Files.write(text, to: code)
        let config = try Files.read(path + "/config.json")
        let other = String(decoding: config, as: UTF8.self).replacingOccurrences(of: "\"fit\"", with: "\"taylor\"")
        try Files.write(Array(other.utf8), to: path + "/config.json")
        try refused(.file("config.json"))
        try Files.write(config, to: path + "/config.json")
        var model = try EditableModel(reading: path)
        let name = try #require(model.tensors.first { $0.name.hasSuffix("series") }?.name)
        try model.edit(name) { $0[5] += 0.25 }
        try Files.write(model.safetensors, to: path + "/model.safetensors")
        try refused(.tensor(name))
    }

    @Test func badOptionsAreRefusedBeforeAnyWork() throws {
        let source = try fixture("llama")
        func refused(_ error: ProtectionError, _ options: ProtectionOptions, _ model: Checkpoint) {
            #expect(throws: error) {
                try Protector.unsynchronized.protect(model, to: folder("p"), key: key, options: options)
            }
            #expect(!Files.names(in: folder.path).contains("p"))
        }
        for order in [0.0, -1, 2.5, 25, .nan] {
            #expect(throws: ProtectionError.self) { try protect(source, options(order: order)) }
        }
        refused(
            .orderWithoutPolynomials,
            {
                var plain = options(nil, order: 8)
                plain.calibration = nil
                return plain
            }(), source)
        var none = options()
        none.calibration = nil
        refused(.needsInputs(method: "mergebarrier"), none, source)
        none.calibration = ModelInputs(tokens: [[1, 2, 3]])
        refused(.tooFewInputs(tensor: "model.layers.0.mlp.gate_proj.weight", found: 3, needed: 36), none, source)
        var other = ProtectionOptions(repeatable: .mergelock)
        (other.ffn, other.calibration) = (.fit, Self.inputs)
        refused(.statesNoPolynomials(method: "mergelock"), other, source)
        let (mixtral, opt) = (try fixture("mixtral"), try fixture("opt"))
        refused(
            .noPolynomials(
                path: mixtral.path, reason: "no MLP without experts and clamps lies in the layers that are acted on"),
            options(), mixtral)
        refused(
            .noPolynomials(path: opt.path, reason: "relu has no Taylor series; have its polynomials fitted"),
            options(.taylor), opt)
        var second = options()
        second = ProtectionOptions(second.steps[0], then: second.steps)
        second.calibration = Self.inputs
        refused(
            .noPolynomials(path: source.path, reason: "two steps would state them; leave one without"), second, source)
        var named = try EditableModel(reading: source.path)
        named.config["architectures"] = .array([.string("X\")\nimport os #")])
        try named.write(to: folder("named"))
        refused(
            .noPolynomials(path: folder("named"), reason: "config.json's architectures name no class of transformers"),
            options(), try Checkpoint(opening: folder("named")))
        // A model that is stated so already, without its manifest.
        try protect(source, options(), to: "stated")
        Files.remove(folder("stated/mergeproof.json"))
        refused(
            .noPolynomials(path: folder("stated"), reason: "they are polynomials already"), options(),
            try Checkpoint(opening: folder("stated")))
        // It may be locked as any other is.
        try protect(try Checkpoint(opening: folder("stated")), ProtectionOptions(repeatable: .full), to: "locked")
        let outputs = try ["stated", "locked"].map {
            try Model(Checkpoint(opening: folder($0))).double(Self.inputs).values.flatMap(\.elements)
        }
        #expect(relativeDistance(outputs[0], outputs[1]) < 1e-5)
    }

    /// What config.json says of polynomials is held against the model.
    @Test func configurationsAreReadStrictly() throws {
        try protect(try fixture("bert"), options())
        let model = try EditableModel(reading: folder("p"))
        let stated = try #require(model.config["mergebarrier"]?.object)
        let modules = try #require(stated["modules"]?.object)
        let module = try #require(modules.members.first?.key)
        func error(_ change: (inout EditableModel) throws -> Void) throws -> ArchitectureError? {
            var copy = model
            try change(&copy)
            Files.remove(folder("m"))
            try copy.write(to: folder("m"))
            let checkpoint = try Checkpoint(opening: folder("m"))
            do throws(ArchitectureError) {
                _ = try Architecture.resolve(checkpoint)
                return nil
            } catch { return error }
        }
        func state(_ key: String, _ value: JSONValue?) throws -> ArchitectureError? {
            try error { model in
                var object = stated
                object[key] = value
                model.config["mergebarrier"] = .object(object)
            }
        }
        #expect(try error { _ in } == nil)
        for (key, value): (String, JSONValue?) in [
            ("form", .string("spline")), ("order", .int(0)), ("order", .int(9)), ("order", .double(8.5)),
            ("order", nil),
            ("model_type", .string("roberta")), ("model_type", nil), ("architectures", .int(3)), ("architectures", nil),
            ("modules", nil), ("modules", .object([:])), ("modules", .object([module: .int(7)])),
            ("modules", .object(["encoder.layer.0.output.dense": .int(48)])), ("more", .int(1)),
        ] {
            #expect(try state(key, value) != nil, "\(key) \(String(describing: value))")
        }
        // A module less leaves its series without a meaning; none of it is another model.
        #expect(
            try state("modules", .object(JSONObject(modules.members.dropFirst().map { ($0.key, $0.value) }))) != nil)
        #expect(try error { $0.config["mergebarrier"] = nil } != nil)
        #expect(try error { $0.config["mergebarrier"] = .int(1) } != nil)
        #expect(try error { $0.config["model_type"] = .string("bert") } != nil)
        #expect(try error { $0.tensors.removeAll { $0.name.hasSuffix("series") } } != nil)
        #expect(
            try error { model in
                model.config["mergebarrier"] = nil
                model.config["model_type"] = .string("bert")
            } != nil)
    }
}
