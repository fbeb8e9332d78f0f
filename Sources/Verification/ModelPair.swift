import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Protections
import Symmetries

/// An original and what is to be proved of its protected twin: what both proofs need, read once.
public struct ModelPair: Sendable {
    public let original: Checkpoint
    public let protected: Checkpoint
    let architecture: Architecture
    /// Nil where the second model says nothing of a protection.
    let manifest: Manifest?
    let allowance: RoundingAllowance
    let sums: [String: TensorSums]
    let probes: Probes
    /// Both models as they are where no residual stream was turned.
    let sketch: Sketch
    let outer: OuterSites

    /// - Throws: `ArchitectureError` when the original is of no known architecture; differences are found by the proofs.
    public init(_ original: Checkpoint, _ protected: Checkpoint, threads: Int? = nil) throws {
        let threads = WorkerThreads.count(threads)
        self.original = original
        self.protected = protected
        BLASThreads.use(1)
        architecture = try Architecture.resolve(original)
        manifest = try RoundingAllowance.manifest(of: protected)
        allowance = try RoundingAllowance(manifest, architecture, original, threads: threads)
        sums = try TensorSums.all(original, protected, threads: threads)
        sketch = try Self.sketch(
            architecture, allowance, original, protected, seed: TensorSums.seed(sums), threads: threads)
        probes = Probes(for: architecture.sites.map(sketch.site), in: sketch.original, seed: TensorSums.seed(sums))
        outer = try OuterSites(architecture, allowance, sketch, probes, threads: threads)
    }

    private static func sketch(
        _ architecture: Architecture, _ allowance: RoundingAllowance, _ original: Checkpoint, _ protected: Checkpoint,
        seed: String, threads: Int
    ) throws -> Sketch {
        var head: String?
        if case .language(let language) = architecture.head { head = language.head.weight }
        let streams = try architecture.residualStreams.compactMap { stream -> TurnedStream? in
            guard let site = stream.site(allowance.residual), site.group.isRotation, allowance.covers(site) else {
                return nil
            }
            let anchors = TurnedStream.anchors(
                of: site, tables: Set(stream.stacks.compactMap { architecture.stacks[$0].tableOfTokens }), head: head,
                beside: architecture.allSites(allowance.residual))
            return try TurnedStream(
                site, stacks: stream.stacks, anchors: anchors, permuted: architecture.sites.filter { $0.kind == .mlp },
                original, protected, threads: threads)
        }
        return try Sketch(streams, original, protected, seed: seed, threads: threads)
    }

    /// The original's, unless its head was stored apart: then what the protected model's own config.json makes of its tensors.
    var protectedArchitecture: Architecture {
        get throws { sketch.untied.isEmpty ? architecture : try Architecture.resolve(protected) }
    }

    /// Tensors that the protected model lacks or has otherwise, to the bit.
    var moved: Set<String> { Set(original.tensors.keys.filter { sums[$0]?.isSame != true }) }

    /// What the outputs' proof needs to look into the protected model's layers.
    var arrangement: Rearrangement {
        var streams: [Int: Rearrangement.Stream] = [:]
        for stream in sketch.streams {
            let turning = stream.matrix.map(Rearrangement.Turning.init)
            for stack in stream.stacks {
                let gains = StreamReader.gain(architecture.stacks[stack].finalNorm?.gain, in: self.original)
                streams[stack] = turning.map { .turned($0, lastGains: gains) }
            }
        }
        for stream in architecture.residualStreams {
            guard let site = stream.site, let element = outer.placement.element(at: site) else { continue }
            for stack in stream.stacks {
                streams[stack] = .moved(.init(source: element.source, isNegative: element.scale.map { $0 < 0 }))
            }
        }
        var experts: [String: [Int]] = [:]
        for sublayer in architecture.stacks.flatMap(\.layers).flatMap(\.sublayers) {
            guard case .experts(let block) = sublayer.operation else { continue }
            let elements = block.expertSites.map { outer.placement.element(at: $0) }
            guard elements.contains(where: { $0 != nil }) else { continue }
            let size = block.experts.count / max(elements.count, 1)
            experts[block.name] = elements.enumerated().flatMap { group, element in
                (element?.source ?? Array(0..<size)).map { group * size + $0 }
            }
        }
        let (placement, original) = (outer.placement, original)
        return Rearrangement(streams: streams, experts: experts) { name in
            let shape = original.tensors[name]?.matrixShape ?? (rows: 0, columns: 0)
            func line(_ count: Int, axis: Int) -> Rearrangement.Line? {
                placement.lines(0..<count, of: name, axis: axis).map { map in
                    var (source, isNegative) = (Array(0..<count), [Bool](repeating: false, count: count))
                    for (origin, place) in map.indices.enumerated() {
                        (source[Int(place)], isNegative[Int(place)]) = (origin, map.isNegative[origin])
                    }
                    return .init(source: source, isNegative: isNegative)
                }
            }
            return .init(
                name: placement.tensor(name), rows: line(shape.rows, axis: 0), columns: line(shape.columns, axis: 1))
        }
    }
}
