import Architectures
import Checkpoints
import Foundations
import OrderedCollections

/// What every tensor of a merged model is made of.
struct MergePlan {
    /// A tensor of the output.
    struct Item {
        let spec: TensorSpec
        /// One for each source of its slice.
        let inputs: [MergeInput]
        let slice: MergeConfiguration.Slice
        let module: MergeConfiguration.Module
        /// Where in its slice its layer lies, from 0 to 1; 0 for what lies in none.
        let depth: Double
    }

    /// Whose other files go along.
    let donor: Checkpoint
    private(set) var items: [Item] = []
    /// For each layer of the output, which of the donor's is its first source's; nil where all are as they were.
    private(set) var stacked: [Int]?
    let configuration: MergeConfiguration
    let isByName: Bool
    /// Nil where rows stay as they are.
    let vocabulary: MergedVocabulary?
    private let models: [String: Checkpoint]

    /// - Parameter byName: whether models of families that are not known are merged.
    init(
        _ configuration: MergeConfiguration, models: [String: Checkpoint], vocabulary: MergedVocabulary? = nil,
        byName: Bool
    ) throws {
        self.vocabulary = vocabulary
        guard let name = configuration.names.first, let donor = models[name] else { throw MergeError.noModels }
        (self.configuration, self.models, self.donor, isByName) = (configuration, models, donor, byName)
        if !byName { try checkArchitectures() }
        for module in configuration.modules {
            for slice in module.slices { try checkCounts(slice) }
            let tensors = try tensors(of: module)
            if module.slices.contains(where: { $0.sources.contains { $0.layers != nil } }) {
                try stack(module, tensors)
            } else if let slice = module.slices.first {
                try merge(completed(slice), module, tensors)
            }
        }
    }

    /// Whether layers are others than the donor's.
    var isRestacked: Bool { stacked != nil }

    // MARK: What goes together

    private func checkArchitectures() throws {
        let expected = try Architecture.resolve(donor).modelType
        for name in configuration.names {
            guard let model = models[name] else { continue }
            let found = try Architecture.resolve(model).modelType
            guard found == expected else {
                throw MergeError.otherArchitecture(
                    path: model.path, found: found, first: donor.path, expected: expected)
            }
        }
    }

    /// The slice with the base among its sources: mergekit adds it, but not to slices of layers that a method merges without.
    private func completed(_ slice: MergeConfiguration.Slice) -> MergeConfiguration.Slice {
        if configuration.method.base == .ignored, slice.sources.contains(where: { $0.layers != nil }) { return slice }
        guard let base = slice.base ?? configuration.base, !slice.sources.contains(where: { $0.model == base })
        else { return slice }
        let added = MergeConfiguration.Source(base, layers: slice.sources.first?.layers)
        return .init(slice.sources + [added], base: slice.base, settings: slice.settings)
    }

    private func checkCounts(_ slice: MergeConfiguration.Slice) throws {
        let method = configuration.method
        let base = method.base == .ignored ? nil : slice.base ?? configuration.base
        if method.base == .required, base == nil { throw MergeError.missingBase(method: method.name) }
        let sources = completed(slice).sources
        if let base, sources.count > slice.sources.count, Set(slice.sources.map(\.layers)).count > 1 {
            throw MergeError.noBaseLayers(base: base)
        }
        let names = sources.map(\.model).filter { $0 != base }
        guard method.models.contains(names.count) else {
            throw MergeError.otherCount(method: method.name, found: names.count, expected: method.models)
        }
        if let twice = names.enumerated().first(where: { names[..<$0.offset].contains($0.element) })?.element {
            throw MergeError.namedTwice(twice)
        }
    }

    /// The donor's tensors that belong to a module.
    private func tensors(of module: MergeConfiguration.Module) throws -> [TensorRecord] {
        let all = Array(donor.tensors.values)
        guard let name = module.name else { return all }
        let stacks = try Architecture.resolve(donor).stacks
        guard configuration.modules.count == 1, stacks.count == 1 else {
            throw MergeError.unknownModule(name, known: stacks.map(\.name))
        }
        return all
    }

    // MARK: Items

    /// A tensor of a model in the place of the donor's.
    private func input(
        _ model: String, _ name: String, like tensor: TensorRecord
    ) throws(MergeError) -> MergeInput {
        guard let checkpoint = models[model] else { throw .noModels }
        guard let own = checkpoint.tensors[name] else {
            throw .missingTensor(path: checkpoint.path, tensor: name, first: donor.path)
        }
        var (found, expected) = (own.shape, tensor.shape)
        if let axis = vocabulary?.axes[tensor.name], found.indices.contains(axis) {
            expected[axis] = vocabulary?.sizes[model] ?? 0
        }
        guard found == expected, own.type.isComputable == tensor.type.isComputable else {
            throw .otherShape(
                path: checkpoint.path, tensor: name, found: found, first: donor.path, expected: expected)
        }
        return MergeInput(checkpoint: checkpoint, tensor: own)
    }

    private func spec(_ tensor: TensorRecord, named name: String) -> TensorSpec {
        let type = tensor.type.isComputable ? configuration.outputType ?? tensor.type : tensor.type
        var shape = tensor.shape
        if let vocabulary, let axis = vocabulary.axes[tensor.name] { shape[axis] = vocabulary.rowCount }
        return TensorSpec(name: name, type: type, shape: shape)
    }

    /// All of some models.
    private mutating func merge(
        _ slice: MergeConfiguration.Slice, _ module: MergeConfiguration.Module, _ tensors: [TensorRecord]
    ) throws {
        for source in slice.sources {
            guard let model = models[source.model] else { continue }
            if let extra = model.tensors.keys.first(where: { donor.tensors[$0] == nil }) {
                throw MergeError.missingTensor(path: donor.path, tensor: extra, first: model.path)
            }
        }
        let counts = Self.layerCounts(tensors)
        for tensor in tensors {
            var depth = 0.0
            if let name = LayerName(tensor.name), let count = counts[name.prefix] {
                depth = count > 1 ? Double(name.layer) / Double(count - 1) : 1
            }
            items.append(try item(tensor, named: tensor.name, slice, module, depth: depth) { _ in tensor.name })
        }
    }

    /// How many layers there are behind each prefix.
    private static func layerCounts(_ tensors: [TensorRecord]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for name in tensors.compactMap({ LayerName($0.name) }) {
            counts[name.prefix] = max(counts[name.prefix] ?? 0, name.layer + 1)
        }
        return counts
    }

    /// Layers of several models, one behind the other.
    private mutating func stack(_ module: MergeConfiguration.Module, _ tensors: [TensorRecord]) throws {
        let prefixes = Self.layerCounts(tensors).keys.sorted()
        guard prefixes.count == 1, let prefix = prefixes.first else {
            throw MergeError.severalStacks(path: donor.path, prefixes: prefixes)
        }
        let slices = module.slices.map(completed)
        let suffixes = OrderedSet(tensors.compactMap { LayerName($0.name)?.suffix })
        var (before, behind): ([Item], [Item]) = ([], [])
        for tensor in tensors where LayerName(tensor.name) == nil {
            let isBefore = Self.isBeforeLayers(tensor.name)
            guard let slice = isBefore ? slices.first : slices.last else { continue }
            let item = try item(tensor, named: tensor.name, slice, module, depth: 0) { _ in tensor.name }
            if isBefore { before.append(item) } else { behind.append(item) }
        }
        var (layers, sources): ([Item], [Int]) = ([], [])
        for slice in slices {
            guard let first = slice.sources.first, let range = first.layers, let model = models[first.model] else {
                throw MergeError.noModels
            }
            for (offset, layer) in range.enumerated() {
                func name(_ source: MergeConfiguration.Source, _ suffix: String) -> String {
                    "\(prefix)\((source.layers?.lowerBound ?? range.lowerBound) + offset)\(suffix)"
                }
                let depth = range.count > 1 ? Double(offset) / Double(range.count - 1) : 1
                // Layers may differ in what they hold, as where some have experts.
                let own = suffixes.compactMap { suffix in
                    model.tensors[name(first, suffix)].map { (suffix, $0) }
                }
                guard !own.isEmpty else { throw MergeError.noLayer(path: model.path, layer: layer) }
                for (suffix, tensor) in own {
                    layers.append(
                        try item(tensor, named: "\(prefix)\(sources.count)\(suffix)", slice, module, depth: depth) {
                            name($0, suffix)
                        })
                }
                sources.append(layer)
            }
        }
        items = before + layers + behind
        stacked = sources
    }

    /// Whether what lies in no layer is read before the layers, as embeddings are.
    private static func isBeforeLayers(_ name: String) -> Bool {
        ["embed", "wte", "wpe"].contains { name.contains($0) }
    }

    private func item(
        _ tensor: TensorRecord, named name: String, _ slice: MergeConfiguration.Slice,
        _ module: MergeConfiguration.Module, depth: Double, _ source: (MergeConfiguration.Source) -> String
    ) throws -> Item {
        let inputs = try slice.sources.map { try input($0.model, source($0), like: tensor) }
        return Item(
            spec: spec(tensor, named: name), inputs: try inVocabulary(inputs, slice, tensor), slice: slice,
            module: module, depth: depth)
    }

    /// The same in the order of the output's vocabulary, where a tensor counts tokens.
    private func inVocabulary(
        _ inputs: [MergeInput], _ slice: MergeConfiguration.Slice, _ tensor: TensorRecord
    ) throws -> [MergeInput] {
        guard let vocabulary, let axis = vocabulary.axes[tensor.name] else { return inputs }
        let maps = try vocabulary.maps(of: slice.sources.map(\.model), base: slice.base ?? configuration.base)
        let columns = tensor.shape[(axis + 1)...].reduce(1, *)
        return zip(inputs, maps).enumerated().map { model, pair in
            let rows = TableRows(pair.1, of: model, tables: inputs, columns: columns)
            return MergeInput(checkpoint: pair.0.checkpoint, tensor: pair.0.tensor, rows: rows)
        }
    }
}
