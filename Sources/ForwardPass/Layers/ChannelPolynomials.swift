/// Activations that are a polynomial of its own on every channel, as `PolynomialActivations` writes them down.
struct ChannelPolynomials<Real: ComputeScalar> {
    private let channels, order: Int
    /// Column by column of the series: centres, reciprocal radii, coefficients from the constant on.
    private let columns: [Real]

    /// - Parameter series: one row `(c, s, a_0, …, a_N)` for each channel.
    init(_ series: [Real], channels: Int) {
        let width = channels > 0 ? series.count / channels : 0
        (self.channels, order) = (channels, width - 3)
        var columns = [Real](repeating: 0, count: series.count)
        for channel in 0..<channels {
            for column in 0..<width { columns[column * channels + channel] = series[channel * width + column] }
        }
        self.columns = columns
    }

    /// Clenshaw's recurrence, `b_n = 2t·b_{n+1} - b_{n+2} + a_n`, for all channels of a row side by side.
    func apply(to z: States<Real>) {
        guard order > 0 else { return }
        let work = States<Real>(rows: 3, columns: channels)
        columns.withUnsafeBufferPointer { columns in
            guard let centre = columns.baseAddress else { return }
            let (scale, coefficients) = (centre + channels, centre + 2 * channels)
            let t = work.row(0)
            for row in 0..<z.rows {
                let values = z.row(row)
                var (next, last) = (work.row(1), work.row(2))
                let highest = coefficients + order * channels
                for j in 0..<channels {
                    t[j] = min(max((values[j] - centre[j]) * scale[j], -1), 1)
                    next[j] = highest[j]
                    last[j] = 0
                }
                for n in stride(from: order - 1, to: 0, by: -1) {
                    let a = coefficients + n * channels
                    for j in 0..<channels { last[j] = 2 * t[j] * next[j] - last[j] + a[j] }
                    swap(&next, &last)
                }
                for j in 0..<channels { values[j] = t[j] * next[j] - last[j] + coefficients[j] }
            }
        }
    }
}
