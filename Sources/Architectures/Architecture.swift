import Checkpoints
import OrderedCollections

/// A family's description resolved against one checkpoint: every tensor has a role, every shape agrees with config.json.
public struct Architecture: Sendable, Equatable {
    /// What a stored tensor is.
    public struct TensorRole: Sendable, Equatable {
        /// Such as `query`, `up`, `norm`, `buffer`; several tensors of a layer may share one.
        public let name: String
        public let layer: Int?
        /// Whether the model's class computes with it; others are kept for other classes and programs.
        public var isRead = true
    }

    public let family: String
    public let modelType: String
    public let hiddenSize: Int
    /// Layers of the stack that has most: each stack counts its own from 0.
    public let layerCount: Int
    /// Named dimensions of the family, in the order of its description.
    public let dimensions: OrderedDictionary<String, Int>
    /// In the order in which they run: an encoder before its decoder.
    public let stacks: [Stack]
    public let head: Head
    /// Every tensor of the checkpoint, in its order.
    public let roles: OrderedDictionary<String, TensorRole>
    /// The output head is the token embedding.
    public let hasTiedHead: Bool
    /// What is copied and not understood; a model that has such a part is protected around it, and not evaluated.
    public let opaqueParts: [OpaquePart]
    /// What stands for the activations of its MLPs; nil where they are the family's.
    public let polynomials: PolynomialActivations?
    /// Whether modules stand behind the model that read its hidden states (modules.json of sentence-transformers).
    public let hasModules: Bool
    /// What a user should know of this checkpoint, one sentence each.
    public let notes: [String]

    /// Every attention block once, also where several layers share it.
    public let attention: [AttentionBlock]
    /// Every feed-forward block once, experts among them.
    public let mlp: [MLPBlock]

    init(
        family: String, modelType: String, dimensions: OrderedDictionary<String, Int>, stacks: [Stack], head: Head,
        roles: OrderedDictionary<String, TensorRole>, hasTiedHead: Bool,
        opaqueParts: [OpaquePart] = [], polynomials: PolynomialActivations? = nil, hasModules: Bool,
        notes: [String] = []
    ) {
        self.polynomials = polynomials
        self.family = family
        self.modelType = modelType
        self.dimensions = dimensions
        self.stacks = stacks
        self.head = head
        self.roles = roles
        self.hasTiedHead = hasTiedHead
        self.opaqueParts = opaqueParts
        self.hasModules = hasModules
        self.notes = notes
        hiddenSize = stacks.last?.hiddenSize ?? 0
        layerCount = stacks.map(\.layers.count).max() ?? 0
        var layers = stacks.flatMap(\.layers)
        if case .contrastive(let head) = head {
            for tower in [head.text, head.image] {
                if case .attention(let layer) = tower.pooling { layers.append(layer) }
            }
        }
        (attention, mlp) = Self.blocks(of: layers)
    }

    /// Whether all that the model computes is described.
    public var isEvaluable: Bool { opaqueParts.isEmpty }

    /// The numbers of the layers, such as `0 to 5`, or `encoder 0 to 5` and `decoder 0 to 11`.
    public var layerRanges: [String] {
        stacks.map { stack in
            (stacks.count > 1 ? stack.name + " " : "") + "0 to \(max(stack.layers.count, 1) - 1)"
        }
    }

    private static func blocks(of layers: [Layer]) -> ([AttentionBlock], [MLPBlock]) {
        var attention: OrderedDictionary<String, AttentionBlock> = [:]
        var mlp: OrderedDictionary<String, MLPBlock> = [:]
        for sublayer in layers.flatMap(\.sublayers) {
            switch sublayer.operation {
            case .attention(let block): attention[block.name] = block
            case .mlp(let block): mlp[block.name] = block
            case .experts(let block):
                for expert in block.experts + [block.shared].compactMap(\.self) { mlp[expert.name] = expert }
            case .opaque: continue
            }
        }
        return (Array(attention.values), Array(mlp.values))
    }

    /// Families that can be resolved, with their model types.
    public static func supported() throws(ArchitectureError) -> [(family: String, modelTypes: [String])] {
        try ModelDescription.library().map { ($0.family, $0.modelTypes) }
    }

    /// What a family's description refuses, with the reason.
    public static func refusals(of family: String) throws(ArchitectureError) -> [(key: String, reason: String)] {
        try ModelDescription.library().first { $0.family == family }?.refusals.map { ($0.key, $0.reason) } ?? []
    }

    /// Finds the family by `model_type` and accounts for every tensor.
    public static func resolve(_ checkpoint: Checkpoint) throws(ArchitectureError) -> Architecture {
        try checkpoint.memo.value { () throws(ArchitectureError) in try reading(checkpoint) }
    }

    private static func reading(_ checkpoint: Checkpoint) throws(ArchitectureError) -> Architecture {
        let path = checkpoint.path
        guard let whole = checkpoint.config?.root else { throw .noConfig(path: path) }
        let (config, polynomials) = try PolynomialActivations.split(whole, path: path)
        var notes: [String] = []
        if let note = try Quantization.note(config: config, checkpoint: checkpoint) { notes.append(note) }
        if let polynomials { notes.append(polynomials.note) }
        if checkpoint.config?.hasByteOrderMark == true {
            notes.append(
                "config.json begins with a byte order mark, which transformers does not read; save it without one")
        }
        guard let modelType = config["model_type"]?.string else { throw .noModelType(path: path) }
        let library = try ModelDescription.library()
        let candidates = library.filter { $0.modelTypes.contains(modelType) }
        let spelling = try Spelling(
            config, modelType: modelType, path: path, texts: Set(candidates.compactMap(\.text).flatMap(\.modelTypes)))
        var readers: [ConfigReader] = []
        for candidate in candidates {
            var reader = try ConfigReader(spelling, candidate, modelType, path: path)
            reader.polynomials = polynomials
            readers.append(reader)
        }
        if let reader = readers.first, !readers.contains(where: \.matches) { throw reader.unmatched() }
        guard let reader = readers.first(where: \.matches) else {
            if let refused = library.flatMap(\.refusedTypes).first(where: { $0.modelType == modelType }) {
                throw .refusedFeature(path: path, key: "model_type", found: "\"\(modelType)\"", reason: refused.reason)
            }
            throw .unknownModelType(
                path: path, found: modelType,
                nearest: nearest(to: modelType, among: Set(library.flatMap(\.modelTypes)).sorted()))
        }
        return try Resolver(checkpoint: checkpoint, reader: reader, modelType: modelType, notes: notes).resolve()
    }

    /// The known model type that is spelled most alike: of the fewest edits for its length, among those of the same first word, if any.
    private static func nearest(to type: String, among known: [String]) -> String {
        func word(_ name: String) -> Substring { name.prefix { $0.isLetter } }
        let kin = known.filter { word($0) == word(type) }
        func distance(_ other: String) -> Double {
            let (a, b) = (Array(type.utf8.prefix(64)), Array(other.utf8))
            var row = Array(0...b.count)
            for i in a.indices {
                var corner = row[0]
                row[0] = i + 1
                for j in b.indices {
                    let edits = min(min(row[j], row[j + 1]) + 1, corner + (a[i] == b[j] ? 0 : 1))
                    (corner, row[j + 1]) = (row[j + 1], edits)
                }
            }
            return Double(row[b.count]) / Double(max(a.count, b.count, 1))
        }
        return (kin.isEmpty ? known : kin).min { distance($0) < distance($1) } ?? ""
    }
}
