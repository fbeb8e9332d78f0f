import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// The permutation that puts a model's hidden channels farthest from its base's: the linear assignment that minimises the inner products of
/// channels that share a place (PaRaMS, arXiv 2503.07661).
struct AssignmentSolver: ElementSolver {
    /// Nil where only what was solved for is read.
    let base: Checkpoint?

    let needsBase = true

    func memory(for group: Group) -> Int { 4 * group.dimension * group.dimension }

    /// Every channel's source as four bytes, the lowest first.
    func byteCount(for group: Group) -> Int { 4 * group.dimension }

    func solve(_ site: Site, of model: Checkpoint, progress: (Int, Int) throws -> Void) throws -> [UInt8] {
        guard let base else { return [] }
        // Products and the search take about as long.
        let costs = try ChannelProducts(at: site, of: base, and: model) { try progress($0, 2 * $1) }.matrix
        var solved: [Int]
        do {
            solved = try LinearAssignment(minimising: costs) { try progress($1 + $0, 2 * $1) }.columns
        } catch LinearAlgebraError.notFinite {
            throw ProtectionError.notSolved(site: site.path, paths: [model.path, base.path])
        }
        // Where all costs are alike nothing is said against the identity, and something must move.
        if solved == Array(solved.indices) { solved = Array(solved.dropFirst() + [0]) }
        return solved.flatMap { source in
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: source).littleEndian) { Array($0) }
        }
    }

    func element(_ bytes: ArraySlice<UInt8>, of group: Group) -> Element? {
        let source = stride(from: bytes.startIndex, to: bytes.endIndex, by: 4).map { start in
            (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
        }
        guard Set(source) == Set(0..<group.dimension) else { return nil }
        return .monomial(Monomial(source: source, scale: [Double](repeating: 1, count: source.count)))
    }
}
