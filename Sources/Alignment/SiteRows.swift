import Checkpoints
import LinearAlgebra
import Symmetries

/// The weights of a site's channels as rows, one for each channel, in f64: side by side what lies across all slices of one representation.
struct SiteRows {
    /// What A acts on (values, keys, up), what A⁻ᵀ acts on (output columns, queries, down), and what is permuted alone (gates, whole blocks).
    let direct, dual, moved: Matrix<Double>

    init(_ site: Site, in checkpoint: Checkpoint, metric: ActivationMetric? = nil) {
        func rows(_ representation: Representation) -> Matrix<Double> {
            Self.rows(
                site.slices.filter { $0.representation == representation }, channels: site.group.dimension, checkpoint,
                metric: metric)
        }
        (direct, dual, moved) = (rows(.direct), rows(.dual), rows(.permutation))
    }

    /// Some slices' rows, whatever their representation.
    static func rows(
        _ slices: [Site.Slice], channels: Int, _ checkpoint: Checkpoint, metric: ActivationMetric? = nil
    ) -> Matrix<Double> {
        var parts: [Matrix<Double>] = []
        for slice in slices {
            guard let part = block(slice, channels: channels, checkpoint) else { continue }
            parts.append(metric?.weighted(part, of: slice) ?? part)
        }
        let columns = parts.reduce(0) { $0 + $1.columns }
        var elements = [Double](repeating: 0, count: channels * columns)
        var start = 0
        for part in parts {
            for row in 0..<channels {
                for column in 0..<part.columns {
                    elements[row * columns + start + column] = part.elements[row * part.columns + column]
                }
            }
            start += part.columns
        }
        return Matrix(rows: channels, columns: columns, elements: elements)
    }

    /// Channels x (width · lines); nil where the slice does not fit its tensor.
    private static func block(_ slice: Site.Slice, channels: Int, _ checkpoint: Checkpoint) -> Matrix<Double>? {
        guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable else { return nil }
        let content = checkpoint.content(of: tensor)
        defer { withExtendedLifetime(content) {} }
        let (rows, columns) = tensor.matrixShape
        let (band, extent) = (slice.across ?? 0..<rows, slice.extent(channels: channels))
        guard let base = content.bytes.baseAddress, extent.upperBound <= (slice.axis == 0 ? rows : columns),
            band.upperBound <= rows
        else { return nil }
        let lines = slice.axis == 0 ? columns : band.count
        let size = tensor.type.bitWidth / 8
        var values = [Double](repeating: 0, count: channels * slice.width * lines)
        values.withUnsafeMutableBufferPointer { buffer in
            guard let target = buffer.baseAddress else { return }
            guard slice.axis == 1 else {
                for channel in 0..<channels {
                    let row = slice.start + channel * slice.stride
                    tensor.type.widen(
                        base + row * columns * size, into: target + channel * slice.width * lines, slice.width * lines)
                }
                return
            }
            var run = [Double](repeating: 0, count: extent.count)
            run.withUnsafeMutableBufferPointer { run in
                guard let line = run.baseAddress else { return }
                for (place, row) in band.enumerated() {
                    tensor.type.widen(base + (row * columns + extent.lowerBound) * size, into: line, extent.count)
                    for channel in 0..<channels {
                        for index in 0..<slice.width {
                            target[(channel * slice.width + index) * lines + place] =
                                line[channel * slice.stride + index]
                        }
                    }
                }
            }
        }
        checkpoint.releasePages(of: tensor)
        return Matrix(rows: channels, columns: slice.width * lines, elements: values)
    }
}
