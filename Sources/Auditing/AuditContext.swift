import Checkpoints
import ForwardPass
import Foundations

/// What every part of an audit works with.
struct AuditContext {
    let configuration: AuditConfiguration
    let models: AuditModels
    let scale: UtilityScale
    let calibration: ModelInputs?
    let journal: AuditJournal
    let identity: AuditIdentity
    /// The folder where published and aligned models lie, one of each at a time.
    let scratch: String
    let opening: (String) throws -> Checkpoint
    /// Told of evaluations.
    let advance: (Int) -> Void

    var threads: Int? { models.threads }
    /// The audited one, as it is.
    var model: Checkpoint { models.experts[0].checkpoint }
    /// Whether a merged model fits into memory beside what is computed with it.
    var keepsMerged: Bool { model.tensorBytes < WorkerThreads.physicalMemory / 4 }

    func path(_ name: String) -> String { scratch + "/" + name }
}
