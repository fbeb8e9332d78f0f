/// Keys and values of the positions that a decoder has seen, of one sequence.
final class KeyValueCache<Real: ComputeScalar> {
    struct Entry {
        var keys: [Real] = []
        var values: [Real] = []
        var count = 0
    }

    /// By the name of the attention block and the number of the layer.
    var entries: [String: Entry] = [:]
    /// Positions seen.
    var length = 0
}
