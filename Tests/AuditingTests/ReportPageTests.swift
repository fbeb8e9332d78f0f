import Auditing
import Foundation
import Foundations
import Testing

/// The page is well-formed, complete in itself, and can be read without a mouse, without colours and without eyes.
@Suite struct ReportPageTests {
    private static func forEachPage(_ body: (String, ReportPage.Element, String) throws -> Void) throws {
        for (name, sample) in ReportSamples.all {
            let html = AuditReport(sample.results).html
            try body(name, try ReportPage(html).root, html)
        }
    }

    @Test func pagesAreWellFormed() throws {
        try Self.forEachPage { name, page, html in
            #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\""))
            #expect(page.children.map(\.name) == ["html"] && page.all("main").count == 1, "\(name)")
            #expect(page.all("style").first?.text.contains("prefers-color-scheme:dark") == true)
            #expect(page.all("style").first?.text.contains("@media print") == true)
        }
    }

    @Test func nothingIsRunOrLoaded() throws {
        let loading: Set<String> = ["src", "srcset", "data", "action", "poster", "background", "xlink:href", "style"]
        try Self.forEachPage { name, page, html in
            #expect(
                page.all("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use").isEmpty,
                "\(name)")
            #expect(!html.lowercased().contains("<script"))
            for element in page.all {
                for (key, value) in element.attributes {
                    #expect(!loading.contains(key) && !key.lowercased().hasPrefix("on"), "\(element.name) \(key)")
                    if key == "href" { #expect(value.hasPrefix("#") || value.hasPrefix("https://arxiv.org/abs/")) }
                }
            }
            let style = page.all("style").map(\.text).joined()
            #expect(!style.contains("url(") && !style.contains("@import"))
            let policy = page.all("meta").compactMap {
                $0.attributes["http-equiv"] == nil ? nil : $0.attributes["content"]
            }
            #expect(policy == ["default-src 'none'; style-src 'unsafe-inline'"])
        }
    }

    @Test func idsAreUniqueAndReferencesLead() throws {
        try Self.forEachPage { name, page, _ in
            let ids = page.all.compactMap { $0.attributes["id"] }
            #expect(Set(ids).count == ids.count, "\(name)")
            var references = page.all("a").compactMap { $0.attributes["href"] }.filter { $0.hasPrefix("#") }.map {
                String($0.dropFirst())
            }
            #expect(references.contains("content"))
            for key in ["aria-labelledby", "aria-describedby", "aria-controls", "for", "headers"] {
                references += page.all.compactMap { $0.attributes[key] }.flatMap {
                    $0.split(separator: " ").map(String.init)
                }
            }
            #expect(references.count > 10)
            for reference in references { #expect(ids.contains(reference), "\(name): \(reference)") }
        }
    }

    @Test func headingsGoDownOneLevelAtATime() throws {
        try Self.forEachPage { name, page, _ in
            let levels = page.all("h1", "h2", "h3", "h4", "h5", "h6").compactMap { Int($0.name.dropFirst()) }
            #expect(levels.first == 1 && levels.count { $0 == 1 } == 1)
            for (one, next) in zip(levels, levels.dropFirst()) { #expect(next <= one + 1, "\(name)") }
        }
    }

    @Test func tablesHaveCaptionsScopesAndContainersOfTheirOwn() throws {
        try Self.forEachPage { name, page, _ in
            let containers = page.all("div").filter { $0.attributes["class"] == "scroll" }
            #expect(containers.count == page.all("table").count && !containers.isEmpty)
            for container in containers {
                #expect(container.children.map(\.name) == ["table"])
                #expect(container.attributes["tabindex"] == "0" && container.attributes["role"] == "region")
                let caption = container.all("caption").first?.words ?? ""
                #expect(!caption.isEmpty)
                #expect(
                    container.attributes["aria-label"]?.split { $0.isWhitespace }.joined(separator: " ") == caption,
                    "\(name)")
                let columns = container.all("thead").flatMap { $0.all("th") }
                #expect(!columns.isEmpty && columns.allSatisfy { $0.attributes["scope"] == "col" && !$0.words.isEmpty })
                for row in container.all("tbody").flatMap({ $0.all("tr") }) {
                    #expect(row.children.first?.name == "th" && row.children.first?.attributes["scope"] == "row")
                    let width = row.children.reduce(0) { $0 + (Int($1.attributes["colspan"] ?? "1") ?? 0) }
                    #expect(width == columns.count, "\(name): \(caption)")
                }
            }
        }
    }

    /// Each drawing has a name, a description, and its numbers beside it.
    @Test func drawingsAreToldInWordsAndNumbers() throws {
        try Self.forEachPage { name, page, _ in
            let figures = page.all("figure")
            #expect(figures.count == page.all("svg").count && !figures.isEmpty)
            for figure in figures {
                let drawing = try #require(figure.all("svg").first)
                #expect(drawing.attributes["role"] == "img")
                let told = [drawing.all("title").first, drawing.all("desc").first]
                #expect(told.allSatisfy { $0?.words.isEmpty == false })
                #expect(
                    drawing.attributes["aria-labelledby"]
                        == told.compactMap { $0?.attributes["id"] }.joined(separator: " "))
                #expect(figure.all("details").first?.all("table").count == 1, "\(name)")
                #expect(figure.all("details").first?.all("summary").first?.words.hasPrefix("Numbers of") == true)
            }
        }
    }

    /// Names out of files stand as text, whole, wherever they stand.
    @Test func textStaysText() throws {
        let sample = try #require(ReportSamples.all["hostile"])
        let html = AuditReport(sample.results).html
        let page = try ReportPage(html).root
        let shown = PrintableText.line(ReportSamples.hostile)
        #expect(shown.contains("\\u{202e}") && shown.contains("\\n"))
        let squeezed = shown.split { $0.isWhitespace }.joined(separator: " ")
        #expect(page.all("li").contains { $0.words.hasPrefix(squeezed + ": ") })
        #expect(page.all("th").count { $0.words == squeezed } > 5)
        #expect(page.all("svg").flatMap { $0.all("desc") }.contains { $0.words.contains(squeezed) })
        #expect(page.all("div").contains { $0.attributes["aria-label"]?.contains(shown) == true })
        #expect(page.all("i", "alert").isEmpty)
        #expect(html.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && $0.value != 0x202e) })
        // Nothing of it is left out of the failure's row, and the map's cell begins with it.
        #expect(
            page.all("td").contains { $0.words.hasPrefix("failed: " + squeezed) && $0.words.hasSuffix("and so on") })
        #expect(page.all("td").contains { $0.words.hasPrefix("failed a<script>") && $0.words.hasSuffix("…") })
    }

    @Test func coefficientsAndBarriersAreDrawnWhereTheirNumbersAre() throws {
        let page = try ReportPage(AuditReport(ReportSamples().results).html).root
        for figure in page.all("figure") {
            let numbers = figure.all("tbody").flatMap { $0.all("tr") }.map { $0.children.map(\.words) }
            let ticks = figure.all("text").filter {
                $0.attributes["class"] == "tick" && $0.attributes["text-anchor"] == "end"
            }
            guard let low = ticks.first, let high = ticks.last, ticks.count > 1 else { continue }
            func number(_ text: String?) -> Double? { text.flatMap { Double($0.replacing("−", with: "-")) } }
            let (y0, y1) = (try #require(number(low.attributes["y"])), try #require(number(high.attributes["y"])))
            let (v0, v1) = (try #require(number(low.words)), try #require(number(high.words)))
            let curves = figure.all("g").filter { $0.attributes["class"]?.hasPrefix("curve") == true }
            #expect(!curves.isEmpty)
            for (column, curve) in curves.enumerated() {
                let marks = curve.all("circle")
                #expect(marks.count == numbers.count)
                for (mark, row) in zip(marks, numbers) {
                    let place = try #require(number(mark.attributes["cy"])) + 4
                    let value = try #require(number(row[column + 1]))
                    #expect(abs(v0 + (place - y0) / (y1 - y0) * (v1 - v0) - value) < 1e-3 * max(abs(v1 - v0), 1))
                }
            }
        }
        #expect(page.all("figure").count == 4 * (1 + 2 + 1 + 1))
    }

    @Test func costsAreTold() throws {
        let page = try ReportPage(AuditReport(ReportSamples().results).html).root
        let table = try #require(page.all("table").first { $0.words.hasPrefix("Cost of each protection") })
        let rows = table.all("tr").map { $0.children.map(\.words) }
        #expect(
            rows == [
                [
                    "protection", "same function by weights", "protecting", "copying", "change of outputs",
                    "accuracy alone on section", "accuracy alone on role",
                ],
                ["mergelock", "proved", "2.13 s", "0.88 s", "1.3e−07", ".602", ".621"],
                ["lossless", "not proved", "2.13 s", "0.88 s", "1.3e−07", ".602", ".621"],
                ["mergelock+params(heads: true)", "no lock acts", "2.13 s", "0.88 s", "1.3e−07", ".602", ".621"],
            ])
    }

    @Test func methodsHaveCards() throws {
        var sample = ReportSamples()
        sample.protections += ["decoy(distance: 1e+3)+lossless", "somebody's model"]
        sample.attacks.append("circuits")
        let cards = MethodCards(sample.results)
        #expect(cards.protections.map(\.name) == ["mergelock", "params", "lossless", "decoy"])
        #expect(cards.attacks.map(\.name) == ["coupled", "reverse_output", "procrustes", "aga", "circuits"])
        #expect(cards.merges.map(\.name) == ["linear", "task_arithmetic", "ties", "dare_ties", "karcher", "emr"])
        #expect(MethodCards.steps(of: "a(x: 1e+3, y: (2+2))+b+c (d+e)") == ["a(x: 1e+3, y: (2+2))", "b", "c (d+e)"])
        let page = try ReportPage(AuditReport(sample.results).html).root
        let links = page.all("a").filter { $0.attributes["href"]?.hasPrefix("https://arxiv.org/abs/") == true }
        #expect(
            links.contains {
                $0.words == "arXiv 2306.01708" && $0.attributes["href"] == "https://arxiv.org/abs/2306.01708"
            })
        #expect(page.all("dt").contains { $0.words == "ties" })
        #expect(MethodCards.link("x\"onclick=") == "x&quot;onclick=" && MethodCards.link(nil) == "")
    }

    /// Lists that do not go together, and numbers that are none, end in no trap.
    @Test func uglyNumbersMakeAPage() throws {
        let odd = AuditResults.Scores(accuracies: [.nan], losses: [.infinity, -1e308, 7], utility: .nan)
        let fine = AuditResults.Scores(accuracies: [0.5, 2], losses: [1e308], utility: 1e300)
        let candidates = [odd, fine].flatMap { scores in
            [nil, .nan, -1e308, 0.5].map { AuditResults.Candidate(protected: $0, others: $0, scores: scores) }
        }
        let merge = AuditResults.Merge(name: "", isPerTask: false, candidates: candidates, failure: nil)
        let barrier = AuditResults.Barrier(other: "", alphas: [0, .nan, 1], losses: [1e308, -1e308], height: .nan)
        let attack = AuditResults.Attack(
            name: "", seconds: .nan, displacement: .infinity, alone: odd, barriers: [barrier, barrier],
            merges: [merge, merge],
            failure: nil)
        let task = AuditResults.Task(
            name: "", expert: "", examples: 0, unit: "", accuracy: 0, loss: .nan, baseAccuracy: -.infinity)
        let cost = AuditResults.Cost(
            seconds: .infinity, copySeconds: -1, outputChange: .nan, sameFunctionByWeights: nil)
        let protection = AuditResults.Protection(
            name: "", cost: cost, alone: odd, displacement: .nan, baseline: .init(name: "", utility: .nan),
            attacks: [attack, attack])
        let results = AuditResults(
            base: "", model: "", seed: 0, tasks: [task, task, task], heads: [], singles: [.init(name: "", scores: odd)],
            ensemble: odd, protections: [protection, protection])
        let html = AuditReport(results).html
        _ = try ReportPage(html)
        #expect(!html.contains("nan") && !html.contains("inf\"") && !html.contains("\"inf"))
        #expect(AuditTable(results).csv.contains("nan"))
    }

    /// Pages to look at, in the folder that the variable names.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["REPORT_SAMPLES"] != nil)) func samplesAreWritten() throws {
        let folder = URL(filePath: ProcessInfo.processInfo.environment["REPORT_SAMPLES"] ?? ".")
        for (name, sample) in ReportSamples.all {
            let results = sample.results
            try Data(AuditReport(results).html.utf8).write(to: folder.appending(path: name + ".html"))
            try Data(AuditTable(results).csv.utf8).write(to: folder.appending(path: name + ".csv"))
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(results).write(to: folder.appending(path: name + ".json"))
        }
    }
}
