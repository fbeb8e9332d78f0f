/// The keys that decoding the descriptions asks for, so that the page which explains them can be held to be whole.
package enum DescriptionKeys {
    /// Notes what is read. Used by one thread.
    final class Record: @unchecked Sendable {
        fileprivate(set) var keys: [String: Set<String>] = [:]
        fileprivate(set) var choices: [String: Set<String>] = [:]

        func note(_ key: String, of object: String) { keys[object, default: []].insert(key) }

        func note(_ key: String, of object: String, choices names: [String]) {
            choices[key, default: []].formUnion(names)
        }
    }

    /// Keys by the object that they are members of, in any of the families: `description` for the whole, `query` for what stands at that
    /// key, `layer.*` for each member of the dictionary `layer`, `steps[]` for each entry of the list `steps`. And the words that a key
    /// may have, where there are few.
    package static func all() throws(ArchitectureError) -> (keys: [String: Set<String>], choices: [String: Set<String>])
    {
        let record = Record()
        for name in ModelDescription.embedded.keys.sorted() {
            let source = try ModelDescription.source(of: name)
            try ModelDescription(decoding: source, named: name, noting: record).check(noting: record)
        }
        // What a description inherits is filled in before it is decoded.
        record.note("extends", of: "description")
        return (record.keys, record.choices)
    }
}
