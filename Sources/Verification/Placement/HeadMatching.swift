import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Finds by weights alone which head of the original stands where in the protected model.
///
/// A head's products of values and outputs, and of queries and keys, stay what they are wherever it stands, up to rounding. They are
/// compared under Gaussian probes from both sides, as numbers of 8 x 8; under rotary embedding, queries and keys by the products of
/// their pairs' norms. What is alike in all of that is paired in any order, and what was paired wrongly fails the proof of its sites.
struct HeadMatching {
    private typealias Features = [[Double]]

    let block: AttentionBlock
    let original: Checkpoint
    let protected: Checkpoint
    let probes: Probes
    /// Of residual streams.
    let placement: Placement
    let scratch: WorkerScratch

    /// By path of the block's head sites: which head of the original each place holds. Empty when the tensors do not fit.
    func permutations() throws -> [String: Monomial] {
        defer { releasePages() }
        guard let (before, after) = try features() else { return [:] }
        let groups = before.indices
        let source = Self.pairs(groups.count) { place, group in
            after[place].reduce(0) { sum, head in
                sum + (before[group].map { Self.distance($0, head) }.min() ?? 0)
            }
        }
        var found = ["\(block.name).heads": Self.permutation(source)]
        for place in groups {
            let group = source[place]
            let members = Self.pairs(before[group].count) { Self.distance(before[group][$1], after[place][$0]) }
            found["\(block.name).members.\(group)"] = Self.permutation(members)
        }
        return found
    }

    private func releasePages() {
        for name in Set(block.sites.flatMap(\.slices).map(\.tensor)) {
            original.releasePages(ofTensor: name)
            protected.releasePages(ofTensor: name)
        }
    }

    private static func permutation(_ source: [Int]) -> Monomial {
        Monomial(source: source, scale: [Double](repeating: 1, count: source.count))
    }

    /// For each place what lies nearest, the nearest of all first.
    private static func pairs(_ count: Int, _ distance: (_ place: Int, _ candidate: Int) -> Double) -> [Int] {
        var all: [(distance: Double, place: Int, candidate: Int)] = []
        for place in 0..<count {
            for candidate in 0..<count { all.append((distance(place, candidate), place, candidate)) }
        }
        all.sort { ($0.distance, $0.place, $0.candidate) < ($1.distance, $1.place, $1.candidate) }
        var (source, isTaken) = ([Int](repeating: -1, count: count), [Bool](repeating: false, count: count))
        for (_, place, candidate) in all where source[place] < 0 && !isTaken[candidate] {
            source[place] = candidate
            isTaken[candidate] = true
        }
        return source
    }

    private static func distance(_ a: Features, _ b: Features) -> Double {
        zip(a, b).reduce(0) { sum, pair in
            let (x, y) = pair
            let difference = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let size = (x + y).reduce(0) { $0 + $1 * $1 }
            let relative = size > 0 ? difference / size : 0
            return sum + (relative.isFinite ? relative : 1)
        }
    }

    // MARK: Features

    /// Of every query head, by group, in both models.
    private func features() throws -> (original: [[Features]], protected: [[Features]])? {
        let empty = [[Features]](
            repeating: [Features](repeating: [], count: block.groupSize), count: block.keyValueHeads)
        var (before, after) = (empty, empty)
        for group in 0..<block.keyValueHeads {
            for site in block.sites where ["vo", "qk"].contains(where: { site.path == "\(block.name).\($0).\(group)" })
            {
                for law in SiteBlock.blocks(of: site.group) {
                    // A gate is no part of the product, and moves with its head.
                    guard let all = PartViews.all(of: site, channels: law.channels, original, protected, placement)
                    else { return nil }
                    let parts = all.filter { if case .outputGate = $0.part { false } else { true } }
                    guard parts.first?.isDirect == true, parts.count == block.groupSize + 1 else { return nil }
                    for (member, pair) in try features(parts, law).enumerated() {
                        before[group][member].append(pair.original)
                        after[group][member].append(pair.protected)
                    }
                }
            }
        }
        return (before, after)
    }

    private func features(
        _ parts: [PartViews], _ law: SiteBlock
    ) throws -> [(original: [Double], protected: [Double])] {
        if case .pairs(let pairing, _) = law.law { return pairNorms(parts, pairing) }
        let n = law.channels.count
        let right = try ProbedPart<Double>(parts[0], n, slot: 1, scratch).projections(probes)
        return try parts.dropFirst().map { part in
            let left = try ProbedPart<Double>(part, n, slot: 3, scratch).projections(probes)
            return (
                Self.product(left.original, right.original, n), Self.product(left.protected, right.protected, n)
            )
        }
    }

    /// `sᵀ·t` of two n x r projections.
    private static func product(_ s: [Double], _ t: [Double], _ n: Int) -> [Double] {
        let r = Probes.count
        return (0..<r * r).map { place in
            (0..<n).reduce(0) { $0 + s[$1 * r + place / r] * t[$1 * r + place % r] }
        }
    }

    /// `‖q_p‖ ‖k_p‖` of each pair p.
    private func pairNorms(
        _ parts: [PartViews], _ pairing: ChannelPairing
    ) -> [(original: [Double], protected: [Double])] {
        let squares = parts.map { part in
            (0..<pairing.rotaryDimensions).map { part.squares(ofChannel: $0) }
        }
        func norms(_ part: Int, _ value: ((original: Double, protected: Double)) -> Double) -> [Double] {
            (0..<pairing.pairCount).map { pair in
                let (a, b) = pairing.channels(ofPair: pair)
                let key = value(squares[0][a]) + value(squares[0][b])
                return (key * (value(squares[part][a]) + value(squares[part][b]))).squareRoot()
            }
        }
        return parts.indices.dropFirst().map { (norms($0, \.original), norms($0, \.protected)) }
    }
}
