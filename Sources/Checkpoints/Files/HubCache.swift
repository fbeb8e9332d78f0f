import Glibc

/// Models that Hugging Face's tools have downloaded: `models--ORG--NAME/snapshots/COMMIT` in the cache, where `refs/main` names the
/// commit. Read alone; nothing is downloaded.
public enum HubCache {
    /// What to open for a model that a user names: the path where something is there, else the cache's snapshot of `org/name`.
    ///
    /// - Throws: `notInCache` for an `org/name` that is in neither place.
    public static func resolve(
        _ model: String, system: any SystemCalls = PosixSystemCalls(),
        environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) throws(CheckpointError) -> String {
        let parts = model.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy(isRepositoryPart), !isThere(model, system) else {
            return model
        }
        let cache = directory(environment)
        let repository = cache + "/models--" + parts.joined(separator: "--")
        if let commit = text(repository + "/refs/main", system), isCommit(commit) {
            let snapshot = repository + "/snapshots/" + commit
            if isThere(snapshot, system) { return snapshot }
        }
        // A single word is a path more often than one of the oldest models, which have no organisation.
        guard parts.count == 2 else { return model }
        throw .notInCache(model: model, cache: cache)
    }

    /// Where huggingface_hub keeps its cache.
    static func directory(_ environment: (String) -> String?) -> String {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        let home = value("HOME") ?? "/"
        let path =
            value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") ?? value("HF_HOME").map { $0 + "/hub" }
            ?? (value("XDG_CACHE_HOME") ?? home + "/.cache") + "/huggingface/hub"
        return path.hasPrefix("~/") ? home + path.dropFirst() : path
    }

    /// Letters, digits, `-`, `_` and `.`, as the hub's names are.
    private static func isRepositoryPart(_ part: Substring) -> Bool {
        guard let first = part.first, first != ".", first != "-", part.utf8.count <= 96, !part.contains("--") else {
            return false
        }
        return part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    private static func isCommit(_ text: String) -> Bool {
        text.utf8.count == 40 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func isThere(_ path: String, _ system: any SystemCalls) -> Bool {
        (try? system.linkStatus(path)) != nil
    }

    /// A short file's text without the white space around it.
    private static func text(_ path: String, _ system: any SystemCalls) -> String? {
        guard let file = try? MappedFile(path: path, system: system), file.bytes.count <= 256 else { return nil }
        let lines = String(decoding: file.bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        return lines.count == 1 ? String(lines[0]) : nil
    }
}
