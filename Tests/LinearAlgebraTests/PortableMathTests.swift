import Glibc
import LinearAlgebra
import Testing

@Suite struct PortableMathTests {
    @Test func logAgainstGlibc() {
        var random = stream("log")
        var worst = 0.0
        for _ in 0..<20000 {
            let x = Double(bitPattern: random.next() >> 1)
            if x.isFinite { worst = max(worst, ulps(PortableMath.log(x), Glibc.log(x))) }
            let u = random.nextUnit()
            worst = max(worst, ulps(PortableMath.log(u), Glibc.log(u)))
            let nearOne = 1 + (u - 0.5) * 0x1p-8
            worst = max(worst, ulps(PortableMath.log(nearOne), Glibc.log(nearOne)))
        }
        #expect(worst < 3)
    }

    @Test func logAtSpecialPoints() {
        #expect(PortableMath.log(1) == 0)
        #expect(PortableMath.log(0) == -.infinity && PortableMath.log(-0.0) == -.infinity)
        #expect(PortableMath.log(.infinity) == .infinity)
        #expect(
            PortableMath.log(-1).isNaN && PortableMath.log(.nan).isNaN && PortableMath.log(-.infinity).isNaN)
        for x in [
            Double.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 0.5.squareRoot(),
        ] {
            #expect(ulps(PortableMath.log(x), Glibc.log(x)) < 2)
        }
    }

    @Test func exp2AgainstGlibc() {
        var random = stream("exp2")
        var worst = 0.0
        for _ in 0..<20000 {
            let x = (random.nextUnit() - 0.5) * 2040
            worst = max(worst, ulps(PortableMath.exp2(x), Glibc.exp2(x)))
            worst = max(worst, ulps(PortableMath.exp2(x / 1020), Glibc.exp2(x / 1020)))
        }
        #expect(worst < 2)
    }

    @Test func exp2AtSpecialPoints() {
        for n in -1074...1023 { #expect(PortableMath.exp2(Double(n)) == Glibc.exp2(Double(n))) }
        #expect(PortableMath.exp2(1024) == .infinity && PortableMath.exp2(.infinity) == .infinity)
        #expect(PortableMath.exp2(-1076) == 0 && PortableMath.exp2(-.infinity) == 0)
        #expect(PortableMath.exp2(.nan).isNaN)
        #expect(ulps(PortableMath.exp2(-1060.3), Glibc.exp2(-1060.3)) <= 1)
    }

    @Test func sinCosAgainstGlibc() {
        var random = stream("sincos")
        var worst = 0.0
        for _ in 0..<20000 {
            // Reduced exactly to an eighth of a turn, so that Glibc's argument carries little error.
            let r = (random.nextUnit() - 0.5) / 4
            let (sine, cosine) = PortableMath.sinCosTwoPi(r)
            worst = max(worst, ulps(sine, Glibc.sin(2 * Double.pi * r)))
            worst = max(worst, ulps(cosine, Glibc.cos(2 * Double.pi * r)))
            // All quadrants, absolutely.
            let t = (random.nextUnit() - 0.5) * 2
            let all = PortableMath.sinCosTwoPi(t)
            worst = max(worst, abs(all.sine - Glibc.sin(2 * Double.pi * t)) / 0x1p-51)
            worst = max(worst, abs(all.cosine - Glibc.cos(2 * Double.pi * t)) / 0x1p-51)
        }
        #expect(worst < 2)
    }

    @Test func sinCosAtSpecialPoints() {
        for (turns, sine, cosine) in [
            (0.0, 0.0, 1.0), (0.25, 1, 0), (0.5, 0, -1), (0.75, -1, 0), (1, 0, 1), (-0.25, -1, 0),
            (1e15 + 0.25, 1, 0),
        ] {
            let got = PortableMath.sinCosTwoPi(turns)
            #expect(got.sine == sine && got.cosine == cosine, "\(turns)")
        }
        #expect(PortableMath.sinCosTwoPi(.infinity).sine.isNaN && PortableMath.sinCosTwoPi(.nan).cosine.isNaN)
    }

    /// Golden bits: a change of recipe, however small, breaks every published key.
    @Test func goldenBits() {
        #expect(PortableMath.log(3).bitPattern == 0x3FF1_93EA_7AAD_030B)
        #expect(PortableMath.exp2(0.3).bitPattern == 0x3FF3_B2C4_7BFF_8329)
        #expect(PortableMath.sinCosTwoPi(0.1).sine.bitPattern == 0x3FE2_CF23_0475_5A5E)
        #expect(PortableMath.sinCosTwoPi(0.1).cosine.bitPattern == 0x3FE9_E377_9B97_F4A8)
    }
}
