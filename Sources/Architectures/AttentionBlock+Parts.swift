/// What stands beside an attention block's projections: norms, mask, biases by position.
extension QueryKeyNorm {
    init(_ f: inout Fields, _ shape: HeadShape) throws(ArchitectureError) {
        let scope: Scope = try f.word("scope")
        self.scope = scope
        isAfterRotary = try f.bool("after_rotary", default: false)
        f.place.norm = try NormStyle(&f)
        func norms(_ key: String, _ heads: Int, _ f: inout Fields) throws(ArchitectureError) -> [Norm] {
            let stored = f.look(key)
            let isPerHead = (stored?.string ?? stored?["tensor"]?.string)?.contains("{head}") ?? false
            let extent: [Int] =
                switch scope {
                case .projection: [heads * shape.length]
                case .eachHead where !isPerHead: [heads, shape.length]
                default: [shape.length]
                }
            var norms: [Norm] = []
            for head in 0..<(isPerHead && !f.isProbe ? heads : 1) {
                var copy = f
                copy.place.head = head
                if let norm = try copy.norm(key, extent, role: key + "_norm") { norms.append(norm) }
            }
            _ = try f.required(f.take(key), "query")
            return norms
        }
        query = try norms("query", shape.heads, &f)
        key = try norms("key", shape.groups, &f)
    }
}

extension AttentionBlock.Mask {
    init(_ f: inout Fields) throws(ArchitectureError) {
        // No sequence is so long that it would be cut.
        func size(_ number: Double?) -> Int? {
            number.flatMap { $0 < Double(ConfigReader.largestDimension) ? Int($0) : nil }
        }
        let chunk = try f.number("chunk", in: .count)
        self.init(
            isCausal: try Self.isCausal(&f, isChunked: chunk != nil), window: size(try f.number("window", in: .count)),
            chunk: size(chunk))
    }

    /// Whether a query sees earlier positions alone: as the family has it, unless config.json says otherwise by `is_causal`.
    private static func isCausal(_ f: inout Fields, isChunked: Bool) throws(ArchitectureError) -> Bool {
        let isDecoder = try f.holds(try f.condition("causal", default: f.place.sizes.isCausal))
        guard let subject = f.scope.subject, let found = subject.reader.lookup("is_causal"), !found.isNull else {
            return isDecoder
        }
        guard let isCausal = found.bool else {
            throw subject.reader.invalid("is_causal", found, expected: "true or false")
        }
        func refused(_ reason: String) -> ArchitectureError {
            .refusedFeature(path: subject.claims.path, key: "is_causal", found: found.serialized(), reason: reason)
        }
        guard subject.description.stackCount == 1 else {
            throw refused("transformers reads it for encoder and decoder alike; leave it out")
        }
        guard isDecoder || !isCausal else {
            throw refused(
                "transformers masks this encoder by one of its attention kernels and not by another; leave it out")
        }
        // transformers makes masks of chunks without asking.
        return isDecoder && (isCausal || isChunked)
    }
}

extension AttentionBlock.PositionBias {
    private enum Kind: String, CaseIterable { case alibi, relative }

    init(_ f: inout Fields, heads: Int) throws(ArchitectureError) {
        let kind: Kind = try f.word("kind")
        switch kind {
        case .alibi: self = .alibi(isRounded: try f.bool("rounded", default: false))
        case .relative:
            let tensor = try f.string("tensor")
            let buckets = try f.required(try f.optionalExpression("buckets"), "buckets")
            let count = try f.extent(buckets)
            let reach = try f.required(try f.optionalExtent("distance"), "distance")
            let isBidirectional = try f.bool("bidirectional", default: true)
            // Half of the buckets of either direction hold one distance each, the others grow up to the largest.
            let share = isBidirectional ? 4 : 2
            guard count >= share && count / share < reach || f.scope.subject == nil else {
                throw f.invalid(
                    f.configKey(of: buckets), "\(count) for distances up to \(reach)",
                    "at least \(share) buckets, and distances beyond \(max(count / share, 1))")
            }
            self = .relative(
                tensor: try f.tensor(tensor + ".weight", "position_bias", [count, heads]), buckets: count,
                maximumDistance: reach, isBidirectional: isBidirectional)
        }
    }
}

extension AttentionBlock.Temperature {
    init?(_ f: inout Fields) throws(ArchitectureError) {
        guard f.has("scale"), f.has("floor") else { throw f.fault("scale") }
        let (scale, floor) = (try f.number("scale"), try f.number("floor", in: .positive))
        guard let scale, let floor else { return nil }
        self.init(scale: scale, floor: floor)
    }
}
