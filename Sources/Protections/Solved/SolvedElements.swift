import Checkpoints
import Foundations
import LinearAlgebra
import Rewriting
import Symmetries
import Synchronization

/// Elements that are solved for instead of drawn, by step and site. A manifest keeps them sealed.
struct SolvedElements: Sendable {
    private static let purpose = "assigned permutations"
    /// Memory of sites that are solved side by side; what takes more is solved alone.
    private static let sideBySide = 128 << 20

    private struct Place: Hashable, Sendable {
        let step: Int
        let site: String
    }

    private typealias Task = (place: Place, site: Site, solver: any ElementSolver)

    private var solutions: [Place: Element] = [:]

    subscript(step number: Int, site: Site) -> Element? { solutions[Place(step: number, site: site.path)] }

    /// What the progress of one site is counted in.
    private static let parts = 1000

    /// Solves for every element of the steps that draw none.
    /// - Returns: what a manifest is to keep; nil where nothing was solved for.
    static func sealed(
        _ steps: ProtectionSteps, _ sites: [Site], of model: Checkpoint, base: Checkpoint?, by derivation: Derivation,
        threads: Int?, progress: (@Sendable (_ done: Int, _ all: Int) -> Void)? = nil
    ) throws -> [UInt8]? {
        let tasks = tasks(steps, sites, base: base)
        guard !tasks.isEmpty else { return nil }
        let compared = tasks.filter { $0.solver.needsBase }.flatMap { $0.site.slices.map(\.tensor) }
        if let base { try BaseModel.check(base, against: model, for: Set(compared)) }
        BLASThreads.use(1)
        let found = Mutex([[UInt8]](repeating: [], count: tasks.count))
        let shares = Mutex([Int](repeating: 0, count: tasks.count))
        let largest = tasks.map { $0.solver.memory(for: $0.site.group) }.max() ?? 0
        try WorkerThreads.forEach(tasks.count, threads: largest > sideBySide ? 1 : WorkerThreads.count(threads)) {
            number, _ in
            func report(_ done: Int, _ all: Int) {
                let sum = shares.withLock { shares in
                    shares[number] = Self.parts * done / max(all, 1)
                    return shares.reduce(0, +)
                }
                progress?(min(sum, Self.parts * tasks.count - 1), Self.parts * tasks.count)
            }
            let solved = try tasks[number].solver.solve(tasks[number].site, of: model) { done, all in
                try Interruption.check()
                report(done, all)
            }
            report(1, 1)
            found.withLock { $0[number] = solved }
        }
        progress?(Self.parts * tasks.count, Self.parts * tasks.count)
        return try derivation.seal(found.withLock { $0.flatMap(\.self) }, purpose: purpose)
    }

    /// Opens what a manifest keeps.
    /// - Throws: `ProtectionError.manifest` where it was not sealed for these sites under this key.
    init(_ manifest: Manifest, _ sites: [Site], by derivation: Derivation, path: String) throws {
        let tasks = Self.tasks(manifest.steps, sites, base: nil)
        guard !tasks.isEmpty else { return }
        let sizes = tasks.map { $0.solver.byteCount(for: $0.site.group) }
        let damaged = ProtectionError.manifest(path: path, field: manifest.solvedField)
        guard let box = manifest.solved, let bytes = derivation.open(box, purpose: Self.purpose),
            bytes.count == sizes.reduce(0, +)
        else { throw damaged }
        var start = 0
        for (task, size) in zip(tasks, sizes) {
            guard let element = try task.solver.element(bytes[start..<start + size], of: task.site.group) else {
                throw damaged
            }
            solutions[task.place] = element
            start += size
        }
    }

    private static func tasks(_ steps: ProtectionSteps, _ sites: [Site], base: Checkpoint?) -> [Task] {
        steps.all.enumerated().flatMap { number, step in
            sites.compactMap { site in
                step.solver(at: site, base: base).map { (Place(step: number, site: site.path), site, $0) }
            }
        }
    }
}

/// Solves for a site's element and keeps it as bytes.
protocol ElementSolver: Sendable {
    var needsBase: Bool { get }
    /// What solving takes.
    func memory(for group: Group) -> Int
    /// As many for every element of the group.
    func byteCount(for group: Group) -> Int
    /// - Parameter progress: called now and then with what is done, of all; what it throws ends the search.
    func solve(_ site: Site, of model: Checkpoint, progress: (Int, Int) throws -> Void) throws -> [UInt8]
    /// Nil where the bytes are not those of an element.
    func element(_ bytes: ArraySlice<UInt8>, of group: Group) throws -> Element?
}

extension ProtectionStep {
    /// Solves for the element of a site as protecting does, for a forecast of what that takes.
    /// - Returns: false where it is drawn, or takes a base.
    package func trySolving(at site: Site, of model: Checkpoint) throws -> Bool {
        guard let solver = solver(at: site, base: nil), !solver.needsBase else { return false }
        _ = try solver.solve(site, of: model) { _, _ in }
        return true
    }

    /// Who solves for the element of a site; nil where it is drawn.
    fileprivate func solver(at site: Site, base: Checkpoint?) -> (any ElementSolver)? {
        guard acts(at: site) else { return nil }
        if sampler == .reflection { return ReflectionSolver(share: parameters[.reflected] ?? 0) }
        return isAssigned && site.kind == .mlp ? AssignmentSolver(base: base) : nil
    }
}
