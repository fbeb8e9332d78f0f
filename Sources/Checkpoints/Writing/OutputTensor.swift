/// A tensor of an output, and where its bytes come from.
public struct OutputTensor: Sendable {
    public enum Content: Sendable {
        /// The bytes of a checkpoint's tensor, which may have another name.
        case copied(TensorRecord, of: Checkpoint)
        case made(any TensorProducer)
    }

    public let spec: TensorSpec
    public let content: Content

    public init(_ spec: TensorSpec, _ content: Content) { (self.spec, self.content) = (spec, content) }

    /// A tensor as the checkpoint has it, which may make it when it is asked for.
    public init(copying tensor: TensorRecord, of checkpoint: Checkpoint) {
        self.init(
            tensor.spec,
            checkpoint.makes(tensor)
                ? .made(ContentProducer(tensor, of: checkpoint)) : .copied(tensor, of: checkpoint))
    }

    public var name: String { spec.name }
    public var byteCount: Int { spec.byteCount }
    public var isCopied: Bool { if case .copied = content { true } else { false } }

    /// Every checkpoint that is read for it.
    var sources: [Checkpoint] {
        switch content {
        case .copied(_, let checkpoint): [checkpoint]
        case .made(let producer): producer.inputs.map(\.checkpoint)
        }
    }
}
