import Alignment
import ArgumentParser
import Checkpoints
import Protections
import Symmetries

struct Attack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Align a protected model to its public base, as somebody who wants to merge it would.",
        discussion: """
            \(AlignmentMethod.builtIn.map(\.help).joined(separator: "\n"))

            Neither key nor manifest nor data are looked at. What comes out computes what the protected model computes, unless the method \
            says otherwise, in the base's coordinates: `merge` and `evaluate` then tell what a merge gets out of it.
            """)

    @Option(help: "The public model that the protected one was trained from.")
    var base: String

    @Option(help: "What is attacked: a protected model.")
    var protected: String

    @Option(help: "How elements are estimated.")
    var method: AlignmentMethodName

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
        let score: AlignmentScore?
    }

    private struct Result: Encodable {
        let output, method: String
        let sites: [Kind]
        let seconds: Double
    }

    func run() throws {
        try reportingErrors {
            let (model, origin) = (try openModel(protected), try openModel(base, including: []))
            let acted = try scoreAgainst.map { try Protector.elements(of: model, key: KeyOption.read($0)) }
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("align", of: .share, quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try Aligner(method.method, threads: cores.threads) { bar.update(done: $0, of: $1) }
                .align(model, to: origin, writing: output)
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            let scores = acted.map { AlignmentScore.all(of: report, against: $0) }
            let kinds = Site.Kind.allCases.compactMap { kind in
                report.agreement(kind).map { agreement in
                    Kind(
                        kind: kind.rawValue, sites: report.sites.count { $0.kind == kind }, agreement: agreement,
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
                try print(json: Result(output: output, method: method.method.name, sites: kinds, seconds: elapsed))
            } else {
                print(text(kinds))
                print("wrote \(output) (\(fixed(elapsed, 2)) s)")
                if !method.method.keepsFunction {
                    print(
                        "Each projection was fitted by itself: what was written computes something else than the protected model."
                    )
                }
            }
        }
    }

    private func text(_ kinds: [Kind]) -> [String] {
        let header =
            ["site", "count", "agreement"] + (scoreAgainst == nil ? [] : ["permutations right", "error of elements"])
        let rows = kinds.map { kind in
            var row = [kind.kind, "\(kind.sites)", fixed(kind.agreement, 4)]
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
struct AlignmentMethodName: ExpressibleByArgument {
    let method: AlignmentMethod

    init?(argument: String) {
        guard let method = AlignmentMethod.builtIn.first(where: { $0.name == argument }) else { return nil }
        self.method = method
    }

    static var allValueStrings: [String] { AlignmentMethod.builtIn.map(\.name) }
}

extension AlignmentMethod {
    /// A line for the help text.
    fileprivate var help: String {
        let origin = reference.map { " (arXiv \($0))" } ?? ""
        return "\(name)\(origin): \(summary)\(keepsFunction ? "" : "; changes the function")."
    }
}
