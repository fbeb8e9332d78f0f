import Architectures
import ForwardPass

/// Two models evaluated in step, layer by layer, on the same inputs, and how far they come apart.
public struct Comparison: Sendable {
    /// How two outputs differ.
    public struct Outputs: Sendable, Equatable {
        /// ‖b - a‖ / ‖a‖ over all outputs.
        public var relativeError = 0.0
        public var largestError = 0.0
        /// Mean and largest Kullback-Leibler divergence of softmax(b) from softmax(a) over rows, in nats; 0 where rows are no scores.
        public var meanDivergence = 0.0
        public var largestDivergence = 0.0
        /// Rows whose largest entry is the same in both, of those that are no ties.
        public var agreeing = 0
        /// Rows whose two largest entries in a lie farther apart than rounding could move them.
        public var decided = 0
        public var rows = 0
        /// Largest change of the cosine similarity of two sequences' mean states; nil where the outputs are no states of sequences.
        public var largestSimilarityChange: Double?
    }

    /// The residual stream after one block.
    public struct Layer: Sendable, Equatable {
        public struct Drift: Sendable, Equatable {
            /// ‖b - a‖ / ‖a‖ of the residual stream.
            public let drift: Double
            /// The same of the original with its moved weights rounded once more: the root mean square over the draws of noise.
            public let floor: Double
        }

        public let name: String
        public let drift: Double
        public let floor: Double
        /// What this block alone does, on the original's stream; nil where its weights are the same.
        public let own: Drift?
    }

    /// What the routers of mixtures of experts decided, over all layers and tokens.
    public struct Routing: Sendable, Equatable {
        /// Choices of the original, each of some experts for one token in one layer.
        public var decisions = 0
        /// Those that the protected model's router would take otherwise, by no more than rounding: it is evaluated as the original
        /// decided.
        public var turned = 0
        /// Those that rounding the original's weights once more turns, on average.
        public var turnedByRounding = 0.0
        /// Those that the protected model takes otherwise by more than rounding.
        public var overturned = 0
    }

    public let kind: OutputKind
    public let drift: Outputs
    /// The rounding floor: the original against itself with noise of half an ulp on every weight that differs between the two.
    public let floor: Outputs
    public let layers: [Layer]
    /// Nil where no block has a router.
    public let routing: Routing?
    /// The first block whose drift cannot be rounding, `head` where it lies behind all layers, and what in it must be put back to
    /// heal it.
    public let firstFault: Fault?
    /// The first place from which on the original's own values are not finite, so that nothing can be compared.
    public let notFinite: String?

    public struct Fault: Sendable, Equatable {
        public let block: String
        /// The smallest set of tensors, of those tried, whose original values heal the block; empty when none does.
        public let tensors: [String]
    }

    /// Which drift counts as rounding: `multiple` times the floor, and `absolute` besides.
    public struct DriftTolerance: Sendable, Equatable {
        public let multiple: Double
        public let absolute: Double

        public init(multiple: Double, absolute: Double) {
            self.multiple = multiple
            self.absolute = absolute
        }

        /// A floor that is not finite measures nothing and allows nothing.
        public func allows(_ drift: Double, floor: Double) -> Bool {
            drift <= max(floor.isFinite ? multiple * floor : 0, absolute)
        }
    }

    /// - Parameters:
    ///   - moved: tensors that differ: the noise goes there.
    ///   - draws: how often noise is drawn, each an evaluation of its own: of small models one draw says little.
    ///   - seed: chooses the noise.
    ///   - groups: for each block's name the sets of tensors that are moved together, smallest first, to find a fault by.
    ///   - arrangement: of the protected model beside the original.
    public static func run(
        _ original: Model, _ protected: Model, _ inputs: ModelInputs, inDouble: Bool, moved: Set<String>,
        groups: [String: [Set<String>]], arrangement: Rearrangement = .none, tolerance: DriftTolerance, draws: Int = 1,
        seed: UInt64 = 1,
        progress: ((Double) -> Void)? = nil
    ) throws -> Comparison {
        let seeds = (0..<max(draws, 1)).map { seed &+ UInt64($0) &* 0x9e37_79b9_7f4a_7c15 }
        func run<Real: ComputeScalar>(_ type: Real.Type) throws -> Comparison {
            try LockStep<Real>(
                original: original, protected: protected, inputs: inputs, moved: moved, groups: groups,
                arrangement: arrangement, tolerance: tolerance, seeds: seeds
            ).run(progress)
        }
        return try inDouble ? run(Double.self) : run(Float.self)
    }
}

extension Comparison.Routing {
    /// Adds one block's decisions, and those of the rounded originals there.
    mutating func count(_ routing: RoutingDecisions, beside noisy: [RoutingDecisions]) {
        decisions += routing.rows.count
        turned += routing.count(.turned)
        overturned += routing.count(.overturned)
        turnedByRounding += Double(noisy.reduce(0) { $0 + $1.count(.turned) }) / Double(max(noisy.count, 1))
    }
}
