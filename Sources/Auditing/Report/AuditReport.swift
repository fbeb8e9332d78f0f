/// What an audit found, as one page of HTML that needs nothing beside it: no script, no font and no file from outside.
///
/// The page is well-formed XML too. The verdicts come first, the worst for the publisher on top; then utilities `mean_t acc_t / acc_t(expert)` of the best
/// merges as heat maps, the curves and candidates of each protection, costs, methods, and how all of it was measured.
public struct AuditReport: Sendable {
    private let results: AuditResults

    public init(_ results: AuditResults) { self.results = results }

    /// The whole page, which is a pure function of the results.
    public var html: String { page.source }

    private var page: Markup {
        let standings = Standing.ranked(results)
        let sections: [(id: Markup, title: Markup, content: Markup)] = [
            ("verdict", "Verdict", verdict(standings)),
            ("reach", "What attackers reach", maps(standings)),
            ("protections", "Each protection", "\(standings.enumerated().map { one($0.element, $0.offset) })"),
            ("cost", "What protecting costs", CostTable(standings: standings, tasks: results.tasks).markup),
            ("methods", "Methods", MethodCards(results).markup),
            ("measured", "How this was measured", MeasuredSection(results: results).markup),
        ]
        let links = sections.map { "<li><a href=\"#\($0.id)\">\($0.title)</a></li>\n" as Markup }
        let body = sections.map { section -> Markup in
            """
            <section aria-labelledby="\(section.id)">
            <h2 id="\(section.id)">\(section.title)</h2>
            \(section.content)</section>

            """
        }
        return """
            <!DOCTYPE html>
            <html lang="en" xml:lang="en" xmlns="http://www.w3.org/1999/xhtml">
            <head>
            <meta charset="utf-8"/>
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/>
            <title>Merge audit of \(results.model)</title>
            <style>
            \(Palette.rules)\(Self.style)
            </style>
            </head>
            <body>
            <a class="skip" href="#content">Skip to the verdict</a>
            <header>
            <h1>Merge audit</h1>
            <p class="subject">of <strong>\(Markup.name(results.model))</strong> against its base \(Markup.name(results.base))</p>
            <nav aria-label="Sections"><ul>
            \(links)</ul></nav>
            </header>
            <main id="content">
            \(body)</main>
            <footer><p>Made by mergeproof from results.json alone.</p></footer>
            </body>
            </html>

            """
    }

    /// Of report.css.
    package static let style: Markup = EmbeddedTexts.byPath["Report/report.css"].map { Markup(stringLiteral: $0) } ?? ""

    private func verdict(_ standings: [Standing]) -> Markup {
        let verdicts = standings.map { Verdict($0, results.tasks) }
        let items = zip(standings, verdicts).map { standing, verdict -> Markup in
            let cost =
                Verdict.cost(standing.protection, results.tasks).map { "<p class=\"aside\">\($0)</p>\n" as Markup }
                ?? ""
            return """
                <li class="\(Self.style(of: verdict))">
                <p><strong class="name">\(Markup.name(verdict.name)):</strong> <em>\(verdict.headline).</em> \(verdict.detail)</p>
                \(cost)</li>

                """
        }
        return """
            <p class="lead">\(Verdict.summary(verdicts))</p>
            <ul class="verdicts">
            \(items)</ul>
            <p class="aside">Coefficients were picked with the labels of the very examples that are scored, so every figure is an upper bound of what an
            attacker without them reaches. “Stops” holds for the attacks, merges and coefficients that were tried, and on these data alone.</p>

            """
    }

    private static func style(of verdict: Verdict) -> Markup {
        if verdict.isReference { return "reference" }
        switch verdict.outcome {
        case .getsThrough: return "through"
        case .stops: return "stopped"
        case .unknown: return "unknown"
        }
    }

    private func maps(_ standings: [Standing]) -> Markup {
        let scale = HeatMap.scale(of: standings)
        let attacks = HeatMap(
            standings, by: .attack, scale: scale,
            caption: "Best utility by attack, over coefficients and merges that give one model")
        let merges = HeatMap(
            standings, by: .merge, scale: scale, caption: "Best utility by merge, over attacks and coefficients")
        return """
            <p>Each cell holds the largest utility that was reached, and how much more it is than what needs no merge: a positive difference is worth
            something to an attacker. The worst protection comes first, and the strongest attack and merge. Merges that keep every model are shown by
            themselves, and counted nowhere else.</p>
            \(attacks.markup)\(merges.markup)
            """
    }

    private func one(_ standing: Standing, _ number: Int) -> Markup {
        var attacks: [String] = []
        for attack in results.protections.flatMap(\.attacks) where !attacks.contains(attack.name) {
            attacks.append(attack.name)
        }
        let curves = Curves(standing: standing, tasks: results.tasks, attacks: attacks, id: "protection-\(number)")
        func group(_ title: Markup, _ text: Markup, _ charts: [Markup]) -> Markup {
            charts.isEmpty ? "" : "<h4>\(title)</h4>\n<p>\(text)</p>\n<div class=\"charts\">\n\(charts)</div>\n"
        }
        let coefficients = group(
            "Coefficients", "The best merge of each attack, over the coefficient of the protected model.",
            curves.coefficients.map(\.markup))
        let barriers = group(
            "Barriers",
            "Mean loss over the tasks on the straight line between the weights of two models; a hill is a barrier.",
            curves.barriers.map(\.markup))
        let displacement = group(
            "Displacement",
            "How far the weights lie from the unprotected model’s; an attack that undoes a lock brings this to 0.",
            [curves.displacement.markup])
        return """
            <article aria-labelledby="protection-\(number)">
            <h3 id="protection-\(number)">\(Markup.name(standing.isReference ? "none: the unprotected model" : standing.name))</h3>
            \(coefficients)\(barriers)\(displacement)<h4 class="hidden">Best candidates</h4>
            \(CandidateTable(standing: standing, tasks: results.tasks).markup)</article>

            """
    }
}
