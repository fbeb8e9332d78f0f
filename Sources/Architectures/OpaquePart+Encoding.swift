extension OpaquePart: Encodable {
    private enum Key: String, CodingKey { case name, tensors, reason }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        try container.encode(tensors.count, forKey: .tensors)
        try container.encode(reason, forKey: .reason)
    }
}
