import Auditing
import Testing

/// What the page says in words is what the numbers say.
@Suite struct ReportVerdictTests {
    private static let tasks = [
        AuditResults.Task(
            name: "section", expert: "s", examples: 4000, unit: "examples", accuracy: 0.752, loss: 1, baseAccuracy: 0.3),
        AuditResults.Task(
            name: "role", expert: "r", examples: 4000, unit: "examples", accuracy: 0.776, loss: 1, baseAccuracy: 0.3),
    ]

    private static func standing(
        _ name: String = "mergelock", utility: Double?, baseline: Double, attack: String = "coupled",
        coefficient: Double? = 0.5, isPerTask: Bool = false, merging: String = "ties"
    ) -> Standing {
        let scores = AuditResults.Scores(accuracies: [0.707, 0.75], losses: [1, 1], utility: utility ?? 0)
        let candidate = AuditResults.Candidate(protected: coefficient, others: coefficient, scores: scores)
        let merge = AuditResults.Merge(
            name: merging, isPerTask: isPerTask, candidates: utility == nil ? [] : [candidate],
            failure: utility == nil ? "no space" : nil)
        return Standing(
            .init(
                name: name, cost: nil, alone: scores, displacement: 0,
                baseline: .init(name: "role alone", utility: baseline),
                attacks: [
                    .init(
                        name: attack, seconds: 1, displacement: 0, alone: scores, barriers: [], merges: [merge],
                        failure: nil)
                ]))
    }

    @Test func aMergeThatBringsMoreGetsThrough() {
        let verdict = Verdict(Self.standing(utility: 0.95, baseline: 0.77), Self.tasks)
        #expect(verdict.outcome == .getsThrough)
        #expect(
            verdict.sentence
                == "mergelock: lets a merge through. After coupled, ties at 0.5/0.5 reaches .707 and .750 of .752 and .776: "
                + "merging brings .18 more than what needs no merge (role alone).")
    }

    @Test func aMergeThatBringsLessIsStopped() {
        let verdict = Verdict(Self.standing(utility: 0.70, baseline: 0.73, attack: "none"), Self.tasks)
        #expect(verdict.outcome == .stops)
        #expect(
            verdict.sentence
                == "mergelock: stops every merge that was measured. The best one, ties at 0.5/0.5 without an attack, reaches .707 and .750 of "
                + ".752 and .776, which brings .03 less than what needs no merge (role alone).")
    }

    @Test func aTieBringsNothing() {
        let verdict = Verdict(Self.standing(utility: 0.75, baseline: 0.75), Self.tasks)
        #expect(verdict.outcome == .stops)
        #expect(verdict.detail.contains("which brings exactly as much as what needs no merge (role alone)."))
    }

    @Test(arguments: [0.0004, -0.0004]) func smallDifferencesAreNoZerosAndMayBeChance(difference: Double) {
        let verdict = Verdict(Self.standing(utility: 0.75 + difference, baseline: 0.75), Self.tasks)
        #expect(verdict.outcome == (difference > 0 ? .getsThrough : .stops))
        #expect(verdict.detail.contains("brings .0004 " + (difference > 0 ? "more" : "less")))
        // √(.707 · .293 / (4000 · .752²) + .75 · .25 / (4000 · .776²)) / 2
        #expect(verdict.detail.hasSuffix("the standard error of a utility on so few examples, .01: it may be chance."))
        let error = Verdict.standardError(
            .init(accuracies: [0.5, 0.8], losses: [], utility: 0), [Self.tasks[0], Self.tasks[1]])
        let expected = (0.25 / (4000 * 0.752 * 0.752) + 0.16 / (4000 * 0.776 * 0.776)).squareRoot() / 2
        #expect(abs((error ?? 0) - expected) < 1e-15)
    }

    @Test func aMergeWithoutCoefficientsNamesNone() {
        let verdict = Verdict(Self.standing(utility: 0.95, baseline: 0.77, coefficient: nil), Self.tasks)
        #expect(verdict.detail.hasPrefix("After coupled, ties reaches .707"))
    }

    @Test func manyTasksAreToldByTheirUtility() {
        let verdict = Verdict(Self.standing(utility: 0.95, baseline: 0.77), Self.tasks + Self.tasks + Self.tasks)
        #expect(verdict.detail.contains("reaches a utility of .950: merging"))
    }

    @Test func whereNothingWasMeasuredNothingIsSaid() {
        let verdict = Verdict(Self.standing(utility: nil, baseline: 0.77), Self.tasks)
        #expect(verdict.outcome == .unknown)
        #expect(verdict.sentence == "mergelock: not measured. No merge gave a result, so nothing is known.")
        #expect(Verdict(Self.standing(utility: .nan, baseline: 0.77), Self.tasks).outcome == .unknown)
    }

    /// A merge that could not be made is no merge that was stopped.
    @Test(arguments: [
        (0, ""), (1, "One attack or merge failed: nothing is known of it."),
        (2, "2 attacks or merges failed: nothing is known of them."),
    ])
    func failuresAreToldOnTop(count: Int, words: String) {
        for utility in [0.6, 0.95] {
            let measured = Self.standing(utility: utility, baseline: 0.77).protection
            let failed = Self.standing(utility: nil, baseline: 0.77).protection.attacks
            let attacks = measured.attacks + Array(repeating: failed, count: count).flatMap(\.self)
            let standing = Standing(
                .init(
                    name: "mergelock", cost: nil, alone: measured.alone, displacement: 0, baseline: measured.baseline,
                    attacks: attacks))
            let detail = Verdict(standing, Self.tasks).detail
            #expect(words.isEmpty ? !detail.contains("failed") : detail.hasSuffix(words), "\(detail)")
        }
    }

    @Test func theSummaryCounts() {
        let through = Verdict(Self.standing(utility: 0.95, baseline: 0.77), Self.tasks)
        let stopped = Verdict(Self.standing(utility: 0.6, baseline: 0.77), Self.tasks)
        let unknown = Verdict(Self.standing(utility: nil, baseline: 0.77), Self.tasks)
        let none = Verdict(Self.standing("none", utility: 0.97, baseline: 0.77), Self.tasks)
        #expect(none.isReference)
        #expect(
            Verdict.summary([through, stopped, through, none])
                == "Of 3 protections, 2 let a merge through and 1 stops every merge that was measured.")
        #expect(Verdict.summary([unknown]) == "Of 1 protection, 1 could not be measured.")
        #expect(Verdict.summary([none]) == "No protection was audited.")
    }

    /// The worst for the publisher first, the reference last.
    @Test func protectionsStandInTheOrderOfTheirAdvantage() throws {
        for (name, sample) in ReportSamples.all {
            let results = sample.results
            let standings = Standing.ranked(results)
            #expect(standings.map(\.name).sorted() == results.protections.map(\.name).sorted(), "\(name)")
            if results.protections.contains(where: { $0.name == "none" }) { #expect(standings.last?.name == "none") }
            let judged = standings.filter { !$0.isReference }.map { $0.advantage ?? -.infinity }
            #expect(judged == judged.sorted(by: >), "\(name)")
            for standing in standings {
                var most: AuditResults.Candidate?
                for merge in standing.protection.attacks.flatMap(\.merges) where !merge.isPerTask {
                    for candidate in merge.candidates
                    where candidate.scores.utility > most?.scores.utility ?? -.infinity { most = candidate }
                }
                #expect(standing.best?.candidate == most && standing.protection.worst?.candidate == most)
                #expect(
                    standing.advantage == most.map { $0.scores.utility - standing.protection.baseline.utility })
            }
        }
    }

    /// What takes a model for each task is told, and judges nothing.
    @Test func mergesThatRebuildEachTaskApartAreNotCounted() {
        let verdict = Verdict(Self.standing(utility: 0.95, baseline: 0.77, isPerTask: true), Self.tasks)
        #expect(verdict.outcome == .unknown)
        let standings = Standing.ranked(ReportSamples().results)
        for standing in standings {
            #expect(standing.bestPerTask?.merge == "emr" && standing.best?.merge != "emr")
            let verdict = Verdict(standing, Self.tasks)
            #expect(verdict.detail.contains("Rebuilding each task apart, emr"))
        }
        let map = HeatMap(standings, by: .merge, scale: 0...1, caption: "")
        #expect(map.columns.contains("emr"))
    }

    @Test func mergesThatRouteAreToldAsWhatTheyAre() {
        for (name, isRouted) in [("smile (k 16)", true), ("smile", true), ("emr", false), ("smiler", false)] {
            let both = Standing(
                .init(
                    name: "mergelock", cost: nil, alone: Self.standing(utility: 0.9, baseline: 0).protection.alone,
                    displacement: 0, baseline: .init(name: "role alone", utility: 0.7),
                    attacks: [true, false].flatMap { isPerTask in
                        Self.standing(
                            utility: 0.95, baseline: 0, attack: "none", isPerTask: isPerTask,
                            merging: isPerTask ? name : "ties"
                        ).protection.attacks
                    }))
            let how = isRouted ? "Routing each token among all models" : "Rebuilding each task apart"
            let verdict = Verdict(both, Self.tasks)
            #expect(
                verdict.detail.hasSuffix(
                    " \(how), \(name) reaches .707 and .750 of .752 and .776: as keeping the models side by side would, it is not counted."
                ), "\(verdict.detail)")
        }
    }

    @Test func thePageBeginsWithTheVerdictsAndSaysWhatTheyAreWorth() throws {
        let results = ReportSamples().results
        let page = try ReportPage(AuditReport(results).html).root
        let verdict = try #require(page.all("section").first)
        #expect(verdict.attributes["aria-labelledby"] == "verdict")
        let items = verdict.all("li")
        let expected = Standing.ranked(results).map { Verdict($0, results.tasks) }
        #expect(items.count == expected.count && items.count == 4)
        for (item, verdict) in zip(items, expected) { #expect(item.words.hasPrefix(verdict.sentence)) }
        #expect(items.map { $0.attributes["class"] } == ["through", "through", "stopped", "reference"])
        #expect(verdict.words.contains("an upper bound of what an attacker without them reaches"))
        #expect(verdict.words.contains("and on these data alone"))
        #expect(items[0].words.contains("It costs: 2.13 s beside 0.88 s of copying; outputs change by 1.3e−07"))
    }
}
