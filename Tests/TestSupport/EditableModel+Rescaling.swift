import Architectures
import Checkpoints
import LinearAlgebra
import Symmetries

extension EditableModel {
    /// Rescales channels of attention as quantisation recipes leave them: at every site, channel i of one side by 2^a and of the
    /// other by 2^-a, with a uniform in `-reach ... reach`, equal on both members of a rotary pair. The function stays to the bit.
    ///
    /// - Parameter path: where the model was read from, in f32.
    public mutating func rescaleChannels(of path: String, reach: Int, seed: UInt8 = 0) throws {
        for site in try Architecture.resolve(Checkpoint(opening: path)).sites
        where [.valueOutput, .queryKey].contains(site.kind) {
            var stream = KeyedRandomStream(secret: [seed], info: site.path)
            let exponents = site.group.rescalings(reach: reach, using: &stream)
            for slice in site.slices {
                let sign = slice.representation == .dual ? -1 : 1
                let shape = tensors[try index(slice.tensor)].shape
                let columns = shape.count > 1 ? shape[1] : shape[0]
                let isRow = slice.axis == 0 && shape.count > 1
                try edit(slice.tensor) { values in
                    for place in values.indices {
                        let channel = (isRow ? place / columns : place % columns) - slice.start
                        guard exponents.indices.contains(channel) else { continue }
                        values[place] *= Float(sign: .plus, exponent: sign * exponents[channel], significand: 1)
                    }
                }
            }
        }
    }
}

extension Group {
    fileprivate func rescalings(reach: Int, using stream: inout KeyedRandomStream) -> [Int] {
        func draw() -> Int { stream.nextIndex(below: 2 * reach + 1) - reach }
        switch self {
        case .generalLinear(let n): return (0..<n).map { _ in draw() }
        case .torus(let pairing):
            var exponents = [Int](repeating: 0, count: pairing.rotaryDimensions)
            for pair in 0..<pairing.pairCount {
                let (x, y) = pairing.channels(ofPair: pair)
                exponents[x] = draw()
                exponents[y] = exponents[x]
            }
            return exponents
        case .product(let factors): return factors.flatMap { $0.rescalings(reach: reach, using: &stream) }
        case .torusPhases, .pairSigns, .pairScales, .monomial, .orthogonal:
            return [Int](repeating: 0, count: dimension)
        }
    }
}
