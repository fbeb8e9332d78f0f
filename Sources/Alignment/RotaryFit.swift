import Glibc
import LinearAlgebra
import Symmetries

/// Finds z of each rotary pair: `k = z·k₀` on one side and `q = z/|z|²·q₀` on the other tell the same phase, and the size once each.
struct RotaryFit {
    private let rotary: AlignmentMethod.Rotary
    private let sides: Sides

    init(_ rotary: AlignmentMethod.Rotary, _ sides: Sides) { (self.rotary, self.sides) = (rotary, sides) }

    func torus(_ pairing: ChannelPairing, _ group: Group) -> Torus {
        var (real, imaginary): ([Double], [Double]) = ([], [])
        for pair in 0..<pairing.pairCount {
            let (x, y) = pairing.channels(ofPair: pair)
            let left = Pair(sides.left, sides.left0, x, y)
            let right = Pair(sides.right, sides.right0, x, y)
            let (re, im) = direction(left, right)
            let (angle, size) = (atan2(im, re), size(left, right))
            switch group {
            case .pairSigns: (real, imaginary) = (real + [re < 0 ? -1 : 1], imaginary + [0])
            case .pairScales: (real, imaginary) = (real + [size], imaginary + [0])
            case .torusPhases: (real, imaginary) = (real + [cos(angle)], imaginary + [sin(angle)])
            default: (real, imaginary) = (real + [size * cos(angle)], imaginary + [size * sin(angle)])
            }
        }
        return Torus(pairing: pairing, real: real, imaginary: imaginary)
    }

    private func direction(_ left: Pair, _ right: Pair) -> (Double, Double) {
        switch rotary {
        case .nothing: (1, 0)
        case .complex: (left.unit.re + right.unit.re, left.unit.im + right.unit.im)
        case .phases, .phasesAndSizes: (left.re + right.re, left.im + right.im)
        }
    }

    private func size(_ left: Pair, _ right: Pair) -> Double {
        switch rotary {
        case .nothing, .phases: return 1
        case .complex:
            let (first, second) = (left.ratio, right.ratio)
            // The side that is not there says nothing.
            let size = first > 0 && second > 0 ? (first / second).squareRoot() : first > 0 ? first : 1 / second
            return size.isFinite && size > 0 ? size : 1
        case .phasesAndSizes:
            let (re, im) = direction(left, right)
            let length = hypot(re, im)
            guard length > 0 else { return 1 }
            func along(_ side: Pair) -> Double { (side.re * re + side.im * im) / length }
            return 1 / AlignmentMethod.fittedSize((left.own, along(left)), (right.own, along(right)))
        }
    }

    /// ⟨b, a⟩ of one pair's rows as complex ones, and their squared lengths.
    private struct Pair {
        let re, im, own, before: Double

        init(_ a: Matrix<Double>, _ b: Matrix<Double>, _ x: Int, _ y: Int) {
            re = dot(a.row(x), b.row(x)) + dot(a.row(y), b.row(y))
            im = dot(a.row(y), b.row(x)) - dot(a.row(x), b.row(y))
            own = dot(a.row(x), a.row(x)) + dot(a.row(y), a.row(y))
            before = dot(b.row(x), b.row(x)) + dot(b.row(y), b.row(y))
        }

        /// The size of the factor that takes b nearest to a.
        var ratio: Double { before > 0 ? hypot(re, im) / before : 0 }

        var unit: (re: Double, im: Double) {
            let size = hypot(re, im)
            return size > 0 && before > 0 ? (re / size, im / size) : (0, 0)
        }
    }
}
