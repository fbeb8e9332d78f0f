import CKernels
import Checkpoints
import Foundations
import Glibc
import Symmetries

/// Checks a run of channels that exact elements permute and multiply by ± powers of two, or rotary pairs by iᵐ·2ᵏ: finds the element,
/// acts with it on the original, and compares the bytes.
struct ExactRecovery {
    let parts: [PartViews]
    let channels: Int
    let law: SiteBlock.Law
    let scratch: WorkerScratch

    /// 0, or infinite: there is no rounding that exact elements could hide behind.
    func worstError() -> WorstError {
        let found = channelsFound
        if let stray = found.firstIndex(where: { $0 == nil }) {
            var worst = WorstError()
            worst.include(
                .infinity, "channel \(stray), which comes from no channel of the original by an exact element")
            return worst
        }
        return worstError(under: Self.element(found))
    }

    /// The exact element, up to channels that are alike; nil where a channel comes from none of the original's.
    var element: Monomial? {
        let found = channelsFound
        return found.allSatisfy { $0 != nil } ? Self.element(found) : nil
    }

    private var channelsFound: [(source: Int, scale: Double)?] {
        switch law {
        case .pairs(let pairing, let law): turns(pairing, law)
        case .monomial(let scales): matching(scales)
        case .linear: matching(.signed)
        }
    }

    private static func element(_ found: [(source: Int, scale: Double)?]) -> Monomial {
        Monomial(source: found.compactMap { $0?.source }, scale: found.compactMap { $0?.scale })
    }

    func worstError(under element: Monomial) -> WorstError {
        var worst = WorstError()
        for (original, protected) in parts.flatMap(\.pieces) {
            let factors =
                switch original.slice.representation {
                case .direct: element
                case .dual: element.dual
                case .permutation: element.permutation
                }
            if let place = difference(original, protected, factors) { worst.include(.infinity, place) }
        }
        return worst
    }

    private func matching(_ scales: Group.ChannelScales) -> [(source: Int, scale: Double)?] {
        let pieces = parts.flatMap(\.pieces)
        func fingerprints(_ views: [SliceView], _ limit: Int) -> ChannelFingerprints {
            ChannelFingerprints(views, count: channels, scales: scales, limit: limit)
        }
        let short = fingerprints(pieces.map(\.original), ChannelFingerprints.prefix)
        if short.areDistinct {
            return short.match(fingerprints(pieces.map(\.protected), ChannelFingerprints.prefix))
        }
        return fingerprints(pieces.map(\.original), .max).match(fingerprints(pieces.map(\.protected), .max))
    }

    /// Where the protected slice is not the original under the element.
    private func difference(_ original: SliceView, _ protected: SliceView, _ element: Monomial) -> String? {
        let width = original.slice.width
        let expected = scratch.buffer(0, of: UInt8.self, count: original.runBytes)
        var (before, after) = (original.window, protected.window)
        func didRead() {
            before.didRead(original.runBytes)
            after.didRead(original.runBytes)
        }
        if original.isRows {
            for index in 0..<original.indices {
                defer { didRead() }
                let channel = index / width
                let source = original.run(element.source[channel] * width + index % width)
                let lost = original.type.scale(expected, source, original.lines, element.scale[channel])
                if lost > 0 || memcmp(expected, protected.run(index), original.runBytes) != 0 {
                    return "\(original.slice.tensor), channel \(channel)"
                }
            }
            return nil
        }
        let index = (0..<original.indices).map { Int32(element.source[$0 / width] * width + $0 % width) }
        let scale = (0..<original.indices).map { element.scale[$0 / width] }
        let floats = scale.map { Float($0) }
        for line in 0..<original.lines {
            defer { didRead() }
            let lost = original.type.gather(expected, original.run(line), index, scale, floats)
            if lost > 0 || memcmp(expected, protected.run(line), original.runBytes) != 0 {
                return "\(original.slice.tensor), input \(line)"
            }
        }
        return nil
    }
}

extension ElementType {
    /// `target[i] = source[i] · scale`, for ± a power of two; returns how many values lost bits.
    fileprivate func scale(
        _ target: UnsafeMutablePointer<UInt8>, _ source: UnsafeRawPointer, _ count: Int, _ scale: Double
    ) -> Int {
        let target = UnsafeMutableRawPointer(target)
        guard scale != 1 else {
            target.copyMemory(from: source, byteCount: count * bitWidth / 8)
            return 0
        }
        return switch self {
        case .bf16: mp_scale_bf16(target.half, source.half, count, Float(scale))
        case .f16: mp_scale_f16(target.half, source.half, count, Float(scale))
        case .f32: mp_scale_f32(target.single, source.single, count, Float(scale))
        default: mp_scale_f64(target.double, source.double, count, scale)
        }
    }

    /// `target[i] = source[index[i]] · scale[i]`; returns as `scale` does.
    fileprivate func gather(
        _ target: UnsafeMutablePointer<UInt8>, _ source: UnsafeRawPointer, _ index: [Int32], _ scale: [Double],
        _ floats: [Float]
    ) -> Int {
        let target = UnsafeMutableRawPointer(target)
        return switch self {
        case .bf16: mp_gather_bf16(target.half, source.half, index, floats, index.count)
        case .f16: mp_gather_f16(target.half, source.half, index, floats, index.count)
        case .f32: mp_gather_f32(target.single, source.single, index, floats, index.count)
        default: mp_gather_f64(target.double, source.double, index, scale, index.count)
        }
    }
}

extension UnsafeRawPointer {
    fileprivate var half: UnsafePointer<UInt16> { assumingMemoryBound(to: UInt16.self) }
    fileprivate var single: UnsafePointer<Float> { assumingMemoryBound(to: Float.self) }
    fileprivate var double: UnsafePointer<Double> { assumingMemoryBound(to: Double.self) }
}

extension UnsafeMutableRawPointer {
    fileprivate var half: UnsafeMutablePointer<UInt16> { assumingMemoryBound(to: UInt16.self) }
    fileprivate var single: UnsafeMutablePointer<Float> { assumingMemoryBound(to: Float.self) }
    fileprivate var double: UnsafeMutablePointer<Double> { assumingMemoryBound(to: Double.self) }
}
