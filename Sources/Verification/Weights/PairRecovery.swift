import CKernels
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Checks rotary pairs: finds the complex number z that carries a pair of the original's key rows to the protected ones, and compares
/// every entry of keys and queries under it.
///
/// Read as complex numbers x, keys become `z x` and queries `x / conj(z)`. z is the least-squares estimate `Σ conj(x) y / Σ |x|²`
/// of the part whose rounding blurs it least. An entry's error is `|y - z x| / |z x|`, which rounding keeps below two roundoffs; what is
/// seen through random vectors is held against the mean of its row, which such a sum is rounded like.
struct PairRecovery {
    let pairing: ChannelPairing
    let law: SiteBlock.PairLaw
    let parts: [PartViews]
    let tolerance: Tolerance
    let sketch: Sketch
    let scratch: WorkerScratch

    /// What a part says of z.
    private struct Estimate {
        var (real, imaginary) = (1.0, 0.0)
        /// Bound of its relative error in units of the roundoff.
        var blur = Double.infinity
    }

    func worstError() -> WorstError {
        var worst = WorstError()
        let length = parts.map(\.lines).max() ?? 0
        for pair in 0..<pairing.pairCount {
            var best = Estimate()
            for part in parts {
                let estimate = estimate(part, pair, length)
                if estimate.blur < best.blur { best = estimate }
            }
            constrain(&best, &worst)
            for part in parts { compare(part, pair, length, best, &worst) }
        }
        return worst
    }

    /// Reads the two rows of a pair in both models: x = (xa, xb), y = (ya, yb).
    private func rows(
        _ part: PartViews, _ pair: Int, _ length: Int
    ) -> (
        xa: UnsafeMutablePointer<Double>, xb: UnsafeMutablePointer<Double>, ya: UnsafeMutablePointer<Double>,
        yb: UnsafeMutablePointer<Double>
    ) {
        let base = scratch.buffer(0, of: Double.self, count: 4 * length)
        let (a, b) = pairing.channels(ofPair: pair)
        var offset = 0
        for (original, protected) in part.pieces {
            original.read(index: a, into: base + offset)
            original.read(index: b, into: base + length + offset)
            protected.read(index: a, into: base + 2 * length + offset)
            protected.read(index: b, into: base + 3 * length + offset)
            offset += original.lines
        }
        return (base, base + length, base + 2 * length, base + 3 * length)
    }

    private func estimate(_ part: PartViews, _ pair: Int, _ length: Int) -> Estimate {
        let (xa, xb, ya, yb) = rows(part, pair, length)
        var sums = (0.0, 0.0, 0.0, 0.0)
        withUnsafeMutableBytes(of: &sums) { bytes in
            if let base = bytes.baseAddress {
                mp_pair_sums(xa, xb, ya, yb, part.lines, base.assumingMemoryBound(to: Double.self))
            }
        }
        let (re, im) = (sums.0 / sums.2, sums.1 / sums.2)
        let squared = re * re + im * im
        guard squared > 0, squared.isFinite, sums.3 > 0 else { return Estimate() }
        let blur = 1 + tolerance.floor * (2 * Double(part.lines) / sums.3).squareRoot()
        return part.isDirect
            ? Estimate(real: re, imaginary: im, blur: blur)
            : Estimate(real: re / squared, imaginary: im / squared, blur: blur)
    }

    /// z must lie in the group: on the unit circle where only phases are free, positive where only scales are.
    private func constrain(_ estimate: inout Estimate, _ worst: inout WorstError) {
        let modulus = (estimate.real * estimate.real + estimate.imaginary * estimate.imaginary).squareRoot()
        switch law {
        case .any: break
        case .phases:
            worst.include((modulus - 1).magnitude / max(estimate.blur, 1), "a pair's scale")
            (estimate.real, estimate.imaginary) = (estimate.real / modulus, estimate.imaginary / modulus)
        case .signs: (estimate.real, estimate.imaginary) = (estimate.real < 0 ? -1 : 1, 0)
        case .positive: (estimate.real, estimate.imaginary) = (estimate.real.magnitude, 0)
        }
    }

    private func compare(
        _ part: PartViews, _ pair: Int, _ length: Int, _ estimate: Estimate, _ worst: inout WorstError
    ) {
        let (xa, xb, ya, yb) = rows(part, pair, length)
        var (re, im, place) = (estimate.real, estimate.imaginary, 0)
        if !part.isDirect {
            let squared = re * re + im * im
            (re, im) = (re / squared, im / squared)
        }
        let blur = estimate.blur.isFinite ? max(estimate.blur, 1) : 1
        var start = 0
        for (view, _) in part.pieces {
            var floor = tolerance.floor
            if sketch.isSketched(view.slice.tensor) {
                let square = (start..<start + view.lines).reduce(0.0) { $0 + ya[$1] * ya[$1] + yb[$1] * yb[$1] }
                floor = max(floor, (square / Double(max(view.lines, 1))).squareRoot())
            }
            let error = mp_pair_error(
                xa + start, xb + start, ya + start, yb + start, view.lines, re, im, floor, &place)
            worst.include(error / blur, "\(part.place(ofLine: start + place)), pair \(pair)")
            start += view.lines
        }
    }
}
