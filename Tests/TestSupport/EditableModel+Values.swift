import Checkpoints

extension EditableModel {
    /// The values of a tensor of any floating type.
    public func floats(_ name: String) throws -> [Double] {
        let tensor = tensors[try index(name)]
        return tensor.bytes.withUnsafeBytes { raw in
            (0..<raw.count / (tensor.type.bitWidth / 8)).map { place in
                switch tensor.type {
                case .bf16:
                    Double(
                        Float(bitPattern: UInt32(raw.loadUnaligned(fromByteOffset: 2 * place, as: UInt16.self)) << 16))
                case .f16:
                    Double(Float16(bitPattern: raw.loadUnaligned(fromByteOffset: 2 * place, as: UInt16.self)))
                case .f32: Double(raw.loadUnaligned(fromByteOffset: 4 * place, as: Float.self))
                default: raw.loadUnaligned(fromByteOffset: 8 * place, as: Double.self)
                }
            }
        }
    }

    /// Changes the values of a tensor of any floating type, rounded to nearest even.
    public mutating func editFloats(_ name: String, _ body: (inout [Double]) throws -> Void) throws {
        var values = try floats(name)
        try body(&values)
        let place = try index(name)
        let type = tensors[place].type
        tensors[place].bytes = values.flatMap { Self.bytes($0, type) }
    }

    /// Rounds every f32 tensor to another type, to nearest even.
    public mutating func round(to type: ElementType) throws {
        guard type != .f32 else { return }
        try convert(to: type) { Self.bytes(Double($0), type) }
    }

    private static func bytes(_ value: Double, _ type: ElementType) -> [UInt8] {
        switch type {
        case .bf16:
            let bits = Float(value).bitPattern
            let half = UInt16(truncatingIfNeeded: (bits + 0x7fff + ((bits >> 16) & 1)) >> 16)
            return [UInt8(truncatingIfNeeded: half), UInt8(truncatingIfNeeded: half >> 8)]
        case .f16: return withUnsafeBytes(of: Float16(value).bitPattern) { Array($0) }
        case .f32: return withUnsafeBytes(of: Float(value)) { Array($0) }
        default: return withUnsafeBytes(of: value) { Array($0) }
        }
    }

    /// Rows and columns as sites count them.
    public func matrixShape(_ name: String) throws -> (rows: Int, columns: Int) {
        let shape = tensors[try index(name)].shape
        let count = shape.reduce(1, *)
        if shape.count > 2, let columns = shape.last { return (count / max(columns, 1), columns) }
        let rows = shape.first ?? 1
        return (rows, count / max(rows, 1))
    }

    /// Places of the elements at one index of an axis.
    public func places(_ name: String, axis: Int, _ index: Int, across: Range<Int>? = nil) throws -> [Int] {
        let (rows, columns) = try matrixShape(name)
        return axis == 0
            ? Array(index * columns..<(index + 1) * columns) : (across ?? 0..<rows).map { $0 * columns + index }
    }
}
