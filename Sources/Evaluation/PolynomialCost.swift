import Architectures
import Checkpoints
import ForwardPass

/// What stating activations as polynomials costs: how far outputs move, and how often an activation's input lies where nothing was calibrated.
public struct PolynomialCost: Sendable, Encodable {
    /// Sequences, images or sounds that it was measured on.
    public let examples: Int
    /// ‖y' - y‖ / ‖y‖ over all outputs y of the original and y' of the model with polynomials, in f32, without any lock.
    public let outputError: Double
    /// Share of the inputs of polynomials, in the model that has them, outside of their channels' ranges: what stands at the end of a range
    /// holds beyond it.
    public let outsideShare: Double

    enum CodingKeys: String, CodingKey {
        case examples
        case outputError = "output_error"
        case outsideShare = "outside_share"
    }

    /// - Parameters:
    ///   - original: the model with its own activations.
    ///   - stated: the same with polynomials.
    public init(of original: Checkpoint, stated: Checkpoint, on examples: [ModelInputs], threads: Int? = nil) throws {
        let (before, after) = (try Model(original, threads: threads), try Model(stated, threads: threads))
        var sinks: [ActivationPoint: any ActivationSink] = [:]
        var counts: [OutlierCounts] = []
        for block in after.architecture.mlp {
            guard let name = block.series, let series = stated.tensors[name] else { continue }
            let first = block.gate ?? block.up
            let counter = OutlierCounts(
                ranges: Self.ranges(of: series, in: stated), offset: first.outputOffset, stride: first.outputStride)
            sinks[.output(of: .init(first.weight))] = counter
            counts.append(counter)
        }
        outputError = try RelativeDistance(from: before, to: after, on: examples, sinks: sinks).value
        self.examples = examples.count
        let total = counts.reduce(0) { $0 + $1.total }
        outsideShare = total > 0 ? Double(counts.reduce(0) { $0 + $1.outside }) / Double(total) : 0
    }

    /// The range in which each channel's polynomial is its activation's; all numbers where it is constant.
    private static func ranges(of series: TensorRecord, in checkpoint: Checkpoint) -> [ClosedRange<Double>] {
        let (channels, columns) = series.matrixShape
        let content = checkpoint.content(of: series)
        defer { withExtendedLifetime(content) {} }
        var values = [Float](repeating: 0, count: series.elementCount)
        if let base = content.bytes.baseAddress { series.type.widen(base, into: &values, values.count) }
        return (0..<channels).map { channel in
            let (centre, scale) = (Double(values[channel * columns]), Double(values[channel * columns + 1]))
            // What rounding of the range's ends moves is not outside.
            let radius = scale > 0 ? (1 + 1e-6) / scale : 0
            return centre - radius...centre + radius
        }
    }
}
