import CSystemShims

/// `Float` and `Double`: the scalars that BLAS and LAPACK compute in. The static requirements are the routines in use.
public protocol RealScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
    static func _rounded(_ values: [Double]) -> [Self]
    static func _gemm(
        _ ta: Bool, _ tb: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
        _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
    static func _getrf(_ n: Int, _ a: inout [Self], _ pivots: inout [Int32]) -> Int32
    static func _getri(_ n: Int, _ a: inout [Self], _ pivots: [Int32]) -> Int32
    static func _getrs(_ n: Int, _ columns: Int, _ lu: [Self], _ pivots: [Int32], _ b: inout [Self]) -> Int32
    static func _gecon(_ n: Int, _ lu: [Self], _ norm: Self, _ reciprocal: inout Self) -> Int32
    static func _geqrf(_ rows: Int, _ columns: Int, _ a: inout [Self], _ tau: inout [Self]) -> Int32
    static func _orgqr(
        _ rows: Int, _ columns: Int, _ reflectors: Int, _ a: inout [Self], _ lda: Int, _ tau: [Self]
    ) -> Int32
    static func _gesdd(
        _ vectors: Bool, _ m: Int, _ n: Int, _ a: inout [Self], _ s: inout [Self], _ u: inout [Self],
        _ vt: inout [Self]
    ) -> Int32
    static func _syevd(_ n: Int, _ a: inout [Self], _ w: inout [Self]) -> Int32
    static func _gelsd(
        _ m: Int, _ n: Int, _ columns: Int, _ a: inout [Self], _ b: inout [Self], _ s: inout [Self],
        _ rcond: Self, _ rank: inout Int32
    ) -> Int32
}
