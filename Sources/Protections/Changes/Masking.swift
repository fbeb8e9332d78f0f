import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Takes the most important entries of what training added to the base out again, `θ̂ = θ' - β·M∘τ'`: the second stage of MergeGuard (arXiv
/// 2511.11851). M is one for the share of a matrix with the largest importance, |τ'|.
struct Masking: WeightChange {
    let needsBase = true

    func tensors(_ context: ChangeContext) -> [TensorRecord] {
        context.matrices(at: [.queryKey, .valueOutput, .mlp])
    }

    func plan(_ context: ChangeContext) throws -> [String: any TensorChange] {
        guard let base = context.base else { return [:] }
        let (share, strength) = (context.parameter(.masked), context.parameter(.beta))
        let tensors = tensors(context)
        let found = Mutex<[String: any TensorChange]>([:])
        try WorkerThreads.forEach(tensors.count, threads: WorkerThreads.count(context.threads)) { number, scratch in
            let tensor = tensors[number]
            guard let other = base.tensors[tensor.name] else { return }
            let (content, before) = (context.model.content(of: tensor), base.content(of: other))
            let width = tensor.type.bitWidth / 8
            let cut = try MagnitudeCut(
                largest: Int((share * Double(tensor.elementCount)).rounded()), of: tensor.elementCount
            ) { range, importance in
                try Interruption.check()
                guard let a = content.bytes.baseAddress, let b = before.bytes.baseAddress,
                    let target = importance.baseAddress
                else { return }
                let (first, second) = (a + range.lowerBound * width, b + range.lowerBound * width)
                // What 16 bits hold differs by the same number in f32 as in f64.
                if width == 2 {
                    let base = scratch.buffer(1, of: Float.self, count: range.count)
                    tensor.type.widen(first, into: target, range.count)
                    other.type.widen(second, into: base, range.count)
                    for place in 0..<range.count { target[place] = (target[place] - base[place]).magnitude }
                } else {
                    let own = scratch.buffer(0, of: Double.self, count: range.count)
                    let base = scratch.buffer(1, of: Double.self, count: range.count)
                    tensor.type.widen(first, into: own, range.count)
                    other.type.widen(second, into: base, range.count)
                    for place in 0..<range.count { target[place] = Mask.importance(own[place], base[place]) }
                }
            }
            context.model.releasePages(of: tensor)
            base.releasePages(of: other)
            found.withLock { $0[tensor.name] = Mask(cut: cut, strength: strength) }
        }
        return found.withLock(\.self)
    }

    private struct Mask: TensorChange {
        let cut: MagnitudeCut
        let strength: Double

        static func importance(_ own: Double, _ base: Double) -> Float { Float((own - base).magnitude) }

        func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
            guard let base, let own = values.baseAddress else { return }
            for place in 0..<values.count {
                let added = own[place] - base[place]
                let isMasked = cut.takes(Float(added.magnitude), at: start + place)
                own[place] -= isMasked ? strength * added : 0
            }
        }
    }
}

extension MethodParameter {
    /// k: share of the entries of a matrix that are masked.
    public static let masked = MethodParameter(
        "masked", "share of each matrix whose task vector is masked, the largest entries", standard: 0.1,
        0.0001...1)
    /// β: how much of a masked entry of the task vector is taken away.
    public static let beta = MethodParameter(
        "beta", "how much of a masked entry is taken away; 1 puts the base's in its place", standard: 1, 0.001...4)
}
