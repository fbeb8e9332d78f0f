/// The user or the system asked the run to stop.
public struct Interrupted: Error, Sendable, Equatable, CustomStringConvertible {
    public init() {}

    public var description: String { "interrupted; nothing was kept of the output" }
}
