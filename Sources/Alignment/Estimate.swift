import LinearAlgebra
import Symmetries

/// What an attack takes for the element that acted at a site.
public struct Estimate: Sendable {
    public let element: Element
    /// What acted on the dual side, where it was found apart; that and the element then undo no function.
    var dual: Element?
    /// The cosine between the base's weights and the protected ones once the element is undone: 1 where they are the same up to a factor.
    public let agreement: Double
}

/// A way to find the element of a site from the base's weights and the protected ones.
public struct AlignmentMethod: Sendable {
    /// Which sides of a site are looked at.
    enum Anchor: Sendable {
        case both
        /// What a block reads: values, keys, gates and up.
        case input
        /// What it writes, and queries.
        case output
    }

    public let name: String
    /// One line, with the formula.
    public let summary: String
    public let reference: String?
    /// A for `L = A·L₀`, `R = A⁻ᵀ·R₀`, of a general linear group.
    let linear: @Sendable (_ sides: Sides) throws -> InvertibleMatrix
    /// Whether both sides of a site are told from each other, so that what is recovered computes what the protected model computes.
    public let keepsFunction: Bool
    let anchor: Anchor

    init(
        name: String, summary: String, reference: String? = nil,
        linear: @escaping @Sendable (_ sides: Sides) throws -> InvertibleMatrix, keepsFunction: Bool = true,
        anchor: Anchor = .both
    ) {
        (self.name, self.summary, self.reference) = (name, summary, reference)
        (self.linear, self.keepsFunction, self.anchor) = (linear, keepsFunction, anchor)
    }

    /// Those that are built in.
    public static let builtIn: [AlignmentMethod] = [.coupled, .reverse, .reverseOutput, .procrustes, .aga]
}

/// Both sides of a site whose element is sought: the protected model's rows and the base's.
struct Sides {
    var left, right, left0, right0: Matrix<Double>
}
