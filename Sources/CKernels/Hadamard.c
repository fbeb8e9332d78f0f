// Sylvester's Hadamard transform, and what goes with it where a residual stream is turned.
#include "CKernels.h"
#include "Clones.h"

#include <string.h>

// Bytes of a part, half the first-level cache of common processors.
#define CACHED 16384

// The stages of lengths 1, 2 and 4 take eight neighbours: (a, b) becomes (b, a) + (a, -b) = (a + b, a - b). Those of 8, 16 and 32 take eight
// such vectors, so that all six pass through memory once.
#define NEAR 64
#define MP_HADAMARD(NAME, REAL)                                                                                            \
    typedef REAL v8_##NAME __attribute__((vector_size(8 * sizeof(REAL))));                                                 \
                                                                                                                           \
    static inline __attribute__((always_inline)) void inside_##NAME(v8_##NAME *v) {                                        \
        const v8_##NAME s1 = {1, -1, 1, -1, 1, -1, 1, -1}, s2 = {1, 1, -1, -1, 1, 1, -1, -1};                              \
        const v8_##NAME s4 = {1, 1, 1, 1, -1, -1, -1, -1};                                                                 \
        *v = __builtin_shufflevector(*v, *v, 1, 0, 3, 2, 5, 4, 7, 6) + *v * s1;                                            \
        *v = __builtin_shufflevector(*v, *v, 2, 3, 0, 1, 6, 7, 4, 5) + *v * s2;                                            \
        *v = __builtin_shufflevector(*v, *v, 4, 5, 6, 7, 0, 1, 2, 3) + *v * s4;                                            \
    }                                                                                                                      \
                                                                                                                           \
    static inline __attribute__((always_inline)) void near_##NAME(REAL *x, size_t n) {                                     \
        for (size_t start = 0; start < n; start += NEAR) {                                                                 \
            v8_##NAME v[8];                                                                                                \
            memcpy(v, x + start, sizeof v);                                                                                \
            for (int i = 0; i < 8; i++) inside_##NAME(v + i);                                                             \
            for (int length = 1; length < 8; length *= 2)                                                                  \
                for (int i = 0; i < 8; i++)                                                                                \
                    if ((i & length) == 0) {                                                                               \
                        v8_##NAME p = v[i] + v[i + length], q = v[i] - v[i + length];                                      \
                        v[i] = p;                                                                                          \
                        v[i + length] = q;                                                                                 \
                    }                                                                                                      \
            memcpy(x + start, v, sizeof v);                                                                                \
        }                                                                                                                  \
    }                                                                                                                      \
                                                                                                                           \
    /* Stages of lengths from, 2·from, ... below n, in this order, so many at a time as registers hold. */                 \
    static inline __attribute__((always_inline)) void stages_##NAME(REAL *x, size_t n, size_t from) {                      \
        size_t length = from;                                                                                              \
        for (; 8 * length <= n; length *= 8)                                                                               \
            for (size_t block = 0; block < n; block += 8 * length) {                                                       \
                REAL *restrict a = x + block, *restrict b = a + length, *restrict c = b + length,                          \
                              *restrict d = c + length, *restrict e = d + length, *restrict f = e + length,                \
                              *restrict g = f + length, *restrict h = g + length;                                          \
                for (size_t i = 0; i < length; i++) {                                                                      \
                    REAL p = a[i] + b[i], q = a[i] - b[i], r = c[i] + d[i], s = c[i] - d[i];                               \
                    REAL t = e[i] + f[i], u = e[i] - f[i], v = g[i] + h[i], w = g[i] - h[i];                               \
                    REAL pr = p + r, qs = q + s, mr = p - r, ms = q - s;                                                   \
                    REAL tv = t + v, uw = u + w, mv = t - v, mw = u - w;                                                   \
                    a[i] = pr + tv;                                                                                        \
                    b[i] = qs + uw;                                                                                        \
                    c[i] = mr + mv;                                                                                        \
                    d[i] = ms + mw;                                                                                        \
                    e[i] = pr - tv;                                                                                        \
                    f[i] = qs - uw;                                                                                        \
                    g[i] = mr - mv;                                                                                        \
                    h[i] = ms - mw;                                                                                        \
                }                                                                                                          \
            }                                                                                                              \
        if (4 * length <= n) {                                                                                             \
            for (size_t block = 0; block < n; block += 4 * length) {                                                       \
                REAL *restrict a = x + block, *restrict b = a + length, *restrict c = b + length,                          \
                              *restrict d = c + length;                                                                    \
                for (size_t i = 0; i < length; i++) {                                                                      \
                    REAL p = a[i] + b[i], q = a[i] - b[i], r = c[i] + d[i], s = c[i] - d[i];                               \
                    a[i] = p + r;                                                                                          \
                    b[i] = q + s;                                                                                          \
                    c[i] = p - r;                                                                                          \
                    d[i] = q - s;                                                                                          \
                }                                                                                                          \
            }                                                                                                              \
            length *= 4;                                                                                                   \
        }                                                                                                                  \
        if (2 * length <= n)                                                                                               \
            for (size_t block = 0; block < n; block += 2 * length) {                                                       \
                REAL *restrict a = x + block, *restrict b = a + length;                                                    \
                for (size_t i = 0; i < length; i++) {                                                                      \
                    REAL p = a[i], q = b[i];                                                                               \
                    a[i] = p + q;                                                                                          \
                    b[i] = p - q;                                                                                          \
                }                                                                                                          \
            }                                                                                                              \
    }                                                                                                                      \
                                                                                                                           \
    /* Short stages first, part by part of what the first-level cache holds. */                                            \
    static inline __attribute__((always_inline)) void block_##NAME(REAL *x, size_t order, size_t width) {                  \
        size_t n = order * width, part = width;                                                                            \
        while (8 * part <= n && 8 * part * sizeof(REAL) <= CACHED) part *= 8;                                              \
        if (8 * part > n) part = n * sizeof(REAL) <= CACHED ? n : part;                                                    \
        for (size_t start = 0; start < n; start += part) {                                                                 \
            if (width == 1 && part >= NEAR) {                                                                              \
                near_##NAME(x + start, part);                                                                              \
                stages_##NAME(x + start, part, NEAR);                                                                      \
            } else                                                                                                         \
                stages_##NAME(x + start, part, width);                                                                     \
        }                                                                                                                  \
        stages_##NAME(x, n, part);                                                                                         \
    }                                                                                                                      \
                                                                                                                           \
    CLONES void mp_hadamard_##NAME(REAL *x, size_t order, size_t width, size_t blocks) {                                   \
        for (size_t block = 0; block < blocks; block++) block_##NAME(x + block * order * width, order, width);             \
    }                                                                                                                      \
                                                                                                                           \
    CLONES void mp_permute_##NAME(REAL *restrict dst, const REAL *restrict src, const int32_t *restrict index,             \
                                  const REAL *restrict scale, size_t n, size_t count) {                                    \
        for (size_t row = 0; row < count; row++, dst += n, src += n)                                                       \
            for (size_t i = 0; i < n; i++) dst[i] = src[index[i]] * scale[i];                                              \
    }                                                                                                                      \
                                                                                                                           \
    CLONES void mp_permute_across_##NAME(REAL *restrict dst, const REAL *restrict src, const int32_t *restrict index,      \
                                         const REAL *restrict scale, size_t n, size_t width) {                             \
        for (size_t i = 0; i < n; i++) {                                                                                   \
            const REAL *restrict from = src + index[i] * width;                                                            \
            for (size_t j = 0; j < width; j++) dst[i * width + j] = from[j] * scale[i];                                    \
        }                                                                                                                  \
    }                                                                                                                      \
                                                                                                                           \
    CLONES void mp_multiply_rows_##NAME(REAL *restrict x, const REAL *restrict factors, size_t n, size_t count) {          \
        for (size_t row = 0; row < count; row++, x += n)                                                                   \
            for (size_t i = 0; i < n; i++) x[i] *= factors[i];                                                             \
    }                                                                                                                      \
                                                                                                                           \
    CLONES void mp_multiply_across_##NAME(REAL *restrict x, const REAL *restrict factors, size_t n, size_t width) {        \
        for (size_t i = 0; i < n; i++)                                                                                     \
            for (size_t j = 0; j < width; j++) x[i * width + j] *= factors[i];                                             \
    }

MP_HADAMARD(f32, float)
MP_HADAMARD(f64, double)
