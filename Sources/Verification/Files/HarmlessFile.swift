import Checkpoints

/// Files that no loader reads: papers, pictures, what tools keep for themselves. Everything else may be read or run.
package enum HarmlessFile {
    private static let paperNames = [
        "readme", "license", "licence", "notice", "copying", "citation", "authors", "contributing", "code_of_conduct",
        "use_policy", "usage_policy", "acceptable_use", "changelog", "model_card", "security",
    ]
    private static let paperSuffixes = ["", ".md", ".txt", ".rst", ".cff", ".bib", ".pdf", ".html"]
    private static let pictureSuffixes = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"]
    private static let bookkeeping: Set = [
        ".git", ".gitattributes", ".gitignore", ".gitkeep", ".cache", ".huggingface", ".github", ".hg", ".svn",
        ".vscode",
        ".idea", ".DS_Store",
    ]

    /// Whether a file is of that kind by its name, and nothing else by its content.
    static func holds(_ entry: DirectoryEntry, in checkpoint: Checkpoint) throws -> Bool {
        if isBookkeeping(entry.relativePath) { return entry.isFile || !entry.isLink }
        guard entry.isFile, entry.isCopied else { return false }
        let name = entry.name.lowercased()
        let suffix = name.lastIndex(of: ".").map { String(name[$0...]) } ?? ""
        let isPaper =
            suffix == ".md"
            || (paperSuffixes.contains(suffix) && paperNames.contains { name.dropLast(suffix.count).hasPrefix($0) })
        return isPaper || pictureSuffixes.contains(suffix)
    }

    /// Hidden files and directories of version control and editors.
    package static func isBookkeeping(_ relativePath: String) -> Bool {
        bookkeeping.contains(relativePath.split(separator: "/").last.map(String.init) ?? relativePath)
    }
}
