import Checkpoints
import Symmetries

extension ExactRecovery {
    /// The channels and scales by which iᵐ·2ᵏ acts on each pair. The first entry of a pair that is not zero tells m and k; where all are
    /// zero their signs tell m.
    func turns(_ pairing: ChannelPairing, _ law: SiteBlock.PairLaw) -> [(source: Int, scale: Double)?] {
        var found = [(source: Int, scale: Double)?](repeating: nil, count: channels)
        for pair in 0..<pairing.pairCount {
            let (a, b) = pairing.channels(ofPair: pair)
            guard let entry = firstEntry(a, b), let (turn, exponent) = Self.turn(entry) else { continue }
            switch law {
            case .any: break
            case .phases: if exponent != 0 { continue }
            case .signs: if exponent != 0 || turn % 2 == 1 { continue }
            case .positive: if turn != 0 { continue }
            }
            let modulus = Double(sign: .plus, exponent: entry.isDirect ? exponent : -exponent, significand: 1)
            found[a] = (turn % 2 == 1 ? b : a, turn == 1 || turn == 2 ? -modulus : modulus)
            found[b] = (turn % 2 == 1 ? a : b, turn == 2 || turn == 3 ? -modulus : modulus)
        }
        return found
    }

    private struct Entry {
        let x, y, newX, newY: Double
        let isDirect: Bool
    }

    /// The first entry of a pair of the original that is not zero, with its twin; the first of all where there is none.
    private func firstEntry(_ a: Int, _ b: Int) -> Entry? {
        var zero: Entry?
        for part in parts {
            for (original, protected) in part.pieces {
                for line in 0..<original.lines {
                    let entry = Entry(
                        x: original.value(index: a, line: line), y: original.value(index: b, line: line),
                        newX: protected.value(index: a, line: line), newY: protected.value(index: b, line: line),
                        isDirect: part.isDirect)
                    if entry.x != 0 || entry.y != 0 { return entry }
                    if zero == nil { zero = entry }
                }
            }
        }
        return zero
    }

    /// m and k with `new = iᵐ·2ᵏ·old`: there is one or none, as a turn changes signs or exchanges the two numbers.
    private static func turn(_ entry: Entry) -> (turn: Int, exponent: Int)? {
        // Multiplication by 1, i, -1, -i maps (x, y) to (x, y), (-y, x), (-x, -y), (y, -x).
        let turned = [(entry.x, entry.y), (-entry.y, entry.x), (-entry.x, -entry.y), (entry.y, -entry.x)]
        for (turn, (x, y)) in turned.enumerated() where x.sign == entry.newX.sign && y.sign == entry.newY.sign {
            guard let (old, new) = [(x, entry.newX), (y, entry.newY)].first(where: { $0.0 != 0 }) else {
                return (turn, 0)
            }
            guard new != 0, new.isFinite, old.isFinite else { continue }
            let exponent = Int(new.exponent) - Int(old.exponent)
            let scale = Double(sign: .plus, exponent: exponent, significand: 1)
            if x * scale == entry.newX, y * scale == entry.newY { return (turn, exponent) }
        }
        return nil
    }
}
