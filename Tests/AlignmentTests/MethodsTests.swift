import Alignment
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// What each way to estimate finds, and what it does not.
@Suite struct MethodsTests {
    private let place: Workplace
    private var folder: TemporaryDirectory { place.folder }

    init() throws { place = try Workplace() }

    private func edited(_ base: Checkpoint, _ body: (inout EditableModel) throws -> Void) throws -> Checkpoint {
        var model = try EditableModel(reading: base.path)
        try body(&model)
        Files.remove(folder("edited"))
        return try Checkpoint(opening: try model.write(to: folder("edited")))
    }

    /// One side of every head eight times as long, the other as much shorter.
    private func rescaled(_ base: Checkpoint, _ longer: String, _ shorter: String) throws -> Checkpoint {
        try edited(base) { model in
            for name in model.tensors.map(\.name) {
                if name.contains(longer) { try model.edit(name) { for i in $0.indices { $0[i] *= 8 } } }
                if name.contains(shorter) { try model.edit(name) { for i in $0.indices { $0[i] /= 8 } } }
            }
        }
    }

    /// A turned head comes back, its size with it; a matrix that is not orthogonal does not.
    @Test(arguments: ["llama", "gpt2"]) func rotationFindsTurnsAndSizes(name: String) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        let turned = try place.protect(own, [.mergelock], sampler: .orthogonal)
        #expect(try place.distance(Aligner(.rope).aligned(turned, to: base).0, own) < 0.03)
        if name == "gpt2" {
            #expect(try place.distance(Aligner(.rotation).aligned(turned, to: base).0, own) < 0.03)
            let dense = try place.protect(own, [.mergelock])
            #expect(try place.distance(Aligner(.rotation).aligned(dense, to: base).0, own) > 0.1)
        } else {
            let sized = try rescaled(own, "v_proj", "o_proj")
            #expect(try place.distance(Aligner(.rotation).aligned(sized, to: base).0, own) < 0.03)
            #expect(try place.distance(Aligner(.procrustes).aligned(sized, to: base).0, own) > 0.1)
        }
    }

    /// A rotary pair's phase and size come back by its own fit; unit numbers leave its size.
    @Test func pairsAreFittedOneByOne() throws {
        let (own, base) = try EditableModel.withBase("llama", .f32, in: folder)
        let sized = try rescaled(own, "k_proj", "q_proj")
        #expect(try place.distance(Aligner(.rope).aligned(sized, to: base).0, own) < 0.03)
        #expect(try place.distance(Aligner(.rotation).aligned(sized, to: base).0, own) > 0.1)
        let locked = try place.protect(own, [.mergelock])
        func error(_ method: AlignmentMethod) throws -> Double {
            let report = try Aligner(method).aligned(locked, to: base).1
            let acted = try Protector.elements(of: locked, key: Workplace.key)
            return try #require(AlignmentScore.all(of: report, against: acted)[.queryKey]?.error)
        }
        #expect(try error(.rope) < 0.05)
        #expect(try error(.rotation) > 0.2)
        #expect(try error(.gitRebasin) > 0.2)
    }

    /// Permutations come back, of hidden channels and of channels within heads; nothing else is moved.
    @Test func gitRebasinFindsPermutations() throws {
        let (own, base) = try EditableModel.withBase("bert", .f32, in: folder)
        let locked = try place.protect(own, [.params])
        let report = try Aligner(.gitRebasin).aligned(locked, to: base).1
        let acted = try Protector.elements(of: locked, key: Workplace.key)
        #expect(AlignmentScore.all(of: report, against: acted)[.mlp]?.permutationShare == 1)
        place.expectPermutations(ofValues: report)
        let plain = try Checkpoint(opening: Fixtures.path("llama"))
        let site = try #require(
            try Aligner(.coupled).aligned(plain, to: plain).1.sites.first { $0.kind == .valueOutput })
        let swapped = try edited(plain) { model in
            for slice in site.slices {
                let columns = model.tensors[try model.index(slice.tensor)].shape[1]
                try model.edit(slice.tensor) { values in
                    let old = values
                    for place in values.indices {
                        let (row, column) = (place / columns, place % columns)
                        let channel = (slice.axis == 0 ? row : column) - slice.start
                        guard (0..<site.group.dimension).contains(channel) else { continue }
                        let step = ((channel + 3) % site.group.dimension - channel) * (slice.axis == 0 ? columns : 1)
                        values[place] = old[place + step]
                    }
                }
            }
        }
        #expect(try place.distance(swapped, plain) > 0.05)
        #expect(try place.distance(Aligner(.gitRebasin).aligned(swapped, to: plain).0, plain) == 0)
    }

    /// Of each site the nearest of all methods: no single one that keeps the function comes nearer as a whole.
    @Test(arguments: [Sampler?.none, .orthogonal]) func theBestIsAsNearAsAny(sampler: Sampler?) throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        let locked = try place.protect(own, [.mergelock, .params], sampler: sampler)
        let (aligned, report) = try Aligner(.best).aligned(locked, to: base)
        let best = try place.distance(aligned, own)
        for method in AlignmentMethod.builtIn where method.keepsFunction && !method.takesCalibration {
            #expect(try best < 1.2 * place.distance(Aligner(method).aligned(locked, to: base).0, own), "\(method.name)")
        }
        #expect(best < 0.03)
        #expect(try place.difference(aligned, locked) < 1e-4)
        for kind in [Site.Kind.valueOutput, .queryKey, .mlp] {
            let taken = report.methods(kind)
            #expect(taken.reduce(0) { $0 + $1.count } == report.sites.count { $0.kind == kind })
            #expect(taken.map(\.count) == taken.map(\.count).sorted(by: >))
            #expect(!taken.contains { $0.method == "aga" || $0.method == "best" })
        }
    }

    /// A decoy deceives the fit of both sides, and neither what looks at the side that was left to it nor what looks where inputs lie.
    @Test func decoysAreSeenThrough() throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        var options = ProtectionOptions(StepOptions(method: .decoy), then: [StepOptions(method: .mergelock)])
        (options.nonce, options.writesCard, options.base) = (.zero, false, base)
        let inputs = ModelInputs(
            tokens: (0..<60).map { start in (0..<24).map { (start * 31 + $0 * $0 * 7) % 50 } })
        options.calibration = inputs
        _ = try Protector.unsynchronized.protect(own, to: folder("p"), key: Workplace.key, options: options)
        let protected = try Checkpoint(opening: folder("p"))
        let acted = try Protector.elements(of: protected, key: Workplace.key)
        // The attacker's texts are not the publisher's.
        let others = ModelInputs(
            tokens: (0..<40).map { start in (0..<20).map { (start * 17 + $0 * $0 * 11 + 5) % 50 } })
        func error(_ method: AlignmentMethod, _ kind: Site.Kind) throws -> Double {
            let report = try Aligner(method, calibration: method.takesCalibration ? others : nil)
                .aligned(protected, to: base).1
            return try #require(AlignmentScore.all(of: report, against: acted)[kind]?.error)
        }
        let plain = (try error(.coupled, .valueOutput), try error(.coupled, .queryKey))
        #expect(plain.0 > 0.3 && plain.1 > 0.6)
        for method in [AlignmentMethod.reweighted, .reverseOutput, .best, .coupledActivations] {
            #expect(try error(method, .valueOutput) < 0.15, "\(method.name)")
        }
        // Queries and keys were both spoilt.
        for method in [AlignmentMethod.best, .coupledActivations] {
            #expect(try error(method, .queryKey) < 0.4, "\(method.name)")
        }
        #expect(throws: AlignmentError.noCalibration(method: "coupled_activations")) {
            try Aligner(.coupledActivations).aligned(protected, to: base)
        }
    }

    /// Heads are told apart where inputs lie, and not by what was added to weights that no input reaches.
    @Test func headsAreToldByWhatIsRead() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        try model.round(to: .f32)
        for layer in 0..<2 {
            try model.editFloats("model.layers.\(layer).input_layernorm.weight") { gains in
                for place in 0..<16 { gains[place] = 0 }
            }
        }
        let plain = try model.write(to: folder("plain"))
        let base = try Checkpoint(opening: try EditableModel.base(of: plain).write(to: folder("base")))
        var stream = KeyedRandomStream(secret: [3], info: "unread")
        for tensor in model.tensors where tensor.shape.count == 2 {
            guard ["q_proj", "k_proj", "v_proj"].contains(where: tensor.name.contains) else { continue }
            try model.editFloats(tensor.name) { values in
                for place in values.indices where place % tensor.shape[1] < 16 {
                    values[place] += 64 * (stream.nextUnit() - 0.5)
                }
            }
        }
        let own = try Checkpoint(opening: try model.write(to: folder("own")))
        let protected = try place.protect(own, [.full])
        let inputs = ModelInputs(tokens: (0..<20).map { start in (0..<20).map { (start * 17 + $0 * $0 * 11) % 50 } })
        func share(_ method: AlignmentMethod) throws -> Double {
            let report = try Aligner(method, calibration: inputs).aligned(protected, to: base).1
            let acted = try Protector.elements(of: protected, key: Workplace.key)
            return try #require(AlignmentScore.all(of: report, against: acted)[.heads]?.permutationShare)
        }
        #expect(try share(.coupled) < 1)
        #expect(try share(.coupledActivations) == 1)
        #expect(try share(.activations) == 1)
    }
}
