/// A tensor's name, element type and shape.
public struct TensorSpec: Sendable, Equatable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]

    public init(name: String, type: ElementType, shape: [Int]) {
        (self.name, self.type, self.shape) = (name, type, shape)
    }

    public var elementCount: Int { shape.reduce(1, *) }
    public var byteCount: Int { elementCount * type.bitWidth / 8 }

    /// Rows and columns of a stored weight: a vector is one column, so that its elements are rows; further axes in front
    /// (experts) are rows too.
    public var matrixShape: (rows: Int, columns: Int) {
        if shape.count > 2, let columns = shape.last {
            return shape.contains(0) ? (0, 0) : (elementCount / columns, columns)
        }
        let rows = shape.first ?? 1
        // A quotient, as the product of the other extents may overflow where there are no rows.
        return (rows, rows > 0 ? elementCount / rows : 0)
    }

    /// The bytes of so many values each, from the first to the last; of a type whose elements are whole bytes.
    package func tiles(ofValues count: Int) -> [Range<Int>] {
        let width = type.bitWidth / 8
        return stride(from: 0, to: elementCount, by: count).map {
            $0 * width..<min($0 + count, elementCount) * width
        }
    }
}

/// One tensor as a header describes it.
public struct TensorRecord: Sendable, Equatable {
    public let spec: TensorSpec
    /// Index of its shard in `Checkpoint.shards`.
    public let shard: Int
    /// Where its bytes lie in the shard's file.
    public let dataRange: Range<Int>

    public var name: String { spec.name }
    public var type: ElementType { spec.type }
    public var shape: [Int] { spec.shape }
    public var byteCount: Int { dataRange.count }
    public var elementCount: Int { spec.elementCount }
    public var matrixShape: (rows: Int, columns: Int) { spec.matrixShape }

    public init(name: String, type: ElementType, shape: [Int], shard: Int, dataRange: Range<Int>) {
        spec = TensorSpec(name: name, type: type, shape: shape)
        (self.shard, self.dataRange) = (shard, dataRange)
    }
}
