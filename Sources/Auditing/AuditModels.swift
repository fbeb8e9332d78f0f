import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Merging

/// The models of an audit, held against each other, and how bodies do on tasks with heads.
///
/// A body is a model without its head. Every task is scored with the head of its own expert, on whatever body.
struct AuditModels {
    struct Expert {
        let name: String
        let checkpoint: Checkpoint
        let examples: [ModelEvaluation.Example]
    }

    let base: Checkpoint
    /// The audited model first.
    let experts: [Expert]
    /// Names of tensors that are not merged.
    let heads: Set<String>
    let threads: Int?

    /// - Throws: `AuditError` where the models do not go together.
    init(_ configuration: AuditConfiguration, threads: Int?, opening: (String) throws -> Checkpoint) throws {
        guard !configuration.others.isEmpty else { throw AuditError.nothingToTry("others to merge with") }
        self.threads = threads
        base = try opening(configuration.base)
        experts = try ([configuration.model] + configuration.others).map { expert in
            Expert(
                name: expert.name, checkpoint: try opening(expert.model),
                examples: Array(try ModelEvaluation.examples(reading: expert.data).prefix(configuration.examples)))
        }
        let model = experts[0].checkpoint
        heads = try Self.heads(of: model, named: configuration.heads)
        let expected = try Architecture.resolve(model).modelType
        for other in experts.dropFirst().map(\.checkpoint) + [base] {
            let found = try Architecture.resolve(other).modelType
            guard found == expected else {
                throw AuditError.otherArchitecture(
                    path: other.path, found: found, first: model.path, expected: expected)
            }
            try check(other)
        }
    }

    private static func heads(of model: Checkpoint, named parts: [String]?) throws -> Set<String> {
        guard let parts else {
            guard case .classifier(let classifier) = try Architecture.resolve(model).head else { return [] }
            return classifier.tensors
        }
        for part in parts where !model.tensors.keys.contains(where: { $0.contains(part) }) {
            throw AuditError.noHead(part: part, path: model.path)
        }
        let heads = Set(model.tensors.keys.filter { name in parts.contains { name.contains($0) } })
        guard model.tensors.values.contains(where: { $0.type.isComputable && !heads.contains($0.name) }) else {
            throw AuditError.noBody(path: model.path)
        }
        return heads
    }

    private init(_ base: Checkpoint, _ experts: [Expert], heads: Set<String>, threads: Int?) {
        (self.base, self.experts, self.heads, self.threads) = (base, experts, heads, threads)
    }

    /// The same where heads that are tables of tokens lie apart from these, if a published model stores its own so: whoever merges it does the same.
    func withHeads(like published: Checkpoint) -> AuditModels {
        AuditModels(
            base.withHead(like: [published]),
            experts.map {
                Expert(
                    name: $0.name, checkpoint: $0.checkpoint.withHead(like: [published]), examples: $0.examples)
            },
            heads: heads, threads: threads)
    }

    /// Every tensor of the audited body is in the other, in the same shape, and no other one.
    private func check(_ other: Checkpoint) throws(AuditError) {
        try checkPublished(other)
        let model = experts[0].checkpoint
        for name in body(other).tensors.keys where model.tensors[name] == nil {
            throw .missingTensor(path: model.path, tensor: name, first: other.path)
        }
    }

    /// The same of a model that may have further tensors, such as a head that was tied.
    func checkPublished(_ other: Checkpoint) throws(AuditError) {
        let model = experts[0].checkpoint
        for tensor in body(model).tensors.values {
            guard let own = other.tensors[tensor.name] else {
                throw .missingTensor(path: other.path, tensor: tensor.name, first: model.path)
            }
            guard own.shape == tensor.shape else {
                throw .otherShape(
                    path: other.path, tensor: tensor.name, found: own.shape, first: model.path, expected: tensor.shape)
            }
        }
    }

    func body(_ model: Checkpoint) -> Checkpoint { Checkpoint(model, without: heads) }

    // MARK: Scores

    /// How a body does on a task with a model's head.
    ///
    /// - Parameter maps: what is added to the body's linear maps.
    func scores(
        of body: Checkpoint, headedBy model: Checkpoint, on task: Int,
        adding maps: [ActivationPoint.StoredMap: RoutedMap] = [:]
    ) throws -> ModelEvaluation.Scores {
        try ModelEvaluation(model: self.model(body, headedBy: model, adding: maps)).scores(experts[task].examples)
    }

    private func model(
        _ body: Checkpoint, headedBy model: Checkpoint, adding maps: [ActivationPoint.StoredMap: RoutedMap] = [:]
    ) throws -> Model {
        let names = body.tensors.keys.filter { model.tensors[$0] != nil && !heads.contains($0) }
        return Model(
            architecture: try Architecture.resolve(model),
            weights: Weights(model).replacing(Set(names), from: body).routed(by: maps), threads: threads)
    }

    /// How a whole model does on every task: on its own with its own head, on another with that expert's. Where heads are merged like all else, it is
    /// one model on all of them.
    ///
    /// - Parameter own: the task that its head is of; nil for none.
    func scores(ofWhole model: Checkpoint, own: Int?) throws -> [ModelEvaluation.Scores] {
        try experts.indices.map { task in
            let expert = experts[task].checkpoint
            if task == own || heads.isEmpty {
                return try ModelEvaluation(model: Model(model, threads: threads)).scores(experts[task].examples)
            }
            let architecture = try Architecture.resolve(model)
            let isOfItsOwnForm =
                architecture.polynomials != nil
                || body(model).tensors.keys.contains { expert.tensors[$0] == nil }
            guard isOfItsOwnForm else { return try scores(of: body(model), headedBy: expert, on: task) }
            // The head comes to it.
            for name in heads where model.tensors[name]?.shape != expert.tensors[name]?.shape {
                throw AuditError.otherHead(path: model.path, tensor: name, first: expert.path)
            }
            let weights = Weights(model).replacing(heads, from: expert)
            return try ModelEvaluation(model: Model(architecture: architecture, weights: weights, threads: threads))
                .scores(experts[task].examples)
        }
    }

    /// The mean of all experts' probabilities on every task.
    func ensemble() throws -> [ModelEvaluation.Scores] {
        try experts.indices.map { task in
            let head = experts[task].checkpoint
            let members = try experts.map { try model(body($0.checkpoint), headedBy: head) }
            return try ModelEvaluation(ensemble: members[0], Array(members.dropFirst()))
                .scores(experts[task].examples)
        }
    }
}
