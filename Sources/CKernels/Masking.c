#include "Clones.h"

// Magnitudes are compared by their bits, which order them. A sign, which a NaN may have, is not looked at.
#define MAGNITUDE 0x7fffffffu
// So many values are looked at together; those that lie between are found one by one.
#define BLOCK 16

static inline uint32_t magnitude(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & MAGNITUDE;
}

CLONES void mp_count_classes(uint64_t *restrict counts, const float *restrict x, size_t n, int shift) {
    for (size_t i = 0; i < n; i++) counts[magnitude(x[i]) >> shift]++;
}

CLONES size_t mp_count_between(uint64_t *restrict counts, const float *restrict x, size_t n, uint32_t first, uint32_t width) {
    size_t above = 0, i = 0;
    for (; i < n / BLOCK * BLOCK; i += BLOCK) {
        uint32_t between = 0, more = 0;
        for (int l = 0; l < BLOCK; l++) {
            uint32_t bits = magnitude(x[i + l]);
            between |= (uint32_t)(bits - first < width) << l;
            more += bits >= first + width;
        }
        above += more;
        for (; between; between &= between - 1) counts[magnitude(x[i + __builtin_ctz(between)]) - first]++;
    }
    for (; i < n; i++) {
        uint32_t bits = magnitude(x[i]);
        if (bits - first < width) counts[bits - first]++;
        above += bits >= first + width;
    }
    return above;
}

CLONES size_t mp_count_equal(const float *x, size_t n, uint32_t bits) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += magnitude(x[i]) == bits;
    return count;
}

#define SAME(x) (x)
#define DOUBLE_TO_bf16(x) narrow_bf16((float)(x))
#define DOUBLE_TO_f16(x) narrow_f16((float)(x))

// Both choices are loaded, so that the loops have no branch. What is written may be what is read.
#define MP_MASK(NAME, STORED, LOOSE, REAL, WIDEN, NARROW)                                                                \
    CLONES void mp_distances_##NAME(float *restrict dst, const LOOSE *x, const LOOSE *y, size_t n) {                     \
        for (size_t i = 0; i < n; i++) {                                                                                 \
            dst[i] = __builtin_fabsf((float)((REAL)WIDEN(x[i]) - (REAL)WIDEN(y[i])));                                    \
        }                                                                                                                \
    }                                                                                                                    \
    CLONES void mp_withdraw_##NAME(LOOSE *dst, const LOOSE *own, const LOOSE *base, const float *restrict importance,    \
                                   size_t n, uint32_t least, double share) {                                             \
        for (size_t i = 0; i < n; i++) {                                                                                 \
            STORED kept = own[i];                                                                                        \
            double value = (double)WIDEN(kept), added = value - (double)WIDEN(base[i]);                                  \
            STORED less = NARROW(value - share * added);                                                                 \
            dst[i] = magnitude(importance[i]) >= least ? less : kept;                                                    \
        }                                                                                                                \
    }

MP_MASK(bf16, uint16_t, mp_u16, float, widen_bf16, DOUBLE_TO_bf16)
MP_MASK(f16, uint16_t, mp_u16, float, widen_f16, DOUBLE_TO_f16)
MP_MASK(f32, float, mp_f32, float, SAME, (float))
MP_MASK(f64, double, mp_f64, double, SAME, SAME)

#define MP_REPLACE(BITS, STORED, LOOSE)                                                                                  \
    CLONES void mp_replace_##BITS(LOOSE *dst, const LOOSE *own, const LOOSE *base, const float *restrict importance,     \
                                  size_t n, uint32_t least) {                                                            \
        for (size_t i = 0; i < n; i++) {                                                                                 \
            STORED kept = own[i], other = base[i];                                                                       \
            dst[i] = magnitude(importance[i]) >= least ? other : kept;                                                   \
        }                                                                                                                \
    }

MP_REPLACE(16, uint16_t, mp_u16)
MP_REPLACE(32, float, mp_f32)
MP_REPLACE(64, double, mp_f64)
