import Glibc

/// Patterns that name files to be copied although they would be left out: shell wildcards on the path relative to the model
/// directory, where `*` also matches `/`, as in Hugging Face's `--include`. A leading dot must be written.
struct InclusionPatterns {
    let patterns: [String]

    func matches(_ relativePath: String) -> Bool {
        patterns.contains { fnmatch($0.hasSuffix("/") ? $0 + "*" : $0, relativePath, FNM_PERIOD) == 0 }
    }
}
