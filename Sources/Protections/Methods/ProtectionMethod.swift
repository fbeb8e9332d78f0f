import Symmetries
import Synchronization

/// A way to protect: where it acts and how its elements are drawn. Everything that help texts, `inspect`, documentation and proofs say
/// of a method is said here once.
///
/// One file for each; `builtIn` lists them, and `register(_:)` adds those of other packages.
public struct ProtectionMethod: Sendable {
    /// Of the command line and the manifest. Elements depend on it: it never changes once a model is out.
    public let name: String
    /// One line.
    public let summary: String
    /// Where it was published, as an arXiv id; nil for what is our own.
    public let reference: String?
    /// The sites that it acts on when the user does not say; none where it only changes weights.
    public let siteKinds: Set<Site.Kind>
    /// How elements may be drawn, the default first.
    public let samplers: [Sampler]
    /// Numbers that it takes.
    public let parameters: [MethodParameter]
    /// What it does to weights before any element acts; nil where it keeps the function.
    public let change: (any WeightChange)?
    /// The parameter that must be given for it to change weights; nil where it always does.
    public let changesGiven: MethodParameter?
    /// Whether, given the base that a model was trained from, it moves hidden channels as far from the base's as a permutation can,
    /// instead of drawing one.
    public let assignsChannels: Bool
    /// Whether it can state the activations of MLPs as polynomials.
    public let statesPolynomials: Bool

    /// A method whose elements act at sites.
    /// - Parameters:
    ///   - change: what comes before them, where that is asked for by a parameter.
    ///   - samplers: one at least.
    public init(
        name: String, summary: String, reference: String? = nil, siteKinds: Set<Site.Kind>,
        assignsChannels: Bool = false, statesPolynomials: Bool = false, parameters: [MethodParameter] = [],
        change: (any WeightChange, given: MethodParameter)? = nil, samplers first: Sampler, _ others: Sampler...
    ) {
        (self.assignsChannels, self.statesPolynomials) = (assignsChannels, statesPolynomials)
        (self.name, self.summary, self.reference, self.siteKinds) = (name, summary, reference, siteKinds)
        (self.parameters, self.change, changesGiven) = (parameters, change?.0, change?.given)
        samplers = [first] + others
    }

    /// A method that changes weights and nothing else.
    public init(
        name: String, summary: String, reference: String? = nil, parameters: [MethodParameter], change: any WeightChange
    ) {
        (self.name, self.summary, self.reference, siteKinds) = (name, summary, reference, [])
        (self.parameters, self.change, changesGiven) = (parameters, change, nil)
        (assignsChannels, statesPolynomials, samplers) = (false, false, [])
    }

    /// Stands between the names of methods that act one after the other.
    public static let separator = "+"

    /// How elements are drawn when the user does not say. What draws none is exact in that.
    public var defaultSampler: Sampler { samplers.first ?? .exact }
    /// Whether elements move bits alone, whatever the user chooses.
    public var isExact: Bool { samplers.allSatisfy { $0 == .exact } }
    /// What it does to weights before any element acts, where these parameters hold.
    func change(given parameters: [MethodParameter: Double]) -> (any WeightChange)? {
        changesGiven.map { parameters[$0] != nil } ?? true ? change : nil
    }

    /// Whether its elements depend on the key; those that follow from the weights alone can be found by anybody.
    public var isKeyed: Bool { samplers.contains { $0 != .reflection } }
    /// Whether it draws no elements, so that the protected model is another one and stays so.
    public var onlyChangesWeights: Bool { samplers.isEmpty }
}

extension ProtectionMethod: Hashable {
    public static func == (a: ProtectionMethod, b: ProtectionMethod) -> Bool { a.name == b.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension ProtectionMethod: CaseIterable, RawRepresentable {
    private static let builtIn: [ProtectionMethod] = [
        .mergelock,
        .lossless,
        .full,
        .params,
        .mergebarrier,
        .mergeguard,
        .decoy,
    ]

    /// Those that keep the function unless a parameter asks for more.
    public static var locks: [ProtectionMethod] { allCases.filter { !$0.onlyChangesWeights } }

    private static let registered = Mutex<[ProtectionMethod]>([])

    /// Those that are built in, then those that were registered.
    public static var allCases: [ProtectionMethod] { builtIn + registered.withLock { $0 } }

    /// Makes a method known by its name: manifests that name it can be read, so that models can be restored and verified.
    /// - Throws: `ProtectionError.nameTaken` where another has the name.
    public static func register(_ method: ProtectionMethod) throws(ProtectionError) {
        let isNew = registered.withLock { registered in
            guard !(builtIn + registered).contains(method) else { return false }
            registered.append(method)
            return true
        }
        guard isNew else { throw .nameTaken(method: method.name) }
    }

    public init?(rawValue: String) {
        guard let known = Self.allCases.first(where: { $0.name == rawValue }) else { return nil }
        self = known
    }

    public var rawValue: String { name }
}

extension ProtectionMethod: CustomStringConvertible {
    public var description: String { name }
}
