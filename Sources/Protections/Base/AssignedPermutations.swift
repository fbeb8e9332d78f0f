import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Permutations that are solved for from a model and its base instead of drawn, by step and site. A manifest keeps them sealed.
struct AssignedPermutations: Sendable {
    private static let purpose = "assigned permutations"
    /// Costs of sites that are solved side by side; a larger one is solved alone.
    private static let costBytes = 128 << 20

    private struct Place: Hashable, Sendable {
        let step: Int
        let site: String
    }

    private let sources: [Place: [Int]]

    subscript(step number: Int, site: Site) -> Element? {
        sources[Place(step: number, site: site.path)].map {
            .monomial(Monomial(source: $0, scale: [Double](repeating: 1, count: $0.count)))
        }
    }

    /// Solves for the permutations that put a model's hidden channels farthest from its base's.
    /// - Throws: `ProtectionError` where base and model do not belong together.
    init(_ steps: ProtectionSteps, _ sites: [Site], of model: Checkpoint, base: Checkpoint?, threads: Int?) throws {
        let places = Self.places(steps, sites)
        guard let base, !places.isEmpty else {
            sources = [:]
            return
        }
        try Self.check(base, against: model)
        BLASThreads.use(1)
        let largest = places.map { 4 * $0.site.group.dimension * $0.site.group.dimension }.max() ?? 0
        let found = Mutex((sources: [Place: [Int]](), differs: false))
        try WorkerThreads.forEach(places.count, threads: largest > Self.costBytes ? 1 : WorkerThreads.count(threads)) {
            number, _ in
            let (step, site) = places[number]
            let costs = try AssignmentCosts(of: site, in: model, base: base)
            let solved: [Int]
            do {
                solved = try LinearAssignment(minimising: costs.matrix) { _, _ in try Interruption.check() }.columns
            } catch LinearAlgebraError.notFinite {
                throw ProtectionError.notAssigned(site: site.path, base: base.path)
            }
            // Where all costs are alike nothing is said against the identity, and something must move.
            let stays = solved == Array(solved.indices)
            found.withLock {
                $0.sources[Place(step: step, site: site.path)] = stays ? Array(solved.dropFirst() + [0]) : solved
                $0.differs = $0.differs || costs.differs
            }
        }
        guard found.withLock(\.differs) else { throw ProtectionError.baseIsModel(path: base.path) }
        sources = found.withLock(\.sources)
    }

    /// What a manifest keeps: every channel's source as four bytes, the lowest first; nil where nothing was solved for.
    func sealed(_ steps: ProtectionSteps, _ sites: [Site], by derivation: Derivation) throws -> [UInt8]? {
        let places = Self.places(steps, sites)
        guard !places.isEmpty else { return nil }
        let bytes = places.flatMap { place in
            (sources[Place(step: place.step, site: place.site.path)] ?? []).flatMap { source in
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: source).littleEndian) { Array($0) }
            }
        }
        return try derivation.seal(bytes, purpose: Self.purpose)
    }

    /// Opens what a manifest keeps.
    /// - Throws: `ProtectionError.manifest` where it was not sealed for these sites under this key.
    init(_ manifest: Manifest, _ sites: [Site], by derivation: Derivation, path: String) throws {
        let places = Self.places(manifest.steps, sites)
        guard !places.isEmpty else {
            sources = [:]
            return
        }
        let sizes = places.map(\.site.group.dimension)
        let damaged = ProtectionError.manifest(path: path, field: "assigned")
        guard let box = manifest.assigned, let bytes = derivation.open(box, purpose: Self.purpose),
            bytes.count == 4 * sizes.reduce(0, +)
        else { throw damaged }
        var (sources, start) = ([Place: [Int]](), 0)
        for ((step, site), size) in zip(places, sizes) {
            let source = (start..<start + size).map { channel in
                (0..<4).reduce(0) { $0 | Int(bytes[4 * channel + $1]) << (8 * $1) }
            }
            guard Set(source) == Set(0..<size) else { throw damaged }
            sources[Place(step: step, site: site.path)] = source
            start += size
        }
        self.sources = sources
    }

    private static func places(_ steps: ProtectionSteps, _ sites: [Site]) -> [(step: Int, site: Site)] {
        steps.all.indices.filter { steps.all[$0].isAssigned }.flatMap { number in
            sites.filter { $0.kind == .mlp && steps.all[number].acts(at: $0) }.map { (number, $0) }
        }
    }

    /// The same tensors, of the same types and shapes.
    private static func check(_ base: Checkpoint, against model: Checkpoint) throws {
        for tensor in model.tensors.values {
            guard let other = base.tensors[tensor.name] else {
                throw ProtectionError.unlikeBase(
                    path: base.path, tensor: tensor.name, expected: "\(tensor.type.rawValue) \(tensor.shape)",
                    found: "none")
            }
            guard other.type == tensor.type, other.shape == tensor.shape else {
                throw ProtectionError.unlikeBase(
                    path: base.path, tensor: tensor.name, expected: "\(tensor.type.rawValue) \(tensor.shape)",
                    found: "\(other.type.rawValue) \(other.shape)")
            }
        }
    }
}
