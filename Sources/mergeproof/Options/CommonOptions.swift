import ArgumentParser
import Checkpoints
import Foundations
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
        if let threads { try requireRange("--threads", threads, 1...WorkerThreads.most) }
    }
}

/// Refuses a count that an option cannot mean.
func requireRange(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
        throw ValidationError("\(option) is \(range.lowerBound) to \(range.upperBound), found \(value).")
    }
}

extension Sampler: ExpressibleByArgument {
    /// `exact` belongs to the lossless method and is not chosen by hand.
    public static var allValueStrings: [String] { allCases.filter { $0 != .exact }.map(\.rawValue) }
}

/// Methods that act one after the other, such as `mergelock+params`.
struct MethodList: ExpressibleByArgument {
    /// One at least.
    let methods: [ProtectionMethod]

    static var allValueStrings: [String] { ProtectionMethod.allCases.map(\.name) }

    init?(argument: String) {
        let names = argument.split(
            separator: ProtectionMethod.separator, omittingEmptySubsequences: false
        ).map(String.init)
        let known = names.compactMap(ProtectionMethod.init(rawValue:))
        guard known.count == names.count else { return nil }
        methods = known
    }
}

extension ResidualTransform: ExpressibleByArgument {}

/// A number of bytes such as `5GB`.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let bytes = ByteSize.parse(argument) else { return nil }
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

/// Kinds of sites, such as `vo,qk,heads`, or `all`.
struct SiteList: ExpressibleByArgument {
    private static let names: KeyValuePairs<String, Set<Site.Kind>> = [
        "vo": [.valueOutput], "qk": [.queryKey, .queryKeyGain], "mlp": [.mlp], "heads": [.heads],
        "experts": [.experts], "residual": [.residual],
        "all": Set(Site.Kind.allCases),
    ]

    let kinds: Set<Site.Kind>

    init?(argument: String) {
        var kinds: Set<Site.Kind> = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let known = Self.names.first(where: { $0.key == name }) else { return nil }
            kinds.formUnion(known.value)
        }
        self.kinds = kinds
    }

    static var allValueStrings: [String] { names.map(\.key) }
}
