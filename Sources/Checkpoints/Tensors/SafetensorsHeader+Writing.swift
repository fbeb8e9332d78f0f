import Foundations

extension SafetensorsHeader {
    /// A header for tensors that are laid out one after the other, padded with spaces so that the
    /// data begins at a multiple of 8 as the reference implementation writes it.
    public static func bytes(
        for tensors: [TensorSpec], metadata: JSONValue?
    ) -> [UInt8] {
        var members: [(String, JSONValue)] = metadata.map { [(metadataKey, $0)] } ?? []
        var offset = 0
        for tensor in tensors {
            members.append(
                (
                    tensor.name,
                    .object([
                        "dtype": .string(tensor.type.rawValue),
                        "shape": .array(tensor.shape.map(JSONValue.int)),
                        "data_offsets": .array([.int(offset), .int(offset + tensor.byteCount)]),
                    ])
                ))
            offset += tensor.byteCount
        }
        var json = Array(JSONValue.object(JSONObject(members)).serialized().utf8)
        json += [UInt8](repeating: 0x20, count: (8 - json.count % 8) % 8)
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }
}
