import Protections

extension Protector {
    /// A protector that forces nothing to the disk, for tests that are not about what survives a crash: waiting for the disk takes
    /// about as long as a tiny model takes to protect.
    public static var unsynchronized: Protector { Protector(system: FaultInjectingSystemCalls(synchronizes: false)) }
}
