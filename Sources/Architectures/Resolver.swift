import Checkpoints
import OrderedCollections

/// Matches a description with a checkpoint's tensors and reads the blocks.
struct Resolver {
    /// Layers that are looked at to tell layouts apart: layers with experts begin among the first.
    private static let probedLayers = 64

    let checkpoint: Checkpoint
    let reader: ConfigReader
    let modelType: String
    /// What was noticed so far.
    let notes: [String]

    func resolve() throws(ArchitectureError) -> Architecture {
        try inPart { () throws(ArchitectureError) in
            try reader.refuseUndescribedFeatures { $0 == true }
        }
        try reader.refuseUnreadKeys(modelType)
        return try inPart { () throws(ArchitectureError) in try resolveModel() }
    }

    /// Names keys as they stand in config.json, where a part of it is read.
    private func inPart<Result>(
        _ body: () throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result {
        do throws(ArchitectureError) { return try body() } catch { throw error.inside(reader.place) }
    }

    /// Every module that config.json names holds an MLP that is not an expert.
    private func checkPolynomials(of architecture: Architecture) throws(ArchitectureError) {
        guard let polynomials = architecture.polynomials else { return }
        let found = Set(architecture.mlp.compactMap(\.series))
        for module in polynomials.modules where !found.contains(PolynomialActivations.series(of: module.path)) {
            throw .invalidConfigValue(
                path: checkpoint.path, key: "\(PolynomialActivations.key).modules", found: "\"\(module.path)\"",
                expected: "modules with the first map of an MLP")
        }
    }

    private func resolveModel() throws(ArchitectureError) -> Architecture {
        let dimensions = try reader.dimensions()
        let (description, prefix, records) = try nearestLayout(dimensions)
        let claims = Claims(
            checkpoint: checkpoint, description: description, records: records, prefix: prefix, isProbe: false)
        for note in notes { claims.note(note) }
        var fields = try fields(of: description, claims, dimensions, layerLimit: .max)
        try reader.refuseUndescribedFeatures { condition throws(ArchitectureError) in try fields.holds(condition) }
        let stacks = try fields.stacks()
        let head = try Head(&fields, stacks)
        try fields.claimTensors()
        try fields.claimCopiedLayers()
        try fields.end()
        let opaque = try opaqueParts(of: description, claims)
        let roles = try claims.roles(of: checkpoint, description)
        let isTied = try reader.tiedHead()
        let architecture = Architecture(
            family: description.family, modelType: modelType, dimensions: dimensions, stacks: stacks, head: head,
            roles: roles, hasTiedHead: isTied && !roles.values.contains { $0.name == "head" }, opaqueParts: opaque,
            polynomials: reader.polynomials, hasModules: checkpoint.hasModules, notes: claims.notes)
        try checkPolynomials(of: architecture)
        return architecture
    }

    /// The layout and the prefix under which most tensors are found, the first of several; and the tensors under the layout's names.
    private func nearestLayout(
        _ dimensions: OrderedDictionary<String, Int>
    ) throws(ArchitectureError) -> (ModelDescription, prefix: String, records: [String: TensorRecord]) {
        let layouts = [reader.description] + reader.description.layouts
        var best = (
            description: reader.description, prefix: "",
            records: try Claims.modernNames(of: checkpoint, reader.description), hits: -1
        )
        for (number, layout) in layouts.enumerated() {
            let records = number == 0 ? best.records : try Claims.modernNames(of: checkpoint, layout)
            for prefix in layout.prefixes {
                let probe = Claims(
                    checkpoint: checkpoint, description: layout, records: records, prefix: prefix, isProbe: true)
                let limit = layouts.count > 1 ? Self.probedLayers : 1
                var fields = try fields(of: layout, probe, dimensions, layerLimit: limit)
                _ = try fields.stacks()
                if probe.hits > best.hits { best = (layout, prefix, records, probe.hits) }
            }
        }
        return (best.description, best.prefix, best.records)
    }

    private func fields(
        of description: ModelDescription, _ claims: Claims, _ dimensions: OrderedDictionary<String, Int>,
        layerLimit: Int
    ) throws(ArchitectureError) -> Fields {
        let dimensions = Dictionary(uniqueKeysWithValues: dimensions.map { ($0.key, $0.value) })
        let subject = Subject(description: description, reader: reader, claims: claims, dimensions: dimensions)
        return try description.fields(for: subject, layerLimit: layerLimit)
    }

    /// Claims the towers, and tells what is there of every opaque part.
    private func opaqueParts(
        of description: ModelDescription, _ claims: Claims
    ) throws(ArchitectureError) -> [OpaquePart] {
        var parts: [OpaquePart] = []
        for part in description.opaque {
            for path in part.tensors {
                _ = claims.claimAll(under: path, part: part.name, layer: nil, isPrefixed: false)
            }
            let tensors = claims.tensors(ofPart: part.name)
            if let path = part.tensors.first, tensors.isEmpty {
                throw .missingTensor(path: claims.path, tensor: path + "*", family: description.family)
            }
            if !tensors.isEmpty { parts.append(OpaquePart(name: part.name, reason: part.reason, tensors: tensors)) }
        }
        return parts
    }
}
