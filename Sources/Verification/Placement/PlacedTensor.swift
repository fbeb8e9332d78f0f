import Checkpoints

/// A tensor of the protected model, row by row as the sites of channels alone have left it.
final class PlacedTensor {
    private let base: UnsafeRawPointer
    private let type: ElementType
    private let rowLength: Int
    private let rows, columns: LineMap?
    private let buffer: LineBuffer
    /// Lets go of the tensor's pages while it is read.
    let window: PageWindow

    /// Nil where the protected model has no tensor of this type and shape.
    init?(_ tensor: TensorRecord, _ placement: Placement, in protected: Checkpoint) {
        guard let twin = protected.tensors[placement.tensor(tensor.name)], twin.shape == tensor.shape,
            twin.type == tensor.type, let base = protected.bytes(of: twin).baseAddress
        else { return nil }
        let shape = tensor.matrixShape
        self.base = base
        type = tensor.type
        window = PageWindow(protected, twin)
        rowLength = shape.columns
        rows = placement.lines(0..<shape.rows, of: tensor.name, axis: 0)
        columns = placement.lines(0..<shape.columns, of: tensor.name, axis: 1)
        buffer = LineBuffer()
    }

    /// The bytes of a row of the original's, until the next is asked for.
    func row(_ row: Int) -> UnsafeRawPointer {
        let place = rows.map { Int($0.indices[row]) } ?? row
        let stored = base + place * rowLength * type.bitWidth / 8
        let isNegative = rows?.isNegative[row] ?? false
        guard columns != nil || isNegative else { return stored }
        return buffer.gather(stored, type, columns, count: rowLength, isNegative: isNegative)
    }
}
