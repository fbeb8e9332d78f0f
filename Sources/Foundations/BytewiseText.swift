/// Text that is compared byte by byte: `==` of `String` takes for one what Unicode calls equal, which may be two tokens.
package struct BytewiseText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (a: BytewiseText, b: BytewiseText) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
