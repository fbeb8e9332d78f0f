import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// MergeBarrier's attention part: heads are mirrored along their directions of largest energy.
@Suite struct ReflectionTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ name: String, share: Double? = nil) throws -> (EditableModel, EditableModel, [Site]) {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(repeatable: .mergebarrier)
        if let share { options.parameters = [.reflected: share] }
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        let sites = try Architecture.resolve(source).allSites.filter { $0.kind == .queryKey }
        return (try EditableModel(reading: source.path), try EditableModel(reading: folder("p")), sites)
    }

    /// A slice's channels as rows.
    private func rows(_ slice: Site.Slice, _ count: Int, of model: EditableModel) throws -> [[Double]] {
        let values = try model.floats(slice.tensor)
        return try (0..<count).map { channel in
            try model.places(slice.tensor, axis: slice.axis, slice.start + channel).map { values[$0] }
        }
    }

    private func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    @Test(arguments: ["bert", "gpt2", "t5"], [0.5, 0.25, 1])
    func headsAreMirroredAlongTheirEnergy(name: String, share: Double) throws {
        let (before, after, sites) = try protect(name, share: share)
        for site in sites {
            let n = site.group.dimension
            let slices = try site.slices.map { (try rows($0, n, of: before), try rows($0, n, of: after)) }
            var energy = Matrix<Double>(rows: n, columns: n, repeating: 0)
            for i in 0..<n {
                for j in 0..<n { energy[i, j] = slices.reduce(0) { $0 + product($1.0[i], $1.0[j]) } }
            }
            let vectors = try energy.symmetricEigen().vectors
            let mirrored = (n - Int((share * Double(n)).rounded())..<n)
            for (own, found) in slices {
                let size = own.flatMap(\.self).reduce(0) { $0 + $1 * $1 }
                var error = 0.0
                for channel in 0..<n {
                    for column in own[channel].indices {
                        let image = mirrored.reduce(own[channel][column]) { sum, vector in
                            sum - 2 * vectors[vector, channel]
                                * (0..<n).reduce(0) { $0 + vectors[vector, $1] * own[$1][column] }
                        }
                        error += (image - found[channel][column]) * (image - found[channel][column])
                    }
                }
                #expect(error < 1e-10 * max(size, 1e-12), "\(site.path): \(error / size)")
            }
        }
    }

    @Test(arguments: ["llama", "gptj", "phi3_partial", "qwen3"])
    func pairsOfLargestEnergyAreFlipped(name: String) throws {
        let (before, after, sites) = try protect(name)
        for site in sites {
            let pairing: ChannelPairing
            switch site.group {
            case .torus(let own), .pairSigns(let own): pairing = own
            case .product(let factors):
                guard case .torus(let own)? = factors.first else { throw TestFailure("no pairs at \(site.path)") }
                pairing = own
            default: throw TestFailure("no pairs at \(site.path)")
            }
            let n = site.group.dimension
            let slices = try site.slices.map { (try rows($0, n, of: before), try rows($0, n, of: after)) }
            let energies = (0..<pairing.pairCount).map { pair in
                let (x, y) = pairing.channels(ofPair: pair)
                return slices.reduce(0.0) { $0 + product($1.0[x], $1.0[x]) + product($1.0[y], $1.0[y]) }
            }
            let flipped = Set(energies.indices.sorted { energies[$0] > energies[$1] }.prefix((energies.count + 1) / 2))
            for pair in energies.indices {
                let (x, y) = pairing.channels(ofPair: pair)
                for (own, found) in slices {
                    for channel in [x, y] {
                        #expect(found[channel] == own[channel].map { flipped.contains(pair) ? -$0 : $0 })
                    }
                }
            }
        }
    }

    @Test(arguments: ["bert", "llama", "qwen3", "phi3_partial", "deepseek_v3", "gpt_oss"])
    func comesBackAndComposes(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var chain = ProtectionOptions(
            StepOptions(method: .mergebarrier), then: [StepOptions(method: .mergelock), StepOptions(method: .lossless)])
        chain.nonce = .zero
        for options in [ProtectionOptions(repeatable: .mergebarrier), chain] {
            for path in ["p", "r"] { Files.remove(folder(path)) }
            _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
            let report = try Protector.unsynchronized.restore(
                Checkpoint(opening: folder("p")), to: folder("r"), key: key)
            #expect(report.proof?.holds == true)
            let (before, after) = (try EditableModel(reading: source.path), try EditableModel(reading: folder("r")))
            for tensor in before.tensors where tensor.type.isComputable {
                let (a, b) = (try before.floats(tensor.name), try after.floats(tensor.name))
                let size = a.reduce(0) { $0 + $1 * $1 }
                #expect(zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } <= 1e-12 * size)
            }
        }
    }

    @Test func whatCannotBeSolvedIsRefused() throws {
        let source = try Checkpoint(opening: Fixtures.path("bert"))
        func refused(_ error: ProtectionError, _ options: ProtectionOptions, _ model: Checkpoint) {
            #expect(throws: error) {
                try Protector.unsynchronized.protect(model, to: folder("p"), key: key, options: options)
            }
            #expect(!Files.names(in: folder.path).contains("p"))
        }
        var options = ProtectionOptions(repeatable: .mergebarrier)
        for share in [0, -1, 1.5, Double.nan] {
            options.parameters = [.reflected: share]
            #expect(throws: ProtectionError.self) {
                try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
            }
        }
        options.parameters = [.beta: 1]
        refused(
            .unknownParameter(method: "mergebarrier", parameter: "beta", known: ["reflected", "order"]), options, source
        )
        options.parameters = [:]
        options.calibration = ModelInputs(tokens: [[1]])
        refused(.noUseOfInputs(methods: ["mergebarrier"]), options, source)
        options.calibration = nil
        options.allowsNonFinite = true
        var broken = try EditableModel(reading: source.path)
        let site = try #require(try Architecture.resolve(source).allSites.first { $0.kind == .queryKey })
        try broken.editFloats(site.slices[0].tensor) { $0[0] = .infinity }
        try broken.write(to: folder("broken"))
        let path = folder("broken")
        refused(.notSolved(site: site.path, paths: [path]), options, try Checkpoint(opening: path))
    }
}
