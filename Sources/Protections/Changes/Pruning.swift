import Checkpoints
import LinearAlgebra

/// Drops entries of what training added to the base and scales the others, `τ' = m·τ/(1 - p)` with m one with probability 1 - p, so that what
/// has been permuted can't be matched with the base exactly: PaRaMS-D (arXiv 2503.07661), by DARE's rule (arXiv 2311.03099).
struct Pruning: WeightChange {
    let needsBase = true

    func tensors(_ context: ChangeContext) -> [TensorRecord] { context.matrices(at: context.step.siteKinds) }

    func plan(_ context: ChangeContext) throws -> [String: any TensorChange] {
        let share = context.parameter(.prune)
        return Dictionary(
            uniqueKeysWithValues: tensors(context).map { tensor in
                (tensor.name, Drop(share: share, tensor: tensor.name, stream: context.stream))
            })
    }

    private struct Drop: TensorChange {
        /// Values that one stream decides on.
        static let block = 1 << 15

        let share: Double
        let tensor: String
        let stream: @Sendable (String) -> KeyedRandomStream

        func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
            guard let base else { return }
            let least = UInt64(share * 0x1p32)
            let scale = 1 / (1 - share)
            var place = start
            while place < start + values.count {
                let number = place / Self.block
                var random = stream("prune/\(tensor)/\(number)")
                let end = min((number + 1) * Self.block, start + values.count)
                for value in number * Self.block..<end {
                    let drawn = random.next() >> 32
                    guard value >= start else { continue }
                    let (own, before) = (values[value - start], base[value - start])
                    values[value - start] = drawn < least ? before : before + (own - before) * scale
                }
                place = end
            }
        }
    }
}

extension MethodParameter {
    /// Share of the entries of every task vector that are dropped.
    public static let prune = MethodParameter(
        "prune",
        "share of what training added to each matrix of the sites that is dropped at random (PaRaMS-D)",
        0...0.99)
}
