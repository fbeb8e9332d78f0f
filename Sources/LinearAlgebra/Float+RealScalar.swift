import CSystemShims

extension Float: RealScalar {
    public static func _rounded(_ values: [Double]) -> [Self] { values.map { Float($0) } }

    public static func _gemm(
        _ ta: Bool, _ tb: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
        _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int
    ) {
        mp_sgemm(
            ta ? 1 : 0, tb ? 1 : 0, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c,
            Int32(ldc))
    }

    public static func _getrf(_ n: Int, _ a: inout [Self], _ pivots: inout [Int32]) -> Int32 {
        mp_sgetrf(Int32(n), &a, &pivots)
    }

    public static func _getri(_ n: Int, _ a: inout [Self], _ pivots: [Int32]) -> Int32 {
        mp_sgetri(Int32(n), &a, pivots)
    }

    public static func _getrs(
        _ n: Int, _ columns: Int, _ lu: [Self], _ pivots: [Int32], _ b: inout [Self]
    ) -> Int32 {
        mp_sgetrs(Int32(n), Int32(columns), lu, pivots, &b)
    }

    public static func _gecon(_ n: Int, _ lu: [Self], _ norm: Self, _ reciprocal: inout Self) -> Int32 {
        mp_sgecon(Int32(n), lu, norm, &reciprocal)
    }

    public static func _geqrf(_ rows: Int, _ columns: Int, _ a: inout [Self], _ tau: inout [Self]) -> Int32 {
        mp_sgeqrf(Int32(rows), Int32(columns), &a, &tau)
    }

    public static func _orgqr(
        _ rows: Int, _ columns: Int, _ reflectors: Int, _ a: inout [Self], _ lda: Int, _ tau: [Self]
    ) -> Int32 {
        mp_sorgqr(Int32(rows), Int32(columns), Int32(reflectors), &a, Int32(lda), tau)
    }

    public static func _gesdd(
        _ vectors: Bool, _ m: Int, _ n: Int, _ a: inout [Self], _ s: inout [Self], _ u: inout [Self],
        _ vt: inout [Self]
    ) -> Int32 {
        mp_sgesdd(
            CChar(UInt8(ascii: vectors ? "S" : "N")), Int32(m), Int32(n), &a, &s, &u, Int32(Swift.min(m, n)), &vt,
            Int32(n))
    }

    public static func _syevd(_ n: Int, _ a: inout [Self], _ w: inout [Self]) -> Int32 {
        mp_ssyevd(Int32(n), &a, &w)
    }

    public static func _gelsd(
        _ m: Int, _ n: Int, _ columns: Int, _ a: inout [Self], _ b: inout [Self], _ s: inout [Self],
        _ rcond: Self, _ rank: inout Int32
    ) -> Int32 {
        mp_sgelsd(Int32(m), Int32(n), Int32(columns), &a, &b, &s, rcond, &rank)
    }
}
