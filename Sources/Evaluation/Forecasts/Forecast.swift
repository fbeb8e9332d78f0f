/// What protecting a model by one method takes, foretold from its edits and from short trials on this machine.
public struct Forecast: Sendable, Equatable {
    /// Seconds of computing where all threads share the work: measuring weights, drawing or solving for elements, making tiles, and the tags of every
    /// tensor. Reading from a cold disk and writing the output come on top.
    public let seconds: Double
    /// The largest memory, pages of the weights that are mapped at the time included.
    public let peakBytes: Int

    public init(seconds: Double, peakBytes: Int) { (self.seconds, self.peakBytes) = (seconds, peakBytes) }
}
