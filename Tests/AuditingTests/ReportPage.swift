import Auditing
import Foundation
import FoundationXML

/// An element of a page that was parsed as XML, strictly.
final class ReportPage: NSObject, XMLParserDelegate {
    final class Element {
        let name: String
        let attributes: [String: String]
        var children: [Element] = []
        /// Of it and of what is in it, as a reader has it.
        var text = ""

        init(_ name: String, _ attributes: [String: String]) { (self.name, self.attributes) = (name, attributes) }

        /// It and all in it, in the order of the page.
        var all: [Element] { [self] + children.flatMap(\.all) }
        func all(_ names: String...) -> [Element] { all.filter { names.contains($0.name) } }
        /// Its text with single spaces.
        var words: String { text.split { $0.isWhitespace }.joined(separator: " ") }
    }

    let root = Element("", [:])
    private var open: [Element] = []
    private(set) var error: String?

    /// - Throws: where the page is no well-formed XML.
    init(_ html: String) throws {
        super.init()
        open = [root]
        let parser = XMLParser(data: Data(html.utf8))
        parser.delegate = self
        guard parser.parse(), error == nil else {
            throw Malformed(reason: error ?? "\(String(describing: parser.parserError)) in line \(parser.lineNumber)")
        }
    }

    struct Malformed: Error { let reason: String }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        let element = Element(name, attributes)
        open.last?.children.append(element)
        open.append(element)
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) { for element in open { element.text += text } }
    func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) {
        self.error = "\(error) in line \(parser.lineNumber)"
    }
}
