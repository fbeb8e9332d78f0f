/// A way to make the weights of one model out of several's, tensor by tensor.
///
/// One file for each, which `builtIn` lists. Names, parameters and defaults are mergekit's where it has the method.
public struct MergeMethod: Sendable {
    /// A number that a method takes.
    public struct Parameter: Sendable {
        public enum Kind: Sendable, Equatable {
            /// 1 is yes and 0 is no.
            case flag
            case whole
            case number
        }

        /// What it belongs to.
        public enum Scope: Sendable, Equatable {
            /// One value for a tensor.
            case tensor
            /// One for each model that is merged; the base is none of them where the method sets it apart.
            case model
        }

        public let name: String
        public let kind: Kind
        public let scope: Scope
        /// What holds where nothing is said; nil where something must be, or where the method then does without.
        public let standard: Double?
        public let isRequired: Bool
        public let range: ClosedRange<Double>

        private init(
            _ name: String, _ kind: Kind, _ scope: Scope, _ standard: Double?, isRequired: Bool,
            _ range: ClosedRange<Double>
        ) {
            (self.name, self.kind, self.scope) = (name, kind, scope)
            (self.standard, self.isRequired, self.range) = (standard, isRequired, range)
        }

        public static func flag(_ name: String, _ standard: Bool) -> Parameter {
            Parameter(name, .flag, .tensor, standard ? 1 : 0, isRequired: false, 0...1)
        }

        /// A number that has a value where nothing is said.
        public static func number(
            _ name: String, _ standard: Double, in range: ClosedRange<Double>, _ scope: Scope = .tensor,
            kind: Kind = .number
        ) -> Parameter { Parameter(name, kind, scope, standard, isRequired: false, range) }

        /// A number that must be given.
        public static func required(
            _ name: String, in range: ClosedRange<Double>, _ scope: Scope = .tensor
        ) -> Parameter { Parameter(name, .number, scope, nil, isRequired: true, range) }

        /// A number that the method can do without.
        public static func optional(
            _ name: String, in range: ClosedRange<Double>, _ scope: Scope = .tensor
        ) -> Parameter { Parameter(name, .number, scope, nil, isRequired: false, range) }

        /// How much a model counts.
        public static let weight = required("weight", in: -1e9...1e9, .model)
    }

    /// What a base model is to a method.
    public enum Base: Sendable, Equatable {
        /// One model like the others.
        case ignored
        /// What others are seen from, where there is one.
        case optional
        /// What others are seen from; nothing goes without.
        case required
    }

    /// What each model comes with beside its weights.
    public enum Evidence: String, Sendable {
        case none
        /// A safetensors file with the Fisher information of every weight, under the tensors' names.
        case fisher
        /// Inputs that the model is run on: JSON lines of token ids, or a safetensors file.
        case calibration
    }

    /// What is made at once: tiles hold whole ones of these.
    public enum Unit: Sendable { case values, rows }

    public let name: String
    /// One line, with the formula.
    public let summary: String
    /// Where it was published, as an arXiv id; nil for what is nobody's.
    public let reference: String?
    public let base: Base
    /// How many models it merges besides the base.
    public let models: ClosedRange<Int>
    public let parameters: [Parameter]
    public let unit: Unit
    public let evidence: Evidence
    /// Looks at a tensor as a whole, and gives what then fills its tiles, in any order and from any thread.
    let plan: @Sendable (MergeTensor) throws -> MergeKernel

    public init(
        name: String, summary: String, reference: String? = nil, base: Base, models: ClosedRange<Int> = 1...Int.max,
        parameters: [Parameter], unit: Unit = .values, evidence: Evidence = .none,
        plan: @escaping @Sendable (MergeTensor) throws -> MergeKernel
    ) {
        (self.name, self.summary, self.reference) = (name, summary, reference)
        (self.base, self.models, self.parameters) = (base, models, parameters)
        (self.unit, self.evidence, self.plan) = (unit, evidence, plan)
    }

    /// Those that are built in and make weights; `routed` lists the others.
    public static let builtIn: [MergeMethod] = [
        .linear, .taskArithmetic, .slerp, .karcher, .multiSLERP, .modelStock, .nearSwap, .passthrough,
        .ties, .dareLinear, .dareTIES, .della, .dellaLinear, .breadcrumbs, .breadcrumbsTIES,
        .sce, .arceeFusion, .nuSLERP, .ram, .ramPlusTL,
        .magMax, .emr, .tallMask, .consensus, .mdmOC, .keepOne,
        .isoC, .isoCTS, .tsvM, .knOTS, .fisher, .regMean,
    ]
}

/// Fills the output of a tile.
public typealias MergeKernel = @Sendable (MergeTile) -> Void

/// A run of values of one tensor in all models, in f32, and where the merged ones go.
public struct MergeTile {
    /// Which of the tensor's values these are, by rows.
    public let places: Range<Int>
    /// Those that are merged, in the order in which they were named.
    public let models: [UnsafePointer<Float>]
    /// Nil where there is none, or where it is one like the others.
    public let base: UnsafePointer<Float>?
    /// Fisher information of the models' values, where they come with it.
    let importance: [UnsafePointer<Float>]
    public let output: UnsafeMutablePointer<Float>
    let scratch: (Int) -> UnsafeMutablePointer<Float>

    public var count: Int { places.count }

    /// One tile for each row, where it has whole ones.
    public func rows(of columns: Int) -> [MergeTile] {
        stride(from: 0, to: count, by: max(columns, 1)).map { start in
            MergeTile(
                places: places.lowerBound + start..<places.lowerBound + min(start + max(columns, 1), count),
                models: models.map { $0 + start }, base: base.map { $0 + start },
                importance: importance.map { $0 + start }, output: output + start,
                scratch: { scratch($0) + start })
        }
    }

    /// Memory for as many values as the tile has, with unspecified content; each slot has its own.
    public func buffer(_ slot: Int) -> UnsafeMutablePointer<Float> { scratch(slot) }
}
