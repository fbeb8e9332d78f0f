import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// What a slice of a residual stream's site holds, as vectors of the stream: rows where the stream lies on columns, and across the
/// channels where it lies on rows.
struct StreamVectors {
    /// Lines that are read before their pages are let go.
    private static let releasedLines = 64

    let channels: Int
    let count: Int
    private let slice: Site.Slice
    private let tensor: TensorRecord
    private let reader: WeightReader
    private let factors: [Double]
    /// Numbers of the tensor between a vector's channels.
    private let step: Int

    /// - Parameter factors: one for each channel, or none.
    /// - Returns: nil where the slice reaches beyond its tensor.
    init?(_ slice: Site.Slice, channels: Int, in checkpoint: Checkpoint, factors: [Double]) {
        guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable else { return nil }
        let (rows, columns) = tensor.matrixShape
        let extent = slice.extent(channels: channels)
        guard extent.lowerBound >= 0, extent.upperBound <= (slice.axis == 0 ? rows : columns),
            slice.width == 1 || slice.axis == 0
        else { return nil }
        (self.slice, self.channels, self.tensor, self.factors) = (slice, channels, tensor, factors)
        reader = WeightReader(checkpoint: checkpoint)
        step = slice.width * columns
        count = slice.axis == 0 ? step : rows
    }

    /// Some of the vectors, one in each row.
    func matrix(_ numbers: [Int]) -> Matrix<Double> {
        // Vectors that lie far apart bring their neighbours' pages along.
        defer { reader.checkpoint.releasePages(of: tensor) }
        let columns = tensor.matrixShape.columns
        var values = [Double](repeating: 0, count: numbers.count * channels)
        let length = slice.axis == 0 ? step : channels
        let lines = slice.axis == 0 ? Array(0..<channels) : numbers
        var line = [Double](repeating: 0, count: length)
        for (place, number) in lines.enumerated() {
            let start = slice.axis == 0 ? slice.start * columns + number * step : number * columns + slice.start
            line.withUnsafeMutableBufferPointer { buffer in
                if let base = buffer.baseAddress { reader.values(tensor, start..<start + length, into: base) }
            }
            if (place + 1).isMultiple(of: Self.releasedLines) { reader.checkpoint.releasePages(of: tensor) }
            if slice.axis == 0 {
                let factor = factors.isEmpty ? 1 : factors[number]
                for (row, column) in numbers.enumerated() { values[row * channels + number] = line[column] * factor }
            } else {
                let start = place * channels
                for i in 0..<channels { values[start + i] = factors.isEmpty ? line[i] : line[i] * factors[i] }
            }
        }
        return Matrix(rows: numbers.count, columns: channels, elements: values)
    }
}
