import Architectures
import Checkpoints
import Foundations
import Symmetries

/// What a protection says of a head that it stored apart from the table of tokens that it was tied to: config.json then says that the
/// two are not tied, and the original's words are kept so that it comes back as it was.
public struct UntiedHead: Sendable, Equatable {
    public static let key = JSONDocument.tieKey
    private static let configName = "config.json"

    /// The new tensor, and the one that it was.
    public let head, table: String
    private let original: [UInt8]

    init(_ untied: Site.Untied, in source: Checkpoint) {
        (head, table) = (untied.head, untied.table)
        original = source.config?.bytes ?? []
    }

    /// Nil where the value is none that a manifest holds.
    init?(_ json: JSONValue) {
        guard let head = json["head"]?.string, let table = json["table"]?.string, let text = json["config"]?.string
        else { return nil }
        (self.head, self.table, original) = (head, table, Array(text.utf8))
    }

    var json: JSONValue {
        .object([
            "head": .string(head), "table": .string(table),
            "config": .string(String(decoding: original, as: UTF8.self)),
        ])
    }

    /// config.json as the protected model has it.
    var config: OutputPlan.Generated {
        OutputPlan.Generated(name: Self.configName, bytes: untiedBytes)
    }

    var originalConfig: OutputPlan.Generated { OutputPlan.Generated(name: Self.configName, bytes: original) }

    private var untiedBytes: [UInt8] {
        (try? JSONDocument(parsing: original, as: .lenient))?.withHeadApart?.bytes ?? original
    }

    /// Whether a protected model's config.json is as this says.
    func isConfig(of checkpoint: Checkpoint) -> Bool { checkpoint.config?.bytes == untiedBytes }
}
