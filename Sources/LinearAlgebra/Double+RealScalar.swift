import CSystemShims

extension Double: RealScalar {
    public static func _rounded(_ values: [Double]) -> [Self] { values }

    public static func _gemm(
        _ ta: Bool, _ tb: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
        _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int
    ) {
        mp_dgemm(
            ta ? 1 : 0, tb ? 1 : 0, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c,
            Int32(ldc))
    }

    public static func _getrf(_ n: Int, _ a: inout [Self], _ pivots: inout [Int32]) -> Int32 {
        mp_dgetrf(Int32(n), &a, &pivots)
    }

    public static func _getri(_ n: Int, _ a: inout [Self], _ pivots: [Int32]) -> Int32 {
        mp_dgetri(Int32(n), &a, pivots)
    }

    public static func _getrs(
        _ n: Int, _ columns: Int, _ lu: [Self], _ pivots: [Int32], _ b: inout [Self]
    ) -> Int32 {
        mp_dgetrs(Int32(n), Int32(columns), lu, pivots, &b)
    }

    public static func _gecon(_ n: Int, _ lu: [Self], _ norm: Self, _ reciprocal: inout Self) -> Int32 {
        mp_dgecon(Int32(n), lu, norm, &reciprocal)
    }

    public static func _geqrf(_ rows: Int, _ columns: Int, _ a: inout [Self], _ tau: inout [Self]) -> Int32 {
        mp_dgeqrf(Int32(rows), Int32(columns), &a, &tau)
    }

    public static func _orgqr(
        _ rows: Int, _ columns: Int, _ reflectors: Int, _ a: inout [Self], _ lda: Int, _ tau: [Self]
    ) -> Int32 {
        mp_dorgqr(Int32(rows), Int32(columns), Int32(reflectors), &a, Int32(lda), tau)
    }

    public static func _gesdd(
        _ vectors: Bool, _ m: Int, _ n: Int, _ a: inout [Self], _ s: inout [Self], _ u: inout [Self],
        _ vt: inout [Self]
    ) -> Int32 {
        mp_dgesdd(
            CChar(UInt8(ascii: vectors ? "S" : "N")), Int32(m), Int32(n), &a, &s, &u, Int32(Swift.min(m, n)), &vt,
            Int32(n))
    }

    public static func _syevd(_ n: Int, _ a: inout [Self], _ w: inout [Self]) -> Int32 {
        mp_dsyevd(Int32(n), &a, &w)
    }

    public static func _gelsd(
        _ m: Int, _ n: Int, _ columns: Int, _ a: inout [Self], _ b: inout [Self], _ s: inout [Self],
        _ rcond: Self, _ rank: inout Int32
    ) -> Int32 {
        mp_dgelsd(Int32(m), Int32(n), Int32(columns), &a, &b, &s, rcond, &rank)
    }
}
