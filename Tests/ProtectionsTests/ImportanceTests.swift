import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Protections
import TestSupport
import Testing

/// Masks that calibration data weighs: against sorting, with the norms of activations taken apart.
@Suite struct ImportanceTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func models(_ name: String, _ type: ElementType = .f32) throws -> (own: Checkpoint, base: Checkpoint) {
        try EditableModel.withBase(name, type, in: folder)
    }

    private func inputs(sequences: Int) -> ModelInputs {
        var stream = KeyedRandomStream(secret: [9], info: "calibration")
        return ModelInputs(tokens: (0..<sequences).map { _ in (0..<7).map { _ in 4 + stream.nextIndex(below: 40) } })
    }

    private func options(base: Checkpoint, _ inputs: ModelInputs?) -> ProtectionOptions {
        var options = ProtectionOptions(method: .mergeguard)
        (options.nonce, options.base, options.calibration) = (.zero, base, inputs)
        return options
    }

    private func protect(_ model: Checkpoint, _ options: ProtectionOptions) throws -> Protector.Report {
        Files.remove(folder("p"))
        return try Protector.unsynchronized.protect(model, to: folder("p"), key: key, options: options)
    }

    /// Models, and whether what reads a block lies there as (in, out).
    @Test(
        arguments: [
            ("bert", false), ("llama", false), ("gpt2", true), ("mixtral", false), ("granitemoe", false),
            ("gpt_oss", true),
        ], [ElementType.f32, .bf16])
    func theMostImportantEntriesAreMasked(model: (name: String, isTransposed: Bool), type: ElementType) throws {
        let (own, base) = try models(model.name, type)
        let inputs = inputs(sequences: 3)
        var options = options(base: base, inputs)
        options.parameters = [.masked: 0.2, .beta: 0.5]
        let report = try protect(own, options)
        let evaluated = try Model(own, threads: 1)
        let points = evaluated.architecture.storedMaps.map { ActivationPoint.input(of: $0) }
        let read = try evaluated.single(inputs, activations: Set(points)).activations
        let (before, other) = (try EditableModel(reading: own.path), try EditableModel(reading: base.path))
        let masked = try EditableModel(reading: folder("p"))
        #expect(report.manifest.changed.count >= 8 && report.manifest.steps.all[0].isCalibrated)
        for tensor in before.tensors {
            guard report.manifest.changed.contains(tensor.name) else {
                #expect(tensor.bytes == masked.tensors[try masked.index(tensor.name)].bytes)
                continue
            }
            let maps = evaluated.architecture.storedMaps.filter { $0.tensor == tensor.name }
                .sorted { $0.expert ?? 0 < $1.expert ?? 0 }
            let (a, b) = (try before.floats(tensor.name), try other.floats(tensor.name))
            let size = a.count / maps.count
            let columns = try #require(tensor.shape.last)
            let isTransposed = model.isTransposed && (model.name == "gpt2" || maps.count > 1)
            var expected = before
            try expected.editFloats(tensor.name) { values in
                for (number, map) in maps.enumerated() {
                    let rows = read[.input(of: map)]
                    let norms = rows.map { x in
                        (0..<x.columns).map { j in
                            (0..<x.rows).reduce(0.0) { $0 + Double(x[$1, j]) * Double(x[$1, j]) }.squareRoot()
                        }
                    }
                    #expect(maps.count > 1 || model.name == "mixtral" || norms != nil)
                    let importance = (0..<size).map { place in
                        let channel = isTransposed ? place / columns : place % columns
                        let change = Float((a[number * size + place] - b[number * size + place]).magnitude)
                        return norms.map { change * Float($0[channel]) } ?? change
                    }
                    let chosen = importance.indices.sorted { (importance[$1], $0) < (importance[$0], $1) }
                        .prefix(Int((0.2 * Double(size)).rounded()))
                    for i in chosen.map({ number * size + $0 }) { values[i] -= 0.5 * (a[i] - b[i]) }
                }
            }
            #expect(try expected.floats(tensor.name) == masked.floats(tensor.name), "\(tensor.name)")
        }
        options.threads = 1
        _ = try protect(own, options)
        #expect(try EditableModel(reading: folder("p")).tensors.map(\.bytes) == masked.tensors.map(\.bytes))
    }

    /// One token reaches two experts of each layer; the others are ranked as without data, and that is said.
    @Test func expertsThatReadNothingAreRankedByTheirChange() throws {
        let (own, base) = try models("mixtral")
        let weighted = try protect(own, options(base: base, ModelInputs(tokens: [[5]])))
        let some = try EditableModel(reading: folder("p"))
        let plain = try protect(own, options(base: base, nil))
        let none = try EditableModel(reading: folder("p"))
        #expect(plain.notes.isEmpty && !plain.manifest.steps.all[0].isCalibrated)
        let experts = weighted.manifest.changed.filter { $0.contains("experts") }
        let same = try experts.filter { try some.tensors[some.index($0)].bytes == none.tensors[none.index($0)].bytes }
        #expect(experts.count == 24 && same.count >= 12)
        #expect(weighted.notes.count == 1 && weighted.notes[0].hasPrefix("12 matrices of experts read nothing"))
        #expect(some.tensors.map(\.bytes) != none.tensors.map(\.bytes) && same.count < 24)
    }

    /// A matrix of any model can be weighed: the maps in it are known, and cover it.
    @Test(arguments: Fixtures.recorded + Fixtures.undescribed)
    func everyMatrixIsOfKnownMaps(name: String) throws {
        let model = try Checkpoint(opening: Fixtures.path(name))
        let architecture = try Architecture.resolve(model)
        let change = try #require(ProtectionMethod.mergeguard.change)
        for tensor in change.tensors(of: model, architecture, .mergeguard) {
            var known: Set<ActivationPoint.StoredMap> = []
            let entries = architecture.projections.filter { $0.weight == tensor.name }.reduce(0) { sum, map in
                known.insert(.init(map.weight, expert: map.expert)).inserted
                    ? sum + map.inputCount * map.storedOutputs : sum
            }
            #expect(entries == tensor.elementCount, "\(tensor.name)")
        }
    }

    @Test func whatCannotBeWeighedIsRefused() throws {
        let (own, base) = try models("llama")
        var pruned = ProtectionOptions(method: .params)
        (pruned.base, pruned.calibration) = (base, inputs(sequences: 1))
        #expect(throws: ProtectionError.noUseOfInputs(methods: ["params"])) { try protect(own, pruned) }
        var broken = try EditableModel(reading: own.path)
        try broken.editFloats("model.embed_tokens.weight") { for place in $0.indices { $0[place] = .infinity } }
        try broken.write(to: folder("broken"))
        var infinite = options(base: base, inputs(sequences: 1))
        infinite.allowsNonFinite = true
        #expect {
            try protect(try Checkpoint(opening: folder("broken")), infinite)
        } throws: { error in
            guard case .inputsNotFinite? = error as? ProtectionError else { return false }
            return true
        }
        #expect(throws: ForwardError.self) {
            try protect(own, options(base: base, ModelInputs(pixels: [PixelArray(shape: [1, 1, 1], values: [0])])))
        }
        let (opaque, other) = try models("bamba")
        #expect {
            try protect(opaque, options(base: other, inputs(sequences: 1)))
        } throws: { error in
            guard case .notEvaluable? = error as? ArchitectureError else { return false }
            return true
        }
        #expect(!Files.names(in: folder.path).contains("p"))
        #expect(try protect(opaque, options(base: other, nil)).manifest.changed.isEmpty == false)
    }
}
