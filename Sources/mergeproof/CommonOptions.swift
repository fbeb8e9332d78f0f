import ArgumentParser
import Checkpoints
import Glibc
import Protections
import Symmetries

/// Options that several commands share.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print a JSON object instead of text.")
    var json = false

    @Flag(help: "Show no progress.")
    var quiet = false
}

struct ThreadOptions: ParsableArguments {
    @Option(help: "Tiles computed at once; all cores unless said otherwise. The result does not depend on it.")
    var threads: Int?

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1.") }
    }
}

/// A warning or an error, on standard error.
func warn(_ message: String) { writeToStandardError("mergeproof: \(message)\n") }

/// Unbuffered.
func writeToStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Runs a command's body and turns what it throws into one sentence and exit code 1.
func reportingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    Interruption.listen()
    do { return try body() } catch let code as ExitCode { throw code } catch {
        warn("\(error)")
        throw ExitCode(error as? CheckpointError == .interrupted ? 130 : 1)
    }
}

extension Sampler: ExpressibleByArgument {
    /// `exact` belongs to the lossless method and is not chosen by hand.
    public static var allValueStrings: [String] { allCases.filter { $0 != .exact }.map(\.rawValue) }
}

extension ProtectionMethod: ExpressibleByArgument {}

/// A number of bytes such as `5GB`.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let bytes = try? ByteSize.parse(argument) else { return nil }
        self.bytes = bytes
    }
}

/// Layers such as `0-11,23`.
struct LayerList: ExpressibleByArgument {
    let layers: [Int]

    init?(argument: String) {
        var layers: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last,
                last - first < 100_000
            else { return nil }
            layers += first...last
        }
        self.layers = layers
    }
}

/// Which sites of attention to act on.
enum AttentionSites: String, ExpressibleByArgument, CaseIterable {
    case qk, vo, both

    var kinds: Set<Site.Kind>? {
        switch self {
        case .qk: [.queryKey, .queryKeyGain]
        case .vo: [.valueOutput]
        case .both: nil
        }
    }
}
