import Foundations

/// What a checkpoint has besides its weights where a method states the model in another form: another config.json, further tensors, and
/// files beside them.
package struct Restatement: Sendable {
    /// A tensor that no file of the checkpoint holds by its name.
    package struct Tensor: Sendable {
        package let record: TensorRecord
        /// The shard that an output stores it in, beside the weights it belongs to.
        package let home: Int
        package let bytes: [UInt8]

        package init(_ spec: TensorSpec, home: Int, bytes: [UInt8]) {
            (self.home, self.bytes) = (home, bytes)
            record = TensorRecord(
                name: spec.name, type: spec.type, shape: spec.shape, shard: -1, dataRange: 0..<bytes.count)
        }

        /// A stored tensor under another name; nil where it is made and not stored.
        package init?(stored tensor: TensorRecord, named name: String, in checkpoint: Checkpoint) {
            guard checkpoint.shards.indices.contains(tensor.shard), !checkpoint.makes(tensor) else { return nil }
            (home, bytes) = (tensor.shard, [])
            record = TensorRecord(
                name: name, type: tensor.type, shape: tensor.shape, shard: tensor.shard, dataRange: tensor.dataRange)
        }
    }

    package let config: JSONDocument
    package let tensors: [Tensor]
    /// config.json among them.
    package let files: [OutputPlan.Generated]

    package init(config: JSONDocument, tensors: [Tensor], files: [OutputPlan.Generated]) {
        (self.config, self.tensors) = (config, tensors)
        self.files = [OutputPlan.Generated(name: "config.json", bytes: config.bytes)] + files
    }
}
