import Checkpoints

extension ModelDescription {
    /// The descriptions in this binary, one file per family: those in the folder Descriptions, as they are.
    package static let embedded: [String: [UInt8]] = {
        let folder = "Descriptions/"
        let files = EmbeddedTexts.byPath.filter { $0.key.hasPrefix(folder) }
        return Dictionary(
            uniqueKeysWithValues: files.map { path, text in
                (String(path.dropFirst(folder.count).dropLast(".json".count)), text.withUTF8Buffer(Array.init))
            })
    }()
}

extension ConfigTable {
    static let embedded = EmbeddedTexts.byPath["ConfigTable.json"]?.withUTF8Buffer(Array.init) ?? []
}
