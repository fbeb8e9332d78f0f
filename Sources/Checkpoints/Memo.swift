import Synchronization

/// What was worked out of something that never changes, by its type, so that it is worked out once.
package final class Memo: Sendable {
    private let values = Mutex<[ObjectIdentifier: any Sendable]>([:])

    init() {}

    /// The value that was made before, or a new one. Threads that ask at once may each make one; all are the same.
    package func value<Value: Sendable, Failure>(_ make: () throws(Failure) -> Value) throws(Failure) -> Value {
        let key = ObjectIdentifier(Value.self)
        if let known = values.withLock({ $0[key] }) as? Value { return known }
        let made = try make()
        values.withLock { $0[key] = made }
        return made
    }
}
