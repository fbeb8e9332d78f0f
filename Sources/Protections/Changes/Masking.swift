import CKernels
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Takes the most important entries of what training added to the base out again, `θ̂ = θ' - β·M∘τ'`: the second stage of MergeGuard (arXiv
/// 2511.11851). M is one for the share of a matrix with the largest importance: |τ'|, or where inputs are given |τ'_ij|·‖x_j‖₂ over what the matrix's
/// input channel j reads on them, the score of Wanda (arXiv 2306.11695) on the task vector. Then experts that share a tensor are matrices of their own,
/// and one that reads nothing is ranked by |τ'|. Where β is one, an entry becomes the base's, bit for bit.
struct Masking: RehearsedChange {
    let needsBase = true
    let usesInputs = true

    func tensors(_ context: ChangeContext) -> [TensorRecord] {
        context.matrices(at: [.queryKey, .valueOutput, .mlp])
    }

    func plan(_ context: ChangeContext) throws -> [String: any TensorChange] {
        guard let base = context.base else { return [:] }
        let (share, strength) = (context.parameter(.masked), context.parameter(.beta))
        let tensors = tensors(context)
        let read = try inputNorms(of: tensors, context)
        let found = Mutex<[String: any TensorChange]>([:])
        try WorkerThreads.forEach(tensors.count, threads: WorkerThreads.count(context.threads)) { number, _ in
            let tensor = tensors[number]
            guard let other = base.tensors[tensor.name] else { return }
            let (content, before) = (context.model.content(of: tensor), base.content(of: other))
            guard let own = content.bytes.baseAddress, let theirs = before.bytes.baseAddress
            else { return }
            let parts =
                read[tensor.name]?.map { Importance($0) } ?? [
                    Importance(entries: 0..<tensor.elementCount, factors: nil)
                ]
            let masked = try parts.map { importance in
                try Mask.Part(importance, share: share, tensor.type, own: own, base: theirs)
            }
            context.model.releasePages(of: tensor)
            base.releasePages(of: other)
            found.withLock { $0[tensor.name] = Mask(parts: masked, strength: strength) }
        }
        return found.withLock(\.self)
    }

    package func rehearse(_ bytes: UnsafeRawBufferPointer, _ type: ElementType) throws -> Int {
        let width = type.bitWidth / 8
        let count = bytes.count / width / 2
        guard let own = bytes.baseAddress, count > 0 else { return 0 }
        let (base, scratch) = (own + count * width, WorkerScratch())
        let part = try Mask.Part(
            Importance(entries: 0..<count, factors: nil), share: MethodParameter.masked.standard ?? 1, type, own: own,
            base: base)
        Mask(parts: [part], strength: 1).rewrite(
            StoredRun(
                type: type, start: 0, count: count, own: own, base: base,
                target: scratch.buffer(1, of: UInt8.self, count: count * width)), scratch)
        return count * width
    }

    /// What tensors' maps read on the inputs, if there are any.
    private func inputNorms(
        of tensors: [TensorRecord], _ context: ChangeContext
    ) throws -> [String: [Model.InputNorms]] {
        guard let inputs = context.inputs else { return [:] }
        let model = try Model(context.model, threads: context.threads)
        let read = try model.inputNorms(of: Set(tensors.map(\.name)), on: inputs)
        var unread = 0
        for tensor in tensors {
            let maps = read[tensor.name] ?? []
            guard maps.reduce(0, { $0 + $1.entries.count }) == tensor.elementCount else {
                throw ProtectionError.tooFewInputs(tensor: tensor.name, found: 0, needed: 1)
            }
            for map in maps {
                guard map.norms.allSatisfy(\.isFinite) else {
                    throw ProtectionError.inputsNotFinite(tensor: tensor.name)
                }
                guard map.count > 0 || map.isRouted else {
                    throw ProtectionError.tooFewInputs(tensor: tensor.name, found: 0, needed: 1)
                }
                if map.count == 0 { unread += 1 }
            }
        }
        if unread > 0 {
            context.note(
                "\(unread) matrices of experts read nothing on the calibration data, as no position is routed to them: importance is |τ'| alone there; more data may reach them"
            )
        }
        return read
    }
}

/// Entries that are taken away where they are important.
private struct Mask: TensorChange {
    struct Part {
        let importance: Importance
        let cut: MagnitudeCut

        /// - Parameters:
        ///   - share: of the entries, that is to be masked.
        ///   - own: the tensor's values as they are stored.
        ///   - base: the base's likewise.
        init(
            _ importance: Importance, share: Double, _ type: ElementType, own: UnsafeRawPointer, base: UnsafeRawPointer
        ) throws {
            self.importance = importance
            let (entries, width) = (importance.entries, type.bitWidth / 8)
            cut = try MagnitudeCut(
                largest: Int((share * Double(entries.count)).rounded()), of: entries.count
            ) { range, target in
                try Interruption.check()
                let places = entries.lowerBound + range.lowerBound..<entries.lowerBound + range.upperBound
                let offset = places.lowerBound * width
                guard let target = target.baseAddress else { return }
                importance.write(places, type, own + offset, base + offset, into: target)
            }
        }
    }

    /// Entries that are looked at at once.
    private static let run = 1 << 13

    /// One behind the other.
    let parts: [Part]
    let strength: Double

    func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
        guard let own = values.baseAddress else { return }
        rewrite(
            StoredRun(type: .f64, start: start, count: values.count, own: own, base: base, target: own),
            WorkerScratch())
    }

    func rewrite(_ run: StoredRun, _ scratch: WorkerScratch) {
        guard let base = run.base else { return }
        let width = run.type.bitWidth / 8
        let important = scratch.buffer(0, of: Float.self, count: Self.run)
        for part in parts {
            let entries = part.importance.entries.clamped(to: run.start..<run.start + run.count)
            for start in stride(from: entries.lowerBound, to: entries.upperBound, by: Self.run) {
                let places = start..<min(start + Self.run, entries.upperBound)
                let offset = (start - run.start) * width
                part.importance.write(places, run.type, run.own + offset, base + offset, into: important)
                // Those that equal the smallest that is taken are taken up to a place.
                let end = min(max(part.importance.entries.lowerBound + part.cut.endOfEqual, start), places.upperBound)
                for (range, least) in [(start..<end, part.cut.least), (end..<places.upperBound, part.cut.least + 1)]
                where !range.isEmpty {
                    let offset = (range.lowerBound - run.start) * width
                    mask(
                        run.type, run.own + offset, base + offset, important + (range.lowerBound - start), range.count,
                        least, into: run.target + offset)
                }
            }
        }
    }

    private func mask(
        _ type: ElementType, _ own: UnsafeRawPointer, _ base: UnsafeRawPointer, _ importance: UnsafePointer<Float>,
        _ count: Int, _ least: UInt32, into target: UnsafeMutableRawPointer
    ) {
        func words<T>(_ type: T.Type) -> (UnsafeMutablePointer<T>, UnsafePointer<T>, UnsafePointer<T>) {
            (
                target.assumingMemoryBound(to: type), own.assumingMemoryBound(to: type),
                base.assumingMemoryBound(to: type)
            )
        }
        let isWhole = strength == 1
        switch type.bitWidth {
        case 16:
            let (target, own, base) = words(UInt16.self)
            if isWhole {
                mp_replace_16(target, own, base, importance, count, least)
            } else if type == .bf16 {
                mp_withdraw_bf16(target, own, base, importance, count, least, strength)
            } else {
                mp_withdraw_f16(target, own, base, importance, count, least, strength)
            }
        case 32:
            let (target, own, base) = words(Float.self)
            if isWhole {
                mp_replace_32(target, own, base, importance, count, least)
            } else {
                mp_withdraw_f32(target, own, base, importance, count, least, strength)
            }
        default:
            let (target, own, base) = words(Double.self)
            if isWhole {
                mp_replace_64(target, own, base, importance, count, least)
            } else {
                mp_withdraw_f64(target, own, base, importance, count, least, strength)
            }
        }
    }
}

extension MethodParameter {
    /// k: share of the entries of a matrix that are masked.
    public static let masked = MethodParameter(
        "masked", "share of each matrix whose task vector is masked, the most important entries", standard: 0.1,
        0.0001...1)
    /// β: how much of a masked entry of the task vector is taken away.
    public static let beta = MethodParameter(
        "beta", "how much of a masked entry is taken away; 1 puts the base's in its place", standard: 1, 0.001...4)
}
