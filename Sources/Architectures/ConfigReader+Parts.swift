import Checkpoints
import Foundations

/// Models whose language model's configuration is a part of config.json, beside those of towers.
extension ConfigReader {
    /// Reads all of config.json, or the part of it that the description is about.
    init(
        _ spelling: Spelling, _ description: ModelDescription, _ modelType: String, path: String
    ) throws(ArchitectureError) {
        let whole = spelling.root
        guard let text = description.text else {
            self.init(
                config: whole, description: description, path: path, spelling: spelling.written,
                standards: try ConfigTable.entry(of: modelType)?.keys ?? [:])
            return
        }
        let stated = whole[text.key].flatMap { $0.isNull ? nil : $0 }
        let prefix = text.key + "."
        let inside = spelling.written.filter { $0.key.hasPrefix(prefix) }.map {
            (String($0.key.dropFirst(prefix.count)), String($0.value.dropFirst(prefix.count)))
        }
        self.init(
            config: stated ?? (text.mayBeWhole ? whole : .null), description: description, path: path,
            spelling: stated == nil ? spelling.written : Dictionary(uniqueKeysWithValues: inside),
            standards: try ConfigTable.entry(of: text.modelTypes[0])?.keys ?? [:], whole: whole)
    }

    /// What stands before the keys of the language model in config.json.
    var place: String {
        guard let whole, let text = description.text, whole[text.key]?.isNull == false else { return "" }
        return text.key + "."
    }

    /// Whether the language model's part is of the type that the description is about.
    var namesText: Bool { textMismatch == nil }

    var textMismatch: ArchitectureError? {
        guard whole != nil, let text = description.text else { return nil }
        guard config.object != nil else { return .missingConfigValue(path: path, keys: [text.key]) }
        guard !place.isEmpty, let named = config["model_type"], !named.isNull else { return nil }
        guard let name = named.string, text.modelTypes.contains(name) else {
            let known = ((try? ModelDescription.library()) ?? []).filter { $0.modelTypes == description.modelTypes }
                .compactMap(\.text?.modelTypes.first)
            return .refusedFeature(
                path: path, key: text.key + ".model_type", found: named.serialized(),
                reason: "\(description.modelTypes.joined(separator: ", ")) is described with language models of type "
                    + known.joined(separator: ", "))
        }
        return nil
    }

    /// As config.json itself has it, or else its default; some models take the language model's part at its word, too.
    func tiedHeadOfParts() throws(ArchitectureError) -> Bool {
        let key = "tie_word_embeddings"
        func flag(_ value: JSONValue?, _ key: String) throws(ArchitectureError) -> Bool? {
            guard let value, !value.isNull else { return nil }
            guard let flag = value.bool else {
                throw .invalidConfigValue(path: path, key: key, found: value.serialized(), expected: "true or false")
            }
            return flag
        }
        let isTied = try flag(whole?[key], key) ?? description.tiedHeadDefault
        guard !isTied, description.text?.forwardsTie == true else { return isTied }
        return try flag(config[key], place + key) ?? false
    }
}

extension ArchitectureError {
    /// With keys as they stand in config.json, where they were read in a part of it.
    func inside(_ place: String) -> ArchitectureError {
        func key(_ key: String) -> String {
            place.isEmpty || key.hasPrefix(place) || ["architectures", "tie_word_embeddings"].contains(key)
                ? key : place + key
        }
        return switch self {
        case .missingConfigValue(let path, let keys): .missingConfigValue(path: path, keys: keys.map(key))
        case .invalidConfigValue(let path, let name, let found, let expected):
            .invalidConfigValue(path: path, key: key(name), found: found, expected: expected)
        case .contradiction(let path, let name, let found, let other, let otherFound):
            .contradiction(
                path: path, key: key(name), found: found, other: other.contains(" ") ? other : key(other),
                otherFound: otherFound)
        case .refusedFeature(let path, let name, let found, let reason):
            .refusedFeature(path: path, key: key(name), found: found, reason: reason)
        default: self
        }
    }
}
