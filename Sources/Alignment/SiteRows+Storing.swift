import Checkpoints
import LinearAlgebra
import OrderedCollections
import Symmetries

extension SiteRows {
    /// Writes rows back to where `rows(_:channels:_:)` reads them, each slice's run of columns in turn, rounded to the tensors' types.
    ///
    /// - Parameters:
    ///   - slices: along whose axes each index is a channel.
    ///   - records: of the tensors.
    static func store(
        _ rows: Matrix<Double>, in slices: [Site.Slice], _ records: OrderedDictionary<String, TensorRecord>,
        _ memory: TensorMemory
    ) {
        var start = 0
        for slice in slices {
            guard let tensor = records[slice.tensor], tensor.type.isComputable, slice.width == 1,
                let target = memory.bytes(ofTensor: slice.tensor)?.baseAddress
            else { continue }
            let shape = tensor.matrixShape
            let (band, extent) = (slice.across ?? 0..<shape.rows, slice.extent(channels: rows.rows))
            let lines = slice.axis == 0 ? shape.columns : band.count
            guard extent.upperBound <= (slice.axis == 0 ? shape.rows : shape.columns), band.upperBound <= shape.rows,
                start + lines <= rows.columns
            else { continue }
            let size = tensor.type.bitWidth / 8
            rows.elements.withUnsafeBufferPointer { buffer in
                guard let values = buffer.baseAddress else { return }
                for channel in 0..<rows.rows {
                    let (from, index) = (values + channel * rows.columns + start, slice.start + channel * slice.stride)
                    if slice.axis == 0 {
                        tensor.type.narrow(from, into: target + index * shape.columns * size, lines)
                    } else {
                        for (place, row) in band.enumerated() {
                            tensor.type.narrow(from + place, into: target + (row * shape.columns + index) * size, 1)
                        }
                    }
                }
            }
            start += lines
        }
    }
}
