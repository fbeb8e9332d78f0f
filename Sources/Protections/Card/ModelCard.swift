import Checkpoints
import Foundation
import Foundations

/// What a protection says of the model card that it wrote, README.md: the places where it added to the publisher's text, so that this comes
/// back bit for bit, and tags of the text before and after.
public struct ModelCard: Sendable, Equatable {
    public static let fileName = "README.md"

    /// A run of the card's bytes, and what stood in its place.
    struct Edit: Equatable {
        let place: Range<Int>
        let replaced: [UInt8]
    }

    /// Of the card as it was written, and of what lay there before; nil where there was none.
    private let tag: AuthenticationTag
    private let originalTag: AuthenticationTag?
    /// In their order.
    private let edits: [Edit]

    /// Whether the original had a card.
    public var extendsAnother: Bool { originalTag != nil }

    /// The text with everything taken back that was added to it; nil where the places are not in it.
    package func undone(_ card: [UInt8]) -> [UInt8]? {
        var (text, place) = ([UInt8](), 0)
        for edit in edits {
            guard edit.place.lowerBound >= place, edit.place.upperBound <= card.count else { return nil }
            text += card[place..<edit.place.lowerBound] + edit.replaced
            place = edit.place.upperBound
        }
        return text + card[place...]
    }
}

extension ModelCard {
    /// A card and what a manifest says of it.
    struct Written {
        let card: ModelCard
        let file: OutputPlan.Generated
    }

    /// Adds a section and a tag to the card of a model, or writes one.
    /// - Returns: nil where the model is one file, or what has the card's name is no text that is copied.
    static func write(_ markdown: String, for source: Checkpoint, _ authenticator: Authenticator) throws -> Written? {
        guard !source.isSingleFile,
            !source.entries.contains(where: {
                $0.relativePath.hasPrefix(fileName + "/") || ($0.relativePath == fileName && !$0.isCopied)
            })
        else { return nil }
        let entry = entry(in: source)
        let original = try entry.map(source.bytes(ofUnchanged:))
        let (text, edits) = added(markdown, to: original ?? [])
        let card = ModelCard(
            tag: tag(text, authenticator), originalTag: original.map { tag($0, authenticator) }, edits: edits)
        return Written(card: card, file: OutputPlan.Generated(name: fileName, bytes: text, replacing: entry))
    }

    private static func entry(in source: Checkpoint) -> DirectoryEntry? {
        source.sidecars.first { $0.relativePath == fileName }
    }

    private static func tag(_ text: [UInt8], _ authenticator: Authenticator) -> AuthenticationTag {
        text.withUnsafeBytes { authenticator.tag(file: fileName, $0) }
    }

    /// A text with our tag and section, and where they were put.
    private static func added(_ markdown: String, to text: [UInt8]) -> (card: [UInt8], edits: [Edit]) {
        let lineEnd = CardLines.end(of: text)
        let section = CardSection.bytes(markdown, lineEnd: lineEnd)
        let tagging = FrontMatter.insertion(into: text)
        var changes = tagging.map { [(place: $0.offset..<$0.offset, bytes: $0.bytes)] } ?? []
        if let stale = CardSection.range(in: text), stale.lowerBound >= tagging?.offset ?? 0 {
            changes.append((stale, section))
        } else {
            changes.append((text.count..<text.count, Array(gap(behind: text, lineEnd).utf8) + section))
        }
        var (card, edits, place) = ([UInt8](), [Edit](), 0)
        for change in changes {
            card += text[place..<change.place.lowerBound]
            edits.append(
                Edit(place: card.count..<card.count + change.bytes.count, replaced: Array(text[change.place])))
            card += change.bytes
            place = change.place.upperBound
        }
        return (card + text[place...], edits)
    }

    /// What makes a blank line behind a text.
    private static func gap(behind text: [UInt8], _ lineEnd: String) -> String {
        if text.isEmpty || text.suffix(2 * lineEnd.utf8.count).elementsEqual((lineEnd + lineEnd).utf8) { return "" }
        return text.last == UInt8(ascii: "\n") ? lineEnd : lineEnd + lineEnd
    }
}

extension ModelCard {
    /// The original's card, or what can be had of it.
    struct Restored {
        /// Nil where there is none.
        let file: OutputPlan.Generated?
        let change: Change?
    }

    /// Takes back what was added: bit for bit where the card is as it was written. One that was edited since comes back as it is now without
    /// our section, and without our tag where that can still be told apart.
    func restored(from source: Checkpoint, _ authenticator: Authenticator) throws -> Restored {
        guard let entry = Self.entry(in: source) else {
            return Restored(file: nil, change: .missingFile(Self.fileName))
        }
        let card = try source.bytes(ofUnchanged: entry)
        func file(_ text: [UInt8]) -> OutputPlan.Generated {
            OutputPlan.Generated(name: Self.fileName, bytes: text, replacing: entry)
        }
        if Self.tag(card, authenticator) == tag, let text = undone(card) {
            guard let originalTag else {
                return text.isEmpty ? Restored(file: nil, change: nil) : Restored(file: file(text), change: .manifest)
            }
            return Restored(file: file(text), change: Self.tag(text, authenticator) == originalTag ? nil : .manifest)
        }
        guard let text = CardSection.removed(from: withoutTag(card)) else {
            return Restored(file: file(card), change: .file(Self.fileName))
        }
        let isNothing = originalTag == nil && text.allSatisfy { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
        return Restored(file: isNothing ? nil : file(text), change: .editedCard)
    }

    /// An edited card without the tag, where taking out as many bytes as were put in gives a text to which the same would be added again.
    private func withoutTag(_ text: [UInt8]) -> [UInt8] {
        guard edits.count > 1, let matter = FrontMatter.range(in: text) else { return text }
        let (count, word) = (edits[0].place.count, Array(FrontMatter.tag.utf8))
        guard count >= word.count, count <= matter.count + 4 else { return text }
        for place in matter where text[place...].starts(with: word) {
            for start in max(0, place + word.count - count)...place where start + count <= text.count {
                let candidate = Array(text[..<start] + text[(start + count)...])
                guard let insertion = FrontMatter.insertion(into: candidate), insertion.offset == start,
                    insertion.bytes.elementsEqual(text[start..<start + count])
                else { continue }
                return candidate
            }
        }
        return text
    }
}

extension ModelCard {
    /// Nil where the value is none that a manifest holds.
    init?(_ json: JSONValue) {
        guard let tag = json["tag"]?.string.flatMap(AuthenticationTag.init(hexadecimal:)),
            let original = json["original"],
            let edits = json["edits"]?.array
        else { return nil }
        let originalTag = original.string.flatMap(AuthenticationTag.init(hexadecimal:))
        guard original.isNull || originalTag != nil else { return nil }
        let read = edits.compactMap { edit -> Edit? in
            guard let start = edit["at"]?.int, let count = edit["count"]?.int, start >= 0, count >= 0,
                let replaced = edit["replaced"].map({ $0.string.flatMap { Data(base64Encoded: $0) } }) ?? Data()
            else { return nil }
            let (end, overflows) = start.addingReportingOverflow(count)
            return overflows ? nil : Edit(place: start..<end, replaced: Array(replaced))
        }
        guard read.count == edits.count else { return nil }
        self.init(tag: tag, originalTag: originalTag, edits: read)
    }

    var json: JSONValue {
        .object([
            "tag": .string(tag.hexadecimal), "original": originalTag.map { .string($0.hexadecimal) } ?? .null,
            "edits": .array(
                edits.map { edit in
                    var object: JSONObject = ["at": .int(edit.place.lowerBound), "count": .int(edit.place.count)]
                    if !edit.replaced.isEmpty {
                        object["replaced"] = .string(Data(edit.replaced).base64EncodedString())
                    }
                    return .object(object)
                }),
        ])
    }
}
