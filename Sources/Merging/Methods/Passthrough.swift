extension MergeMethod {
    /// One model's tensors as they are, or times `scale`: for slices, which stack layers of several models.
    public static let passthrough = MergeMethod(
        name: "passthrough", summary: "one model's weights as they are, or times scale", base: .ignored, models: 1...1,
        parameters: [.optional("scale", in: -1e9...1e9, .model)]
    ) { tensor in
        Combination([tensor.value("scale", of: 0) ?? 1]).kernel
    }
}
