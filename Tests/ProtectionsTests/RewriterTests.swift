import Architectures
import Checkpoints
import LinearAlgebra
import Rewriting
import Symmetries
import TestSupport
import Testing

/// Elements that nobody drew: what somebody estimated is applied and undone as a protection is.
@Suite struct RewriterTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func write(
        _ source: Checkpoint, _ name: String, _ sites: [Site], _ elements: RecordedElements, isInverse: Bool
    ) throws -> Checkpoint {
        let rewriter = try Rewriter(
            EditScript(sites, of: source), of: source, by: elements, gains: .none, isInverse: isInverse,
            allowsNonFinite: false)
        try CheckpointWriter().write(
            .keepingShards(of: source).making(rewriter.producer), to: folder(name))
        return try Checkpoint(opening: folder(name))
    }

    @Test func recordedElementsAreAppliedAndUndone() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        let sites = try Architecture.resolve(source).allSites.filter { $0.kind == .mlp && $0.layer == 1 }
        let site = try #require(sites.first)
        let count = site.group.dimension
        let cycle = Monomial(source: (0..<count).map { ($0 + 1) % count }, scale: [Double](repeating: 1, count: count))
        let elements = RecordedElements([site.path: .monomial(cycle)], isExact: true)
        let moved = try write(source, "moved", sites, elements, isInverse: false)
        let name = "model.layers.1.mlp.up_proj.weight"
        let (before, after) = (try #require(source.tensors[name]), try #require(moved.tensors[name]))
        let row = before.byteCount / before.shape[0]
        // Row i is what row i + 1 was.
        #expect(moved.bytes(of: after)[..<row].elementsEqual(source.bytes(of: before)[row..<2 * row]))
        #expect(moved.bytes(of: after)[(count - 1) * row..<count * row].elementsEqual(source.bytes(of: before)[..<row]))
        let other = "model.layers.0.mlp.up_proj.weight"
        #expect(
            moved.bytes(of: try #require(moved.tensors[other])).elementsEqual(
                source.bytes(of: try #require(source.tensors[other]))))
        _ = try write(moved, "back", sites, elements, isInverse: true)
        #expect(try Files.tree(folder("back")) == Files.tree(source.path))
    }

    /// What fits no site stops the run with its name, and nothing is left.
    @Test func elementsThatDoNotFitAreRefused() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        let sites = try Architecture.resolve(source).allSites.filter { $0.kind == .mlp }
        let first = try #require(sites.first)
        let short = Monomial(source: [0], scale: [1])
        let dense = InvertibleMatrix(
            matrix: .identity(first.group.dimension), inverse: .identity(first.group.dimension), condition: 1)
        let count = first.group.dimension
        let uneven = Monomial(source: Array(0..<count), scale: [Double](repeating: 0.3, count: count))
        let stray = Monomial(source: [Int](repeating: count, count: count), scale: [Double](repeating: 1, count: count))
        for element in [nil, Element.monomial(short), .linear(dense), .monomial(uneven), .monomial(stray)] {
            let elements = RecordedElements(element.map { [first.path: $0] } ?? [:], isExact: true)
            #expect(throws: RewritingError.noElement(site: first.path)) {
                try write(source, "out", [first], elements, isInverse: false)
            }
        }
        #expect(Files.names(in: folder.path).isEmpty)
    }
}
