import Architectures
import Checkpoints
import Protections
import Symmetries
import Transformers

/// Proves by evaluation that two checkpoints compute the same function: both read the same inputs, layer by layer in step, and what
/// sets them apart is held against what rounding the original's weights once more would do.
public struct FunctionalVerification: Sendable {
    public enum Precision: String, Sendable, CaseIterable {
        case f32, f64
        /// f64 where weights are stored in f32 or f64, whose rounding f32 arithmetic would hide, or the model is small.
        case automatic = "auto"
    }

    private static let smallModel = 1 << 30

    private let threads: Int?
    private let precision: Precision
    private let seed: UInt64

    /// - Parameter seed: chooses the noise of the rounding floor.
    public init(threads: Int? = nil, precision: Precision = .automatic, seed: UInt64 = 1) {
        self.threads = threads
        self.precision = precision
        self.seed = seed
    }

    /// - Parameter inputs: random ones when nil.
    public func verify(
        _ original: Checkpoint, _ protected: Checkpoint, inputs: ModelInputs? = nil,
        progress: ((Double) -> Void)? = nil
    ) throws -> FunctionalReport {
        let a = try Model(original, threads: threads)
        // The protected weights in the original's architecture: what is compared is the weights.
        let b = Model(architecture: a.architecture, weights: Weights(protected), threads: threads)
        let moved = Self.movedTensors(original, protected)
        let inDouble = usesDouble(original)
        let tolerance = try Self.tolerance(protected, moved: moved, inDouble: inDouble)
        let comparison = try Comparison.run(
            a, b, try inputs ?? RandomInputs.make(for: a.architecture), inDouble: inDouble, moved: moved,
            groups: Self.groups(a.architecture, moved: moved), tolerance: tolerance, seed: seed, progress: progress)
        return FunctionalReport(comparison: comparison, tolerance: tolerance, inDouble: inDouble)
    }

    private func usesDouble(_ checkpoint: Checkpoint) -> Bool {
        switch precision {
        case .f32: false
        case .f64: true
        case .automatic:
            checkpoint.tensorBytes < Self.smallModel
                || checkpoint.tensors.values.contains { $0.type == .f32 || $0.type == .f64 }
        }
    }

    static func movedTensors(_ a: Checkpoint, _ b: Checkpoint) -> Set<String> {
        var moved: Set<String> = []
        for tensor in a.tensors.values {
            guard let twin = b.tensors[tensor.name], same(a.bytes(of: tensor), b.bytes(of: twin)) else {
                moved.insert(tensor.name)
                continue
            }
        }
        return moved
    }

    /// What a manifest claims of conditioning widens the tolerance; factor 2 leaves room for chance, as floor and drift are one draw
    /// each. Arithmetic adds its own rounding, far below that of 16-bit weights.
    private static func tolerance(
        _ protected: Checkpoint, moved: Set<String>, inDouble: Bool
    ) throws -> Comparison.Tolerance {
        let claimed: Double
        do { claimed = try Manifest.read(from: protected).roundingMultiple } catch ProtectionError.notProtected {
            claimed = 1
        }
        return .init(multiple: 2 * min(max(claimed, 1), 100), absolute: inDouble ? 1e-12 : 1e-5)
    }

    /// For each block its moved tensors: alone where no site moves them, else site kind by site kind, then all.
    private static func groups(_ architecture: Architecture, moved: Set<String>) -> [String: [Set<String>]] {
        var groups: [String: [Set<String>]] = [:]
        let bySite = Dictionary(grouping: architecture.sites) { site in
            site.path.hasSuffix(".qk_shared") ? String(site.path.dropLast(".qk_shared".count)) : Self.block(of: site)
        }
        for (block, sites) in bySite {
            var sets: [Set<String>] = []
            for kind in Site.Kind.allCases {
                let tensors = Set(sites.filter { $0.kind == kind }.flatMap { $0.slices.map(\.tensor) })
                if !tensors.isDisjoint(with: moved), !sets.contains(tensors) { sets.append(tensors) }
            }
            groups[block] = sets
        }
        // Everything else of a block's layer, one by one, goes first.
        for block in architecture.attention.map({ ($0.name, $0.layer) }) + architecture.mlp.map({ ($0.name, $0.layer) })
        {
            let own = Set((groups[block.0] ?? []).flatMap(\.self))
            let others = architecture.roles.filter { name, role in
                role.layer == block.1 && moved.contains(name) && !own.contains(name)
                    && ["norm", "query_norm", "key_norm", "router", "sinks", "position_bias"].contains(role.name)
            }.keys
            groups[block.0] = others.map { [$0] } + (groups[block.0] ?? [])
            let all = own.union(others)
            if all.count > 1 { groups[block.0]?.append(all) }
        }
        return groups
    }

    private static func block(of site: Site) -> String {
        guard site.kind != .mlp else { return site.path }
        var parts = site.path.split(separator: ".")
        while let last = parts.last, last.allSatisfy(\.isNumber) || last == "vo" || last == "qk" || last == "qk_gain" {
            parts.removeLast()
        }
        return parts.joined(separator: ".")
    }
}

/// What evaluation found.
public struct FunctionalReport: Sendable {
    public let comparison: Comparison
    public let tolerance: Comparison.Tolerance
    public let inDouble: Bool

    public var drift: Comparison.Outputs { comparison.drift }
    public var floor: Comparison.Outputs { comparison.floor }

    /// Drift in units of the rounding floor.
    public var ratio: Double { floor.relativeError > 0 ? drift.relativeError / floor.relativeError : 0 }

    public var holds: Bool {
        drift.agreeing == drift.decided && comparison.firstFault == nil && comparison.notFinite == nil
    }

    /// The layer in which the residual stream drifts most.
    public var worstLayer: Comparison.Layer? { comparison.layers.max { $0.drift < $1.drift } }

    public var json: JSONValue {
        .object([
            "same_function": .bool(holds), "precision": .string(inDouble ? "f64" : "f32"),
            "output": .string(comparison.kind.rawValue), "drift": Self.json(drift), "rounding_floor": Self.json(floor),
            "drift_over_floor": .double(ratio), "tolerance_multiple": .double(tolerance.multiple),
            "tolerance_absolute": .double(tolerance.absolute),
            "first_fault": comparison.firstFault.map { fault in
                .object(["block": .string(fault.block), "tensors": .array(fault.tensors.map(JSONValue.string))])
            } ?? .null,
            "not_finite": comparison.notFinite.map(JSONValue.string) ?? .null,
            "layers": .array(
                comparison.layers.map {
                    .object(["name": .string($0.name), "drift": .double($0.drift), "rounding_floor": .double($0.floor)])
                }),
        ])
    }

    private static func json(_ outputs: Comparison.Outputs) -> JSONValue {
        .object([
            "relative_error": .double(outputs.relativeError), "largest_error": .double(outputs.largestError),
            "mean_divergence": .double(outputs.meanDivergence),
            "largest_divergence": .double(outputs.largestDivergence), "rows": .int(outputs.rows),
            "decided_rows": .int(outputs.decided), "agreeing_rows": .int(outputs.agreeing),
            "largest_similarity_change": outputs.largestSimilarityChange.map(JSONValue.double) ?? .null,
        ])
    }
}
