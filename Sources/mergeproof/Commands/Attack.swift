import Alignment
import ArgumentParser
import Checkpoints
import ForwardPass
import Protections
import Symmetries

struct Attack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Align a protected model to its public base or to another relative, as somebody who wants to merge it would.",
        discussion: """
            \(AlignmentMethod.builtIn.map(\.help).joined(separator: "\n"))
            \(CircuitMerger.name): \(CircuitMerger.summary).

            Neither key nor manifest are looked at, and data only with --calibration. What comes out computes what the protected model computes, \
            unless the method says otherwise, in the base's coordinates: `merge` and `evaluate` then tell what a merge gets out of it.
            """)

    @Option(
        help:
            "The public model that the protected one was trained from, or any relative of it: another model trained from that base serves as well, itself locked under another key or not; the output then lies in its coordinates. With circuits it may be left out."
    )
    var base: String?

    @Option(help: "What is attacked: a protected model.")
    var protected: String

    @Option(help: "How elements are estimated.")
    var method: AttackMethod

    @Option(help: "For circuits: a model that is merged with the protected one; may be given several times.")
    var with: [String] = []

    @Option(
        help:
            "For circuits with a base: λ of base + λ·Σ(model - base); one part for each model unless said otherwise.")
    var weight: Double?

    @Option(
        help: "For \(Self.calibrated): inputs to look at activations on, as evaluate --data takes them.")
    var calibration: String?

    @Option(name: [.customShort("o"), .long], help: "Directory to make.")
    var output: String

    @Option(help: "The key of the protection: what was found is then held against what acted.")
    var scoreAgainst: String?

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    /// What was trained a little lies nearer to its base.
    private static let leastAgreement = 0.7

    private struct Kind: Encodable {
        let kind: String
        let sites: Int
        let agreement: Double
        /// How many sites each method was taken at.
        let methods: [String: Int]
        let score: AlignmentScore?
    }

    private static let calibrated = AlignmentMethod.builtIn.filter(\.takesCalibration).map(\.name).joined(
        separator: ", ")

    private struct Result: Encodable {
        let output, method: String
        let sites: [Kind]
        let seconds: Double
    }

    func validate() throws {
        guard case .align(let method) = method else {
            if with.isEmpty { throw ValidationError("circuits merges models: give at least one other by --with.") }
            if weight != nil, base == nil {
                throw ValidationError("--weight is that of task vectors: give --base, too.")
            }
            if scoreAgainst != nil || calibration != nil {
                throw ValidationError(
                    "--score-against and --calibration are not for circuits, which estimates no element of the model.")
            }
            return
        }
        if base == nil { throw ValidationError("\(method.name) aligns to another model: give --base.") }
        if !with.isEmpty || weight != nil { throw ValidationError("--with and --weight are for circuits alone.") }
        if calibration != nil, !method.takesCalibration {
            throw ValidationError("\(method.name) looks at no data: --calibration is for \(Self.calibrated).")
        }
        if method.usesActivations, calibration == nil {
            throw ValidationError("\(method.name) looks at activations: give --calibration.")
        }
    }

    func run() throws {
        switch method {
        case .circuits: try mergeCircuits()
        case .align(let method): try align(method)
        }
    }

    private func align(_ method: AlignmentMethod) throws {
        try reportingErrors {
            let (model, origin) = (try openModel(protected), try openModel(base ?? "", including: []))
            let acted = try scoreAgainst.map { try Protector.elements(of: model, key: KeyOption.read($0)) }
            let inputs = try calibration.map(ModelInputs.init(readingExamples:))
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("align", of: .share, quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Aligner(method, calibration: inputs, threads: cores.threads) {
                bar.update(done: $0, of: $1)
            }
            .align(model, to: origin, writing: output)
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            let scores = acted.map { AlignmentScore.all(of: report, against: $0) }
            let kinds = Site.Kind.allCases.compactMap { kind in
                report.agreement(kind).map { agreement in
                    Kind(
                        kind: kind.rawValue, sites: report.sites.count { $0.kind == kind }, agreement: agreement,
                        methods: Dictionary(report.methods(kind).map { ($0.method, $0.count) }) { $1 },
                        score: scores?[kind])
                }
            }
            let far = kinds.filter { $0.agreement < Self.leastAgreement }.map { "\($0.kind) \(fixed($0.agreement, 2))" }
            if !far.isEmpty {
                warn(
                    "the base tells little of what lies at \(far.joined(separator: ", ")) after alignment: it is another model's, or a residual stream was turned, or weights were changed before the lock"
                )
            }
            if display.json {
                try print(json: Result(output: output, method: method.name, sites: kinds, seconds: elapsed))
            } else {
                print(text(kinds, showsMethods: method.isChoice))
                print("wrote \(output) (\(fixed(elapsed, 2)) s)")
                if !method.keepsFunction {
                    print(
                        "Each projection was fitted by itself: what was written computes something else than the protected model."
                    )
                }
            }
        }
    }

    private func text(_ kinds: [Kind], showsMethods: Bool) -> [String] {
        let header =
            ["site", "count", "agreement"] + (showsMethods ? ["taken"] : [])
            + (scoreAgainst == nil ? [] : ["permutations right", "error of elements"])
        let rows = kinds.map { kind in
            var row = [kind.kind, "\(kind.sites)", fixed(kind.agreement, 4)]
            if showsMethods {
                let taken = kind.methods.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                row.append(taken.isEmpty ? "-" : taken.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            }
            if scoreAgainst != nil {
                row += [
                    kind.score?.permutationShare.map { "\(fixed(100 * $0, 1)) %" } ?? "-",
                    kind.score?.error.map(scientific) ?? "-",
                ]
            }
            return row
        }
        return table([header] + rows)
    }
}

/// One of the methods, by its name.
enum AttackMethod: ExpressibleByArgument {
    case align(AlignmentMethod)
    case circuits

    init?(argument: String) {
        if argument == CircuitMerger.name {
            self = .circuits
        } else if let method = AlignmentMethod.builtIn.first(where: { $0.name == argument }) {
            self = .align(method)
        } else {
            return nil
        }
    }

    static var allValueStrings: [String] { AlignmentMethod.builtIn.map(\.name) + [CircuitMerger.name] }
}

extension AlignmentMethod {
    /// A line for the help text.
    fileprivate var help: String {
        let origin = reference.map { " (arXiv \($0))" } ?? ""
        return "\(name)\(origin): \(summary)\(keepsFunction ? "" : "; changes the function")."
    }
}
