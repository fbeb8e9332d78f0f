import Foundation
import TestSupport
import Testing

/// What the pages of the documentation quote and list is what the sources say.
@Suite struct DocumentationTests {
    private static let root = Fixtures.root + "/../.."
    private static let catalog = root + "/Sources/MergeproofKit/MergeproofKit.docc"

    private func text(_ path: String) throws -> String { String(decoding: try Files.read(path), as: UTF8.self) }

    /// The table of rooms: which there are, in an order in which each imports those above it alone, and what each imports.
    @Test func roomsImportWhatThePageSays() throws {
        let rows = try text(Self.catalog + "/Architecture.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
        let cells = rows.map { $0.split(separator: "|").map { Self.code(String($0)) } }
        let listed = cells.compactMap(\.first?.first)
        let folders = Files.names(in: Self.root + "/Sources") + ["CSystemShims"]
        #expect(listed.sorted() == folders.sorted())
        for (place, row) in cells.enumerated() {
            let room = try #require(row.first?.first)
            let imports = try imports(of: Self.root + "/Sources/" + room).intersection(listed)
            #expect(Set(row.last ?? []).subtracting([room]) == imports, "\(room)")
            #expect(imports.subtracting(listed[..<place]) == [], "\(room)")
        }
    }

    /// Signals are the program's: a library has no say in them.
    @Test func noLibraryRoomTakesSignals() throws {
        for room in Files.names(in: Self.root + "/Sources") where room != "mergeproof" {
            try forEachLine(of: Self.root + "/Sources/" + room) { line in
                // A semaphore's method is another thing.
                let line = line.replacing(".signal(", with: "")
                #expect(!line.contains("signal(") && !line.contains("sigaction"), "\(room): \(line)")
            }
        }
    }

    /// Options are the program's: a library says what is wrong in words of its own.
    @Test func noLibraryRoomNamesOptions() throws {
        for room in Files.names(in: Self.root + "/Sources") where room != "mergeproof" {
            try forEachLine(of: Self.root + "/Sources/" + room) { line in
                let isComment = line.drop { $0 == " " }.hasPrefix("//")
                #expect(isComment || line.firstMatch(of: /--[a-z]/) == nil, "\(room): \(line)")
            }
        }
    }

    /// Options that the program advises are options of some command.
    @Test func advisedOptionsExist() throws {
        let described = try CommandRunner.run("--experimental-dump-help").output
        let source = try text(Self.root + "/Sources/mergeproof/Output/OptionHint.swift")
        let options = source.matches(of: /--([a-z][a-z-]+)/).map(\.output.1)
        #expect(options.count > 20)
        for option in options { #expect(described.contains("\"name\" : \"\(option)\""), "--\(option)") }
    }

    private func imports(of room: String) throws -> Set<String> {
        var modules: Set<String> = []
        try forEachLine(of: room) { line in
            let words = line.split(separator: " ")
            if let place = words.firstIndex(of: "import"), place < 2, words.count == place + 2 {
                modules.insert(String(words[place + 1]))
            }
        }
        return modules
    }

    /// Of all Swift files of a room.
    private func forEachLine(of room: String, _ body: (Substring) -> Void) throws {
        let files = FileManager.default.enumerator(atPath: room)
        for case let name as String in files ?? .init() where name.hasSuffix(".swift") {
            for line in try text(room + "/" + name).split(separator: "\n") { body(line) }
        }
    }

    private static func code(_ cell: String) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }

    @Test func pagesLinkToPagesAndPictures() throws {
        let names = Files.names(in: Self.catalog)
        let pages = names.filter { $0.hasSuffix(".md") }
        var shown: Set<String> = []
        for page in pages {
            let links = try text(Self.catalog + "/" + page).components(separatedBy: "<doc:").dropFirst()
            for link in links {
                #expect(pages.contains(link.prefix { $0 != ">" } + ".md"), "\(page): \(link.prefix(40))")
            }
            for match in try text(Self.catalog + "/" + page).matches(of: /!\[[^\]]+\]\(([^)]+)\)/) {
                shown.insert(String(match.output.1))
            }
        }
        #expect(shown == Set(names).subtracting(pages))
        let landing = try text(Self.catalog + "/MergeproofKit.md")
        for page in pages where page != "MergeproofKit.md" { #expect(landing.contains("<doc:\(page.dropLast(3))>")) }
    }

    /// The method that is shown, and the program, are those that are compiled.
    @Test func quotesAreVerbatim() throws {
        let method = try text(Self.root + "/Sources/Protections/Methods/Lossless.swift")
        #expect(try text(Self.catalog + "/AddingAMethod.md").contains("```swift\n" + method + "```\n"))
        let program = try text(Self.root + "/Tests/LibraryExample/main.swift")
        for page in [Self.catalog + "/MergeproofKit.md", Self.root + "/README.md"] {
            #expect(try text(page).contains("```swift\n" + program + "```\n"), "\(page)")
        }
    }
}
