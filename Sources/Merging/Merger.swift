import Architectures
import Checkpoints
import Foundation
import Foundations

/// Merges models of one architecture, streamed by the same plan and writer as a protection.
///
/// Values are computed in f32 and rounded once. The base's other files go along, or the first model's where there is no base. Every tensor of
/// every model is accounted for: what one has and another lacks, or has in another shape, ends the merge.
public struct Merger: Sendable {
    private let configuration: MergeConfiguration
    private let seed: UInt64
    private let byName: Bool
    private let threads: Int?
    private let system: any SystemCalls
    private let notice: (@Sendable (FileSystemNotice) -> Void)?
    private let progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)?

    /// - Parameters:
    ///   - seed: of methods that draw at random.
    ///   - byName: whether a family that is not known is merged, too: tensor by tensor, by their names.
    ///   - notice: told once of each promise that the file system makes weaker.
    ///   - progress: told of bytes that are written.
    public init(
        _ configuration: MergeConfiguration, seed: UInt64 = 0, byName: Bool = false, threads: Int? = nil,
        system: any SystemCalls = PosixSystemCalls(), notice: (@Sendable (FileSystemNotice) -> Void)? = nil,
        progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)? = nil
    ) {
        (self.configuration, self.seed, self.byName, self.threads) = (configuration, seed, byName, threads)
        (self.system, self.notice, self.progress) = (system, notice, progress)
    }

    /// What was made.
    public struct Report: Sendable {
        public let method: String
        /// In the order in which the configuration names them, the base first.
        public let models: [String]
        public let tensors: Int
        public let bytes: Int
        /// What is to be known of the models, one sentence each.
        public let notes: [String]
    }

    /// Files that say which token has which row of a table.
    private static let vocabularies = ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"]

    /// Writes the merged model to a new directory.
    ///
    /// - Parameter opening: finds a model by its name in the configuration; once for each.
    /// - Throws: `MergeError`, `ArchitectureError` or `CheckpointError`; nothing is left behind.
    @discardableResult
    public func merge(
        to path: String, opening: (String) throws -> Checkpoint = { try Checkpoint(opening: $0) }
    ) throws -> Report {
        guard !configuration.method.isRouted else {
            throw MergeError.noCheckpoint(method: configuration.method.name)
        }
        var opened: [String: Checkpoint] = [:]
        for name in configuration.names { opened[name] = try opening(name) }
        let models = opened.mapValues { $0.withHead(like: opened.values) }
        let vocabulary = try configuration.vocabulary.map { try self.vocabulary($0, models, opening) }
        let plan = try MergePlan(configuration, models: models, vocabulary: vocabulary, byName: byName)
        try plan.donor.checkFitForCopy(resharded: plan.isRestacked || vocabulary != nil)
        let folder = try CheckpointWriter.parent(
            ofOutput: path, reading: models.values.sorted { $0.path < $1.path }, system: system)
        let evidence = try MergeEvidence(
            of: configuration, models: models, folder: folder, threads: WorkerThreads.count(threads))
        var notes = vocabulary?.notes ?? Self.notes(models.values.sorted { $0.path < $1.path }, plan.donor, system)
        notes += Self.headNotes(models.values)
        let output = try plan.output(noting: { notes.append($0) }) { try producer(of: $0, evidence) }
        let total = output.tensorFileBytes
        let report = progress.map { progress in { @Sendable (done: Int) in progress(done, total) } }
        try CheckpointWriter(system: system, threads: threads, notice: notice, progress: report).write(output, to: path)
        return Report(
            method: configuration.method.name, models: configuration.names, tensors: plan.items.count,
            bytes: output.tensorFileBytes, notes: notes)
    }

    private func vocabulary(
        _ said: MergeConfiguration.Vocabulary, _ models: [String: Checkpoint], _ opening: (String) throws -> Checkpoint
    ) throws -> MergedVocabulary {
        try MergedVocabulary(said, names: configuration.names, models: models, system: system) { name in
            try Checkpoint.holds(Tokenizer.fileName, in: name, system) ? name : opening(name).path
        }
    }

    /// Heads that were tied and are merged apart from their tables.
    private static func headNotes(_ models: some Sequence<Checkpoint>) -> [String] {
        Set(models.filter { $0.restatement != nil }.map(\.path)).sorted().map { path in
            "\(path)'s head is its table of tokens, which another model stores apart: it is merged as a head of its own, and tie_word_embeddings is false in the merged config.json"
        }
    }

    /// Vocabularies that are not the donor's: rows of tables may then belong to other tokens.
    private static func notes(_ models: [Checkpoint], _ donor: Checkpoint, _ system: any SystemCalls) -> [String] {
        func files(_ model: Checkpoint) -> Set<String> {
            Set(model.sidecars.map(\.relativePath)).intersection(vocabularies)
        }
        return models.flatMap { model in
            files(model).intersection(files(donor)).sorted().filter { name in
                let paths = (own: "\(model.path)/\(name)", donor: "\(donor.path)/\(name)")
                if FileManager.default.contentsEqual(atPath: paths.own, andPath: paths.donor) { return false }
                guard name == Tokenizer.fileName, let own = try? Tokenizer(directory: model.path, system: system),
                    let other = try? Tokenizer(directory: donor.path, system: system)
                else { return true }
                return !own.numbers.all.elementsEqual(other.numbers.all) { $0 == $1 }
            }.map { name in
                "\(model.path)/\(name) is another than \(donor.path)'s, which goes along: where tokens have other numbers there, rows of different tokens were merged"
            }
        }
    }

    /// - Returns: nil for what is copied.
    func producer(of item: MergePlan.Item, _ evidence: MergeEvidence) throws -> (any TensorProducer)? {
        guard item.spec.type.isComputable else {
            try Self.checkConstants(item)
            return nil
        }
        let method = configuration.method
        let base = method.base == .ignored ? nil : item.slice.base ?? configuration.base
        let sources = zip(item.slice.sources, item.inputs).filter { $0.0.model != base }
        let apart = zip(item.slice.sources, item.inputs).first { $0.0.model == base }?.1
        let resolver = SettingResolver(configuration, item)
        let tensor = MergeTensor(
            item.spec,
            models: try sources.map { ($0.1, try resolver.settings(of: $0.0, tensor: $0.1.tensor.name)) },
            base: apart, shared: try resolver.shared(),
            importance: try sources.compactMap { try evidence.importance(of: $0.1, in: $0.0.model) },
            grams: sources.map { evidence.gram(of: $0.1, in: $0.0.model) }, seed: seed,
            threads: WorkerThreads.count(threads))
        return MergeProducer(item.spec, method, of: tensor)
    }

    /// What is not computed in has to be the same in all models.
    private static func checkConstants(_ item: MergePlan.Item) throws {
        guard let first = item.inputs.first else { return }
        let bytes = first.checkpoint.bytes(of: first.tensor)
        for input in item.inputs.dropFirst() {
            guard input.tensor.type == first.tensor.type,
                input.checkpoint.bytes(of: input.tensor).elementsEqual(bytes)
            else {
                throw MergeError.otherConstants(
                    path: input.checkpoint.path, tensor: input.tensor.name, first: first.checkpoint.path)
            }
        }
    }
}

/// What a configuration says of one tensor, in mergekit's order: of a source, its slice, its module, the whole.
private struct SettingResolver {
    private let method: MergeMethod
    private let item: MergePlan.Item
    private let scopes: [MergeConfiguration.Settings]

    init(_ configuration: MergeConfiguration, _ item: MergePlan.Item) {
        (method, self.item) = (configuration.method, item)
        scopes = [item.slice.settings, item.module.settings, configuration.settings]
    }

    func shared() throws(MergeError) -> MergeSettings { try values(.tensor, scopes, item.spec.name, model: nil) }

    func settings(of source: MergeConfiguration.Source, tensor: String) throws(MergeError) -> MergeSettings {
        try values(.model, [source.settings] + scopes, tensor, model: source.model)
    }

    private func values(
        _ scope: MergeMethod.Parameter.Scope, _ scopes: [MergeConfiguration.Settings], _ tensor: String, model: String?
    ) throws(MergeError) -> MergeSettings {
        var values: [String: Double] = [:]
        for parameter in method.parameters where parameter.scope == scope {
            let said = scopes.lazy.compactMap { $0[parameter.name] }
                .compactMap { $0.value(of: tensor, depth: item.depth, as: parameter.kind) }.first
            values[parameter.name] = said ?? parameter.standard
            if values[parameter.name] == nil, parameter.isRequired {
                throw .missingParameter(parameter.name, method: method.name, model: model, tensor: tensor)
            }
        }
        return MergeSettings(values)
    }
}
