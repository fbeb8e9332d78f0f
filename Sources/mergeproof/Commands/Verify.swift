import Architectures
import ArgumentParser
import Checkpoints
import Evaluation
import ForwardPass
import Symmetries
import Verification

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prove that two models compute the same function, from their weights and from their outputs.",
        discussion: """
            From the weights: at every symmetry site what the group leaves invariant is compared under random probes, or to the bit \
            where elements are exact; everything else must be the same to the bit, as must every file that a loader may read or run. \
            From the outputs: both models are evaluated on the same inputs, layer by layer in step, and what sets them \
            apart is held against the rounding floor: the original with its moved weights rounded once more. Inputs are random unless \
            --tokens or --inputs gives some. Models with parts that are not understood are judged by their weights alone, and it is said. Exit code 2 says that the two differ in function, or that a site which the manifest calls \
            protected has not moved.
            """)

    @Argument(help: "The original model: a directory, or org/name in the Hugging Face cache.")
    var original: String

    @Argument(help: "The protected model.")
    var protected: String

    @Option(help: "Token ids to evaluate on: JSON lines, each a list of ids or an object with input_ids.")
    var tokens: String?

    @Option(
        help:
            "Inputs to evaluate on: a safetensors file with input_ids, attention_mask, pixel_values … as transformers names them."
    )
    var inputs: String?

    @Option(help: "Arithmetic of the evaluation: f32, f64 or auto.")
    var precision = FunctionalVerification.Precision.automatic

    @Flag(help: "Compare weights alone and evaluate nothing.")
    var weightsOnly = false

    @Flag(help: "Form the full products of every head's two sides, too, instead of probing them alone: slower.")
    var exhaustive = false

    @OptionGroup var cores: ThreadOptions

    @OptionGroup var display: OutputOptions

    func validate() throws {
        if tokens != nil, inputs != nil { throw ValidationError("Give --tokens or --inputs, not both.") }
        if weightsOnly, tokens != nil || inputs != nil {
            throw ValidationError("--weights-only evaluates nothing: leave out --tokens and --inputs.")
        }
    }

    func run() throws {
        let (algebraic, functional) = try reportingErrors {
            let (a, b) = (try openModel(original), try openModel(protected))
            try AddressSpace.require(threads: cores.threads)
            let pair = try ModelPair(a, b, threads: cores.threads)
            let algebraic = try AlgebraicVerification(threads: cores.threads, isExhaustive: exhaustive).verify(pair)
            if !algebraic.opaqueParts.isEmpty, tokens != nil || inputs != nil {
                throw ArchitectureError.notEvaluable(path: original, parts: algebraic.opaqueParts.map(\.name))
            }
            // Weights that do not fit the original's shapes cannot be evaluated in its place.
            guard !weightsOnly, algebraic.canBeEvaluated, algebraic.opaqueParts.isEmpty else {
                return (algebraic, FunctionalReport?.none)
            }
            let bar = ProgressBar("evaluating", of: .share, quiet: display.quiet || display.json)
            let functional = try FunctionalVerification(threads: cores.threads, precision: precision)
                .verify(pair, inputs: try givenInputs()) { bar.update(done: Int($0 * 1000), of: 1000) }
            bar.finish()
            return (algebraic, functional)
        }
        let holds = algebraic.holds && functional?.holds ?? true
        if display.json {
            try print(json: BothReports(weights: algebraic, outputs: functional, holds: holds))
        } else {
            let last = "same function: \(holds ? "yes" : "NO")"
            let isQualified = holds && !algebraic.opaqueParts.isEmpty
            print(
                text(algebraic) + (functional.map(text) ?? []) + [isQualified ? last + ", by the weights alone" : last])
        }
        if !holds { throw checkFailed }
    }

    private func givenInputs() throws -> ModelInputs? {
        if let inputs { return try ModelInputs(reading: inputs) }
        return try tokens.map(ModelInputs.init(readingLines:))
    }

    private func text(_ report: VerificationReport) -> [String] {
        var rows = [["site", "count", "moved", "worst invariant error", "tolerance", "displacement"]]
        rows += report.kinds.map { kind in
            [
                kind.kind.rawValue, "\(kind.count)", "\(kind.moved)", scientific(kind.worst.invariantError),
                scientific(kind.worst.tolerance), fixed(report.displacementByKind[kind.kind] ?? 0, 3),
            ]
        }
        var lines =
            table(rows) + [
                "displacement of all weights: \(fixed(report.displacement, 3)), of the tensors that differ: \(fixed(report.movedDisplacement, 3))"
            ]
        if !report.unmoved.isEmpty, report.unmoved.count < report.sites.count {
            let named = report.unmoved.prefix(5).map(\.path).joined(separator: ", ")
            lines.append("not moved: \(report.unmoved.count) of \(report.sites.count) sites (\(named) …)")
        }
        if report.unmoved.count == report.sites.count {
            lines.append("nothing was moved: the weights of every site are the same to the bit")
        }
        if !report.zero.isEmpty {
            lines.append(
                "nothing to prove at \(report.zero.count) sites whose products are zero: any weights that keep them so pass"
            )
        }
        lines += report.failures.prefix(10).map { site in
            site.invariantError <= site.tolerance
                ? "FAILED \(site.path): rounding costs \(fixed(site.roundingMultiple, 1)) x that of the original, at most "
                    + "\(fixed(site.allowedMultiple, 1)) x is expected; what small channels held is gone"
                : "FAILED \(site.path): relative error \(scientific(site.invariantError)) above \(scientific(site.tolerance)), worst at "
                    + site.worst
        }
        if report.failures.count > 10 { lines.append("FAILED at \(report.failures.count - 10) more sites") }
        lines += report.opaqueParts.map(ReportText.notEvaluated)
        lines += report.problems.prefix(20).map { "FAILED \($0)" }
        if report.problems.count > 20 { lines.append("FAILED in \(report.problems.count - 20) more ways") }
        lines += report.differences.prefix(20).map { "no fault: \($0)" }
        if report.differences.count > 20 { lines.append("no fault: \(report.differences.count - 20) more differences") }
        return lines
    }

    private func text(_ report: FunctionalReport) -> [String] {
        let (drift, floor) = (report.drift, report.floor)
        var rows = [
            ["outputs (\(report.inDouble ? "f64" : "f32"))", "drift", "rounding floor", "drift / floor"],
            [
                "relative error of \(report.comparison.kind.rawValue)", scientific(drift.relativeError),
                scientific(floor.relativeError), floor.relativeError > 0 ? fixed(report.ratio, 2) : "-",
            ],
        ]
        if drift.rows > 0 {
            rows.append([
                "Kullback-Leibler divergence, mean", scientific(drift.meanDivergence),
                scientific(floor.meanDivergence), "",
            ])
            if drift.decided > 0 {
                rows.append([
                    "largest entry agrees", "\(drift.agreeing) of \(drift.decided)",
                    "\(floor.agreeing) of \(floor.decided)", "",
                ])
            }
        }
        if let change = drift.largestSimilarityChange, let noise = floor.largestSimilarityChange {
            rows.append(["cosine similarity of two sequences", scientific(change), scientific(noise), ""])
        }
        if let worst = report.worstLayer {
            rows.append([
                "most drift in \(worst.name)", scientific(worst.drift), scientific(worst.floor), "",
            ])
        }
        var lines = table(rows)
        if report.hasNothingToCompare {
            lines.append("no power: neither the lock nor rounding what it moved changes these outputs at all")
        }
        if drift.rows > 0, drift.decided == 0 {
            lines.append(
                "no power: rounding alone may change the largest entry of each of the \(drift.rows) rows, so that no choice was compared"
            )
        } else if drift.rows > drift.decided {
            lines.append("ties within rounding: \(drift.rows - drift.decided) of \(drift.rows) rows")
        }
        if let routing = report.comparison.routing { lines.append(text(routing)) }
        if let place = report.comparison.notFinite {
            lines.append(
                "FAILED \(place): the original's own values are not finite from there on; nothing can be compared")
        } else if let fault = report.comparison.firstFault {
            let named =
                fault.tensors.isEmpty ? "" : "; the original's \(fault.tensors.joined(separator: ", ")) would heal it"
            lines.append("FAILED \(fault.block): the first block whose drift is no rounding\(named)")
        } else if !report.holds {
            lines.append("FAILED outputs: drift \(scientific(drift.relativeError)) is no rounding")
        }
        return lines
    }

    private func text(_ routing: Comparison.Routing) -> String {
        var line = "routing of experts: \(routing.turned) of \(routing.decisions) decisions turned within rounding"
        line += " (rounding alone turns \(fixed(routing.turnedByRounding, 1))), evaluated as the original decides"
        return routing.overturned > 0 ? line + "; \(routing.overturned) turned by more than rounding" : line
    }
}

extension FunctionalVerification.Precision: ExpressibleByArgument {}

/// The report on the weights, with the verdict of both proofs in the place of its own, and the report on the outputs.
private struct BothReports: Encodable {
    let weights: VerificationReport
    let outputs: FunctionalReport?
    let holds: Bool

    enum Key: String, CodingKey {
        case sameFunction = "same_function"
        case outputs
    }

    func encode(to encoder: any Encoder) throws {
        try weights.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(holds, forKey: .sameFunction)
        try container.encode(outputs, forKey: .outputs)
    }
}
