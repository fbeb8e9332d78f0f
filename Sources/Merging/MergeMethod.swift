/// A way to make the weights of one model out of several's, value by value.
///
/// One file for each; `builtIn` lists them. Names, parameters and defaults are mergekit's.
public struct MergeMethod: Sendable {
    /// A number that a method takes besides the models' weights.
    public struct Parameter: Sendable {
        public let name: String
        public let standard: Double
        public let range: ClosedRange<Double>

        public init(_ name: String, _ standard: Double, in range: ClosedRange<Double>) {
            (self.name, self.standard, self.range) = (name, standard, range)
        }
    }

    public let name: String
    /// One line, with the formula.
    public let summary: String
    /// Where it was published, as an arXiv id; nil for what is nobody's.
    public let reference: String?
    /// Whether it merges what models have moved away from a base.
    public let needsBase: Bool
    public let parameters: [Parameter]
    /// Fills a tile's output.
    let combine: @Sendable (MergeTile) -> Void

    public init(
        name: String, summary: String, reference: String? = nil, needsBase: Bool, parameters: [Parameter],
        combine: @escaping @Sendable (MergeTile) -> Void
    ) {
        (self.name, self.summary, self.reference) = (name, summary, reference)
        (self.needsBase, self.parameters, self.combine) = (needsBase, parameters, combine)
    }

    /// Those that are built in.
    public static let builtIn: [MergeMethod] = [
        .linear,
        .taskArithmetic,
    ]
}

/// A run of values of one tensor in all models, in f32, and where the merged ones go.
public struct MergeTile {
    public let count: Int
    public let models: [UnsafePointer<Float>]
    /// One for each model.
    public let weights: [Float]
    /// Nil where the method needs none.
    public let base: UnsafePointer<Float>?
    public let output: UnsafeMutablePointer<Float>
    let values: [String: Double]

    /// The value of one of the method's parameters.
    public subscript(_ parameter: String) -> Float { Float(values[parameter] ?? 0) }

    /// The weights, divided by their sum where `normalize` is not 0; weights that cancel are left as they are.
    public var effectiveWeights: [Float] {
        let sum = weights.reduce(0, +)
        return self["normalize"] != 0 && sum.magnitude >= 1e-8 ? weights.map { $0 / sum } : weights
    }
}
