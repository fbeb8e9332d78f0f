#include "Clones.h"

#define LOOSE_bf16 mp_u16
#define LOOSE_f16 mp_u16
#define LOOSE_f32 mp_f32
#define LOOSE_f64 mp_f64
#define REAL_bf16 mp_f32
#define REAL_f16 mp_f32
#define REAL_f32 mp_f32
#define REAL_f64 mp_f64

// Values that are gathered before they are acted on: the one step has no vectors, the other has.
#define GATHERED 512

// One loop per storage type: widen, act, narrow, and compare what undoing the action would give with the source.
#define MP_KERNELS(NAME, STORED, REAL, WIDEN, NARROW, LOST)                                                          \
    CLONES size_t mp_scale_##NAME(LOOSE_##NAME *restrict dst, const LOOSE_##NAME *restrict src, size_t n, REAL scale) {         \
        size_t lost = 0;                                                                                            \
        REAL inverse = 1 / scale;                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                                            \
            STORED result = NARROW(WIDEN(src[i]) * scale);                                                          \
            dst[i] = result;                                                                                        \
            lost += WIDEN(result) * inverse != WIDEN(src[i]);                                                       \
        }                                                                                                           \
        return lost;                                                                                                \
    }                                                                                                               \
    CLONES size_t mp_gather_##NAME(LOOSE_##NAME *restrict dst, const LOOSE_##NAME *restrict src, const mp_i32 *restrict index,\
                                   const REAL_##NAME *restrict scale, size_t n) {                                   \
        STORED near[GATHERED];                                                                                      \
        size_t lost = 0;                                                                                            \
        for (size_t start = 0; start < n; start += GATHERED) {                                                      \
            size_t count = n - start < GATHERED ? n - start : GATHERED;                                             \
            for (size_t i = 0; i < count; i++) near[i] = src[index[start + i]];                                     \
            for (size_t i = 0; i < count; i++) {                                                                    \
                STORED result = NARROW(WIDEN(near[i]) * scale[start + i]);                                          \
                dst[start + i] = result;                                                                            \
                lost += LOST(WIDEN(result), WIDEN(near[i]), scale[start + i]);                                      \
            }                                                                                                       \
        }                                                                                                           \
        return lost;                                                                                                \
    }

#define SAME(x) (x)
// A 16-bit value times a power of two is exact in f32, so the product itself shows the loss; wider types must undo it.
#define PRODUCT_DIFFERS(result, origin, scale) ((result) != (origin) * (scale))
#define QUOTIENT_DIFFERS(result, origin, scale) ((result) / (scale) != (origin))
MP_KERNELS(bf16, uint16_t, float, widen_bf16, narrow_bf16, PRODUCT_DIFFERS)
MP_KERNELS(f16, uint16_t, float, widen_f16, narrow_f16, PRODUCT_DIFFERS)
MP_KERNELS(f32, float, float, SAME, SAME, QUOTIENT_DIFFERS)
MP_KERNELS(f64, double, double, SAME, SAME, QUOTIENT_DIFFERS)

// Rows that are fetched before they are needed, as they lie far apart; bytes of a cache line.
#define AHEAD 16
#define LINE 64
#define MP_SHUFFLES(NAME, STORED, LOOSE, REAL, WIDEN, NARROW)                                                              \
    CLONES void mp_take_##NAME(REAL *restrict dst, const LOOSE *restrict src, const int32_t *restrict index,               \
                               const REAL *restrict scale, size_t n) {                                                     \
        STORED near[GATHERED];                                                                                             \
        for (size_t start = 0; start < n; start += GATHERED) {                                                             \
            size_t count = n - start < GATHERED ? n - start : GATHERED;                                                    \
            for (size_t i = 0; i < count; i++) near[i] = src[index[start + i]];                                            \
            for (size_t i = 0; i < count; i++) dst[start + i] = WIDEN(near[i]) * scale[start + i];                         \
        }                                                                                                                  \
    }                                                                                                                      \
    CLONES void mp_put_##NAME(LOOSE *restrict dst, const REAL *restrict src, const int32_t *restrict index,                \
                              const REAL *restrict scale, size_t n) {                                                      \
        REAL near[GATHERED];                                                                                               \
        for (size_t start = 0; start < n; start += GATHERED) {                                                             \
            size_t count = n - start < GATHERED ? n - start : GATHERED;                                                    \
            for (size_t i = 0; i < count; i++) near[i] = src[index[start + i]];                                            \
            for (size_t i = 0; i < count; i++) dst[start + i] = NARROW(near[i] * scale[start + i]);                        \
        }                                                                                                                  \
    }                                                                                                                      \
    CLONES void mp_take_rows_##NAME(REAL *restrict dst, const LOOSE *restrict src, size_t stride,                          \
                                    const int32_t *restrict index, const REAL *restrict scale, size_t n, size_t width) {   \
        for (size_t i = 0; i < n; i++, dst += width) {                                                                     \
            const LOOSE *restrict from = src + (size_t)index[i] * stride;                                                  \
            if (i + AHEAD < n) {                                                                                           \
                const char *next = (const char *)(src + (size_t)index[i + AHEAD] * stride);                                \
                for (size_t byte = 0; byte < width * sizeof(STORED); byte += LINE) __builtin_prefetch(next + byte);        \
            }                                                                                                              \
            for (size_t j = 0; j < width; j++) dst[j] = WIDEN(from[j]) * scale[i];                                         \
        }                                                                                                                  \
    }                                                                                                                      \
    CLONES void mp_put_rows_##NAME(LOOSE *restrict dst, size_t stride, const REAL *restrict src,                           \
                                   const int32_t *restrict index, const REAL *restrict scale, size_t n, size_t width) {    \
        for (size_t i = 0; i < n; i++, dst += stride) {                                                                    \
            const REAL *restrict from = src + (size_t)index[i] * width;                                                    \
            for (size_t j = 0; j < width; j++) dst[j] = NARROW(from[j] * scale[i]);                                        \
        }                                                                                                                  \
    }

MP_SHUFFLES(bf16, uint16_t, mp_u16, float, widen_bf16, narrow_bf16)
MP_SHUFFLES(f16, uint16_t, mp_u16, float, widen_f16, narrow_f16)
MP_SHUFFLES(f32, float, mp_f32, double, (double), (float))
MP_SHUFFLES(f64, double, mp_f64, double, SAME, SAME)
MP_SHUFFLES(wide, float, mp_f32, float, SAME, SAME)

#define MP_ROTATE(NAME, REAL)                                                                                       \
    CLONES void mp_rotate_##NAME(mp_##NAME *restrict out_re, mp_##NAME *restrict out_im, const mp_##NAME *restrict re,             \
                                 const mp_##NAME *restrict im, size_t n, REAL x, REAL y) {                               \
        for (size_t i = 0; i < n; i++) {                                                                            \
            out_re[i] = x * re[i] - y * im[i];                                                                      \
            out_im[i] = y * re[i] + x * im[i];                                                                      \
        }                                                                                                           \
    }

MP_ROTATE(f32, float)
MP_ROTATE(f64, double)

// Lanes in a fixed order, so that the sum is the same on every CPU.
#define LANES 16
#define MP_SQUARES(NAME)                                                                                            \
    CLONES double mp_squares_##NAME(const mp_##NAME *x, size_t n) {                                                 \
        double lanes[LANES] = {0}, sum = 0;                                                                         \
        size_t whole = n / LANES * LANES;                                                                           \
        for (size_t i = 0; i < whole; i += LANES)                                                                   \
            for (int l = 0; l < LANES; l++) lanes[l] += (double)x[i + l] * (double)x[i + l];                        \
        for (size_t i = whole; i < n; i++) sum += (double)x[i] * (double)x[i];                                      \
        for (int l = 0; l < LANES; l++) sum += lanes[l];                                                            \
        return sum;                                                                                                 \
    }                                                                                                               \
    CLONES void mp_add_squares_##NAME(mp_f64 *restrict sum, const mp_##NAME *restrict x, size_t n) {                \
        for (size_t i = 0; i < n; i++) sum[i] += (double)x[i] * (double)x[i];                                       \
    }

MP_SQUARES(f32)
MP_SQUARES(f64)
