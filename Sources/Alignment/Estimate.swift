import LinearAlgebra
import Symmetries

/// What an attack takes for the element that acted at a site.
public struct Estimate: Sendable {
    public let element: Element
    /// What acted on the dual side, where it was found apart; that and the element then undo no function.
    var dual: Element?
    /// The cosine between the base's weights and the protected ones once the element is undone: 1 where they are the same up to a factor.
    public let agreement: Double
    /// The name of the method that was taken, of several.
    public internal(set) var method = ""
    /// Of the base's weights and the protected ones, each side by its own noise; see `Nearness`.
    var distance = 0.0
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

    /// What is found of a rotary pair.
    enum Rotary: Sendable {
        /// One complex number, its size from the ratio of both sides'.
        case complex
        /// A phase, from both sides as they are.
        case phases
        /// The same, and the size that then fits both sides.
        case phasesAndSizes
        case nothing
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
    let rotary: Rotary
    /// Whether channels are matched by inner products and left as long as they are.
    let permutesOnly: Bool
    /// Whether calibration data are needed: to weight rows by what the base's blocks read, or to compare activations.
    public let usesActivations: Bool
    /// Whether activations of both models take the place of their weights' rows, with this share of the rows added; nil where weights are compared.
    let weightShare: Double?
    /// Those of which each site gets the best; none where this is a method of its own.
    let candidates: [AlignmentMethod]

    init(
        name: String, summary: String, reference: String? = nil,
        linear: @escaping @Sendable (_ sides: Sides) throws -> InvertibleMatrix, keepsFunction: Bool = true,
        anchor: Anchor = .both, rotary: Rotary = .complex, permutesOnly: Bool = false, usesActivations: Bool = false,
        weightShare: Double? = nil, candidates: [AlignmentMethod] = []
    ) {
        (self.name, self.summary, self.reference) = (name, summary, reference)
        (self.linear, self.keepsFunction, self.anchor) = (linear, keepsFunction, anchor)
        (self.rotary, self.permutesOnly, self.usesActivations) = (rotary, permutesOnly, usesActivations)
        (self.weightShare, self.candidates) = (weightShare, candidates)
    }

    /// Whether each site gets the best of several methods.
    public var isChoice: Bool { !candidates.isEmpty }
    /// Whether both models are run, by this method or by one that it chooses from.
    var comparesActivations: Bool { weightShare != nil || candidates.contains { $0.weightShare != nil } }
    /// Whether rows are weighted by what blocks read, by this method or by one that it chooses from.
    var weightsInputs: Bool {
        usesActivations && weightShare == nil || candidates.contains { $0.usesActivations && $0.weightShare == nil }
    }
    /// Whether it makes use of calibration data.
    public var takesCalibration: Bool { usesActivations || candidates.contains(where: \.usesActivations) }

    /// Those that are built in.
    public static let builtIn: [AlignmentMethod] = [
        .best, .coupled, .reweighted, .coupledActivations, .reverse, .reverseOutput, .procrustes, .rotation, .rope,
        .gitRebasin, .gitRebasinActivations, .activations, .aga,
    ]
}

/// Both sides of a site whose element is sought: the protected model's rows and the base's.
struct Sides {
    var left, right, left0, right0: Matrix<Double>
}
