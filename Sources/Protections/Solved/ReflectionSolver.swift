import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// The mirror image of a head along the directions of largest energy, `P = 1 - 2·U·Uᵀ` with U the top eigenvectors of
/// `Σ W·Wᵀ` over the queries and keys that share the head (MergeBarrier, arXiv 2511.10712). Where rotary embeddings leave pairs alone,
/// the pairs of largest energy are mirrored whole.
///
/// P commutes with that sum, so that whoever has the mirrored weights finds the same directions again: it moves weights far and is no secret.
struct ReflectionSolver: ElementSolver {
    /// How many of all directions, or pairs, are mirrored.
    let share: Double

    let needsBase = false

    func memory(for group: Group) -> Int { 16 * group.dimension * group.dimension }

    /// Directions as n x k numbers in f32, row by row; one byte for each pair.
    func byteCount(for group: Group) -> Int {
        switch group {
        case .generalLinear(let n): 4 * n * mirrored(of: n)
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing): pairing.pairCount
        case .product(let factors): factors.reduce(0) { $0 + byteCount(for: $1) }
        case .pairScales, .monomial, .orthogonal: 0
        }
    }

    func solve(_ site: Site, of model: Checkpoint, progress: (Int, Int) throws -> Void) throws -> [UInt8] {
        let energies = try ChannelProducts(at: site, of: model, and: model).matrix
        guard energies.elements.allSatisfy(\.isFinite) else {
            throw ProtectionError.notSolved(site: site.path, paths: [model.path])
        }
        return try solve(site.group, energies, first: 0)
    }

    /// - Parameter first: the group's first channel.
    private func solve(_ group: Group, _ energies: Matrix<Float>, first: Int) throws -> [UInt8] {
        switch group {
        case .generalLinear(let n):
            var own = Matrix<Double>(rows: n, columns: n, repeating: 0)
            for i in 0..<n {
                for j in 0..<n { own[i, j] = Double(energies[first + min(i, j), first + max(i, j)]) }
            }
            let (_, vectors) = try own.symmetricEigen()
            let count = mirrored(of: n)
            return (0..<n).flatMap { channel in
                (0..<count).flatMap { number in
                    withUnsafeBytes(of: Float(vectors[n - 1 - number, channel]).bitPattern.littleEndian) { Array($0) }
                }
            }
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing):
            let order = (0..<pairing.pairCount).map { pair in
                let (x, y) = pairing.channels(ofPair: pair)
                return (pair: pair, energy: energies[first + x, first + x] + energies[first + y, first + y])
            }.sorted { ($1.energy, $0.pair) < ($0.energy, $1.pair) }
            let flipped = Set(order.prefix(mirrored(of: pairing.pairCount)).map(\.pair))
            return (0..<pairing.pairCount).map { flipped.contains($0) ? 1 : 0 }
        case .product(let factors):
            var (bytes, start) = ([UInt8](), first)
            for factor in factors {
                bytes += try solve(factor, energies, first: start)
                start += factor.dimension
            }
            return bytes
        case .pairScales, .monomial, .orthogonal: return []
        }
    }

    func element(_ bytes: ArraySlice<UInt8>, of group: Group) throws -> Element? {
        switch group {
        case .generalLinear(let n):
            let values = stride(from: bytes.startIndex, to: bytes.endIndex, by: 4).map { start in
                Double(Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }))
            }
            guard values.allSatisfy(\.isFinite) else { return nil }
            let kept = Matrix(rows: n, columns: mirrored(of: n), elements: values)
            // What f32 cost them is given back, so that P is orthogonal to f64.
            return .reflection(along: try kept.qr().q)
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing):
            return .flips(bytes.map { $0 != 0 }, of: pairing)
        case .product(let factors):
            var (elements, start) = ([Element](), bytes.startIndex)
            for factor in factors {
                let end = start + byteCount(for: factor)
                guard let element = try element(bytes[start..<end], of: factor) else { return nil }
                elements.append(element)
                start = end
            }
            return .product(elements)
        case .pairScales, .monomial, .orthogonal: return nil
        }
    }

    private func mirrored(of count: Int) -> Int { max(1, min(count, Int((share * Double(count)).rounded()))) }
}
