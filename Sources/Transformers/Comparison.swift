import Architectures

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
        public let name: String
        /// ‖b - a‖ / ‖a‖ of the residual stream.
        public let drift: Double
        /// The same of the original with its moved weights rounded once more.
        public let floor: Double
    }

    public let kind: OutputKind
    public let drift: Outputs
    /// The rounding floor: the original against itself with noise of half an ulp on every weight that differs between the two.
    public let floor: Outputs
    public let layers: [Layer]
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

    /// What counts as rounding: `multiple` times the floor, and `absolute` besides.
    public struct Tolerance: Sendable, Equatable {
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
    ///   - seed: chooses the noise.
    ///   - groups: for each block's name the sets of tensors that are moved together, smallest first, to find a fault by.
    public static func run(
        _ original: Model, _ protected: Model, _ inputs: ModelInputs, inDouble: Bool, moved: Set<String>,
        groups: [String: [Set<String>]], tolerance: Tolerance, seed: UInt64 = 1,
        progress: ((Double) -> Void)? = nil
    ) throws -> Comparison {
        func run<Real: ComputeScalar>(_ type: Real.Type) throws -> Comparison {
            try LockStep<Real>(
                original: original, protected: protected, inputs: inputs, moved: moved, groups: groups,
                tolerance: tolerance, seed: seed
            ).run(progress)
        }
        return try inDouble ? run(Double.self) : run(Float.self)
    }
}
