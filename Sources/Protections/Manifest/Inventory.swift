import Checkpoints
import Foundations

/// What lies in a protected directory, as its manifest lists it since version 3, so that restoring can prove what it gives back.
struct Inventory: Sendable, Equatable {
    var tensors: [String: TensorTags] = [:]
    /// Tags of the files beside the weights, by path relative to the directory.
    var files: [String: AuthenticationTag] = [:]
    /// The texts that headers of safetensors files carry, each once; null where a header carries none.
    var headerMetadata: [JSONValue] = []

    init() {}

    /// As an output is planned, before its tags are known.
    init(
        _ plan: OutputPlan, of written: some Sequence<TensorRecord>, _ source: Checkpoint,
        isRewritten: (TensorRecord) -> Bool
    ) {
        for tensor in written {
            tensors[tensor.name] = TensorTags(
                protected: .placeholder, original: isRewritten(tensor) ? .placeholder : nil)
        }
        for sidecar in plan.sidecars { files[sidecar.relativePath] = .placeholder }
        headerMetadata = Self.headerMetadata(of: source).map(\.metadata).reduce(into: []) { list, metadata in
            if !list.contains(metadata) { list.append(metadata) }
        }
    }

    /// Each shard's metadata, its members in order of their keys: writers put them in any.
    static func headerMetadata(of checkpoint: Checkpoint) -> [(shard: String, metadata: JSONValue)] {
        checkpoint.shards.map { shard in
            let members = shard.header.metadata?.object?.members.map { ($0.key, $0.value) }
                .sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
            return (shard.fileName, members.map { .object(JSONObject($0)) } ?? .null)
        }
    }

    /// Name to tag, or to the tags of the protected and the original bytes.
    var tensorsJSON: JSONValue {
        Self.sorted(tensors) { tags in
            tags.original.map { .array([.string(tags.protected.hexadecimal), .string($0.hexadecimal)]) }
                ?? .string(tags.protected.hexadecimal)
        }
    }

    var filesJSON: JSONValue { Self.sorted(files) { .string($0.hexadecimal) } }

    private static func sorted<Value>(_ values: [String: Value], _ json: (Value) -> JSONValue) -> JSONValue {
        .object(
            JSONObject(
                values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, json($0.value)) }))
    }

    init(_ members: JSONObject, path: String) throws(ProtectionError) {
        func tag(_ value: JSONValue, _ field: String) throws(ProtectionError) -> AuthenticationTag {
            guard let tag = value.string.flatMap(AuthenticationTag.init(hexadecimal:)) else {
                throw .manifest(path: path, field: field)
            }
            return tag
        }
        guard let metadata = members["header_metadata"]?.array else {
            throw .manifest(path: path, field: "header_metadata")
        }
        guard let files = members["files"]?.object else { throw .manifest(path: path, field: "files") }
        guard let tensors = members["tensors"]?.object else { throw .manifest(path: path, field: "tensors") }
        headerMetadata = metadata
        for member in files.members { self.files[member.key] = try tag(member.value, "files") }
        for member in tensors.members {
            let values = member.value.array ?? [member.value]
            guard (1...2).contains(values.count) else { throw .manifest(path: path, field: "tensors") }
            self.tensors[member.key] = TensorTags(
                protected: try tag(values[0], "tensors"),
                original: values.count > 1 ? try tag(values[1], "tensors") : nil)
        }
    }
}
