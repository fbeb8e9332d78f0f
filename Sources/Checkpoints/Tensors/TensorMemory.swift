/// Tensors that are kept in memory, to stand in for some of a checkpoint's.
package final class TensorMemory: @unchecked Sendable {
    private let base: UnsafeMutableRawBufferPointer
    let records: [String: TensorRecord]

    /// Zeros, to be filled in.
    package init(_ tensors: [(name: String, type: ElementType, shape: [Int])]) {
        var records: [String: TensorRecord] = [:]
        var end = 0
        for (name, type, shape) in tensors {
            let count = shape.reduce(1, *) * type.bitWidth / 8
            records[name] = TensorRecord(name: name, type: type, shape: shape, shard: -1, dataRange: end..<end + count)
            end += (count + 63) / 64 * 64
        }
        self.records = records
        base = .allocate(byteCount: max(end, 1), alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { base.deallocate() }

    /// The bytes of one tensor, for whoever makes them; nil where there is none of the name.
    package func bytes(ofTensor name: String) -> UnsafeMutableRawBufferPointer? {
        records[name].map { UnsafeMutableRawBufferPointer(rebasing: base[$0.dataRange]) }
    }

    func bytes(of tensor: TensorRecord) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(base)[tensor.dataRange])
    }
}
