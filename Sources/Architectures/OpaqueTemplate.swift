/// A part that a description declares opaque.
struct OpaqueTemplate: Sendable {
    let name: String
    let reason: String
    /// What the stored names of a tower's tensors begin with, one or another; empty where the part consists of sublayers.
    let tensors: [String]
    /// Keys of config.json that bear on this part alone: whatever they say is copied.
    let keys: [String]

    init(_ fields: inout Fields) throws(ArchitectureError) {
        name = try fields.string("name")
        reason = try fields.string("reason")
        tensors = try fields.optionalStrings("tensors") ?? []
        guard tensors.allSatisfy({ $0.hasSuffix(".") }) else { throw fields.fault("tensors") }
        keys = try fields.optionalStrings("keys") ?? []
    }
}

/// A sublayer of an opaque part.
struct OpaqueSublayerTemplate: Sendable {
    let part: String
    /// What the names of its tensors begin with, behind the layer's path.
    let tensors: String

    init(_ fields: inout Fields) throws(ArchitectureError) {
        part = try fields.string("opaque")
        guard fields.vocabulary.parts.contains(part) else { throw fields.fault("opaque") }
        tensors = try fields.string("tensors")
        guard tensors.hasSuffix(".") else { throw fields.fault("tensors") }
    }
}

extension BlockBuilder {
    func opaque(
        _ template: OpaqueSublayerTemplate, _ name: String, _ place: Place
    ) throws(ArchitectureError) -> OpaqueBlock {
        let path = demand(template.tensors, "opaque", [], place).name
        guard claims.claimAll(under: path, part: template.part, layer: place.weights) > 0 || claims.isProbe else {
            throw .missingTensor(path: claims.path, tensor: claims.prefix + path + "*", family: description.family)
        }
        return OpaqueBlock(name: name, layer: place.weights ?? 0, part: template.part)
    }

    /// Claims the towers, and tells what is there of every opaque part.
    func opaqueParts() throws(ArchitectureError) -> [OpaquePart] {
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
