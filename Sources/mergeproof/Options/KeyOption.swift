import ArgumentParser
import Protections

/// Where a command reads its key from.
struct KeyOption: ParsableArguments {
    @Option(
        name: .customLong("key"),
        help: "Key file from `mergeproof keygen`: a file, a pipe such as <(pass show key), or - for standard input.")
    var path: String

    /// Reads the key, and warns when others than its owner can read its file.
    func read() throws -> SecretKey { try Self.read(path) }

    static func read(_ path: String) throws -> SecretKey {
        try SecretKey(readingFrom: path) {
            warn("\(path): others than you can read this key; run chmod 600 on it")
        }
    }
}

extension ProtectionNonce: ExpressibleByArgument {
    public init?(argument: String) { self.init(hexadecimal: argument) }
}
