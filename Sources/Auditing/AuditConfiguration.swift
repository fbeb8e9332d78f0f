import Alignment
import Merging
import Protections

/// What is audited: one model to be published, those that somebody may merge it with, and what is tried.
public struct AuditConfiguration: Sendable {
    /// A model and the data of its task.
    public struct Expert: Sendable {
        public let name: String
        public let model: String
        /// As `ModelEvaluation` reads it.
        public let data: String

        public init(_ name: String, model: String, data: String) {
            (self.name, self.model, self.data) = (name, model, data)
        }
    }

    /// What is published.
    public struct Protection: Sendable {
        public enum Form: Sendable {
            /// The model as it is.
            case none
            /// One step at least.
            case steps([StepOptions])
            /// A path: a protected model that is there already.
            case published(String)
        }

        public let name: String
        public let form: Form

        public init(_ name: String, _ form: Form) { (self.name, self.form) = (name, form) }

        /// What the model as it is goes by in a report.
        public static let unprotected = "none"

        /// - Throws: `AuditError.reservedName` where a protected model goes by the unprotected one's name.
        public func checkName() throws(AuditError) {
            if case .none = form { return }
            if name == Self.unprotected { throw .reservedName }
        }
    }

    /// What is done to the published model before it is merged.
    public enum Attack: Sendable {
        /// It is merged as it is.
        case none
        case align(AlignmentMethod)
        /// Circuits are merged (`CircuitMerger`), instead of weights by `merges`.
        case circuits

        public var name: String {
            switch self {
            case .none: "none"
            case .align(let method): method.name
            case .circuits: CircuitMerger.name
            }
        }
    }

    /// A method with the parameters that are held; its coefficients are scanned unless they are among these.
    public struct Merge: Sendable {
        public let method: MergeMethod
        public let parameters: [String: Double]

        public init(_ method: MergeMethod, _ parameters: [String: Double] = [:]) {
            (self.method, self.parameters) = (method, parameters)
        }

        /// The method with its parameters.
        public var name: String {
            guard !parameters.isEmpty else { return method.name }
            let texts = parameters.sorted { $0.key < $1.key }.map { name, value in
                "\(name) \(Int(exactly: value).map { "\($0)" } ?? "\(value)")"
            }
            return "\(method.name) (\(texts.joined(separator: ", ")))"
        }
    }

    /// - Throws: `AuditError.missingEvidence` where a method looks at more than weights and what is given.
    public func requireEvidence(of method: MergeMethod) throws(AuditError) {
        switch method.evidence {
        case .none: return
        case .calibration: if calibration != nil { return }
        case .fisher: break
        }
        throw .missingEvidence(method: method.name, method.evidence)
    }

    /// The public model that the others were trained from: of merges, and of attackers.
    public let base: String
    public let model: Expert
    /// One at least.
    public let others: [Expert]
    /// Parts of the names of tensors that are not merged; nil for those of the classifier.
    public var heads: [String]?
    /// How many examples of each task are looked at, from the first on.
    public var examples = 500
    /// Of keys, and of methods that draw at random.
    public var seed: UInt64 = 0
    /// Inputs for protections and for attacks that look at activations.
    public var calibration: String?
    public var protections: [Protection]
    public var attacks: [Attack]
    public var merges: [Merge]
    /// Coefficients of the published model, and of each of the others: all pairs are tried.
    public var protectedCoefficients: [Double] = [0.3, 0.5, 0.8, 1]
    public var otherCoefficients: [Double] = [0.3, 0.5]
    /// Points of a barrier's path; none without.
    public var barrierPoints = 11

    public init(
        base: String, model: Expert, others: [Expert], protections: [Protection], attacks: [Attack],
        merges: [Merge]
    ) {
        (self.base, self.model, self.others) = (base, model, others)
        (self.protections, self.attacks, self.merges) = (protections, attacks, merges)
    }
}
