import Checkpoints
import Symmetries

/// What is done to a checkpoint, whichever elements do it: the sites, and for each tensor the runs of rows and columns that they act on.
public struct EditScript: Sendable {
    public let sites: [Site]
    /// A head that is stored apart from its table from now on.
    public let untied: Site.Untied?
    /// Tensors that the result holds besides the checkpoint's; their records name the bytes that they are made of.
    public let added: [TensorRecord]
    /// By the names of the original's tensors.
    let edits: [String: TensorEdits]

    /// - Throws: `SymmetryError` or `RewritingError` where a site asks for what a tensor has not.
    public init(_ sites: [Site], of checkpoint: Checkpoint) throws {
        self.sites = sites
        untied = sites.lazy.compactMap(\.untied).first.flatMap { checkpoint.tensors[$0.table] == nil ? nil : $0 }
        let head = untied.flatMap { untied in
            checkpoint.tensors[untied.table].map {
                TensorRecord(
                    name: untied.head, type: $0.type, shape: $0.shape, shard: $0.shard, dataRange: $0.dataRange)
            }
        }
        added = head.map { [$0] } ?? []
        edits = try TensorEdits.collect(sites, in: checkpoint, adding: added)
    }

    public func acts(on name: String) -> Bool { edits[name] != nil }
    public var editedTensors: [TensorRecord] { edits.values.map(\.tensor) }
}
