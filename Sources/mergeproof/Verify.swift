import ArgumentParser
import Checkpoints
import Evaluation
import Symmetries

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prove that two models compute the same function, from their weights.",
        discussion: """
            At every symmetry site what the group leaves invariant is compared in f64; everything else must be the same to the bit. \
            Exit code 2 says that the two differ in function, or that a site which the manifest calls protected has not moved.
            """)

    @Argument(help: "The original model.")
    var original: String

    @Argument(help: "The protected model.")
    var protected: String

    @Option(help: "Sites compared at once; all cores unless said otherwise.")
    var threads: Int?

    @OptionGroup var display: OutputOptions

    func run() throws {
        let report = try reportingErrors {
            try AlgebraicVerification(threads: threads)
                .verify(try Checkpoint(opening: original), try Checkpoint(opening: protected))
        }
        print(display.json ? report.json.serialized(indented: true) : text(report))
        if !report.holds { throw checkFailed }
    }

    private func text(_ report: VerificationReport) -> String {
        var rows = [["site", "count", "moved", "worst invariant error", "tolerance", "displacement"]]
        for kind in Site.Kind.allCases {
            let sites = report.sites.filter { $0.kind == kind }
            guard let worst = sites.max(by: { $0.invariantError < $1.invariantError }) else { continue }
            rows.append([
                kind.rawValue, "\(sites.count)", "\(sites.filter(\.isMoved).count)",
                scientific(worst.invariantError), scientific(worst.tolerance),
                fixed(report.displacementByKind[kind] ?? 0, 3),
            ])
        }
        var lines = [table(rows), "displacement of all weights: \(fixed(report.displacement, 3))"]
        if !report.unmoved.isEmpty, report.unmoved.count < report.sites.count {
            let named = report.unmoved.prefix(5).map(\.path).joined(separator: ", ")
            lines.append("not moved: \(report.unmoved.count) of \(report.sites.count) sites (\(named) …)")
        }
        lines += report.failures.prefix(10).map {
            "FAILED \($0.path): relative error \(scientific($0.invariantError)) above \(scientific($0.tolerance)), worst at \($0.worst)"
        }
        if report.failures.count > 10 { lines.append("FAILED at \(report.failures.count - 10) more sites") }
        lines += report.problems.prefix(20).map { "FAILED \($0)" }
        if report.problems.count > 20 { lines.append("FAILED in \(report.problems.count - 20) more ways") }
        lines.append(report.holds ? "same function: yes" : "same function: NO")
        return lines.joined(separator: "\n")
    }
}
