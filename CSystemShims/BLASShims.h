// The BLAS and LAPACK entry points in use, under names of our own.
//
// Matrices arrive row-major. LAPACK is called column-major wherever the transposed problem serves as well, so that
// nothing is copied; each shim says what it computes in row-major terms.
#ifndef MERGEPROOF_BLAS_SHIMS_H
#define MERGEPROOF_BLAS_SHIMS_H

#define LAPACK_COMPLEX_CUSTOM
#define FORCE_OPENBLAS_COMPLEX_STRUCT
typedef struct { float real, imag; } mp_complex_float;
typedef struct { double real, imag; } mp_complex_double;
#define lapack_complex_float mp_complex_float
#define lapack_complex_double mp_complex_double
#include <cblas.h>
#include <lapacke.h>

static inline void mp_blas_set_threads(int threads) { openblas_set_num_threads(threads); }
static inline int mp_blas_threads(void) { return openblas_get_num_threads(); }
static inline const char *mp_blas_config(void) { return openblas_get_config(); }
static inline const char *mp_blas_core(void) { return openblas_get_corename(); }
static inline void mp_lapack_skip_nan_checks(void) { LAPACKE_set_nancheck(0); }

#define MP_SHIMS(T, S, p)                                                                                           \
    /* C (m x n) = alpha op(A) op(B) + beta C */                                                                    \
    static inline void mp_##p##gemm(int ta, int tb, int m, int n, int k, T alpha, const T *a, int lda, const T *b,  \
                                    int ldb, T beta, T *c, int ldc) {                                               \
        cblas_##p##gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k,     \
                        alpha, a, lda, b, ldb, beta, c, ldc);                                                       \
    }                                                                                                               \
    /* LU of A-transposed (the row-major A read by columns). */                                                     \
    static inline int mp_##p##getrf(int n, T *a, int *pivots) {                                                     \
        return LAPACKE_##p##getrf(LAPACK_COL_MAJOR, n, n, a, n, pivots);                                            \
    }                                                                                                               \
    static inline int mp_##p##getri(int n, T *a, const int *pivots) {                                               \
        return LAPACKE_##p##getri(LAPACK_COL_MAJOR, n, a, n, pivots);                                               \
    }                                                                                                               \
    /* Solves A X = B with B stored by columns, from the factors of A-transposed. */                                \
    static inline int mp_##p##getrs(int n, int columns, const T *lu, const int *pivots, T *b) {                     \
        return LAPACKE_##p##getrs(LAPACK_COL_MAJOR, 'T', n, columns, lu, n, pivots, b, n);                          \
    }                                                                                                               \
    static inline int mp_##p##gecon(int n, const T *lu, T infinity_norm, T *reciprocal) {                           \
        return LAPACKE_##p##gecon(LAPACK_COL_MAJOR, 'I', n, lu, n, infinity_norm, reciprocal);                      \
    }                                                                                                               \
    static inline int mp_##p##geqrf(int rows, int columns, T *a, T *tau) {                                          \
        return LAPACKE_##p##geqrf(LAPACK_ROW_MAJOR, rows, columns, a, columns, tau);                                \
    }                                                                                                               \
    static inline int mp_##p##orgqr(int rows, int columns, int reflectors, T *a, int lda, const T *tau) {           \
        return LAPACKE_##p##orgqr(LAPACK_ROW_MAJOR, rows, columns, reflectors, a, lda, tau);                        \
    }                                                                                                               \
    /* A (m x n) = U diag(s) V-transposed, thin; row-major throughout. */                                           \
    static inline int mp_##p##gesdd(char job, int m, int n, T *a, T *s, T *u, int ldu, T *vt, int ldvt) {           \
        return LAPACKE_##p##gesdd(LAPACK_ROW_MAJOR, job, m, n, a, n, s, u, ldu, vt, ldvt);                          \
    }                                                                                                               \
    /* Eigenvalues ascending; on return row i of a (read row-major) is eigenvector i. */                            \
    static inline int mp_##p##syevd(int n, T *a, T *w) {                                                            \
        return LAPACKE_##p##syevd(LAPACK_COL_MAJOR, 'V', 'L', n, a, n, w);                                          \
    }                                                                                                               \
    /* Least squares by SVD: min-norm X of A X = B, both row-major; B has max(m, n) rows. */                        \
    static inline int mp_##p##gelsd(int m, int n, int columns, T *a, T *b, T *s, T rcond, int *rank) {              \
        return LAPACKE_##p##gelsd(LAPACK_ROW_MAJOR, m, n, columns, a, n, b, columns, s, rcond, rank);               \
    }

MP_SHIMS(double, Double, d)
MP_SHIMS(float, Float, s)

#endif
