#include "Clones.h"

CLONES void mp_bf16_to_f32(mp_f32 *restrict dst, const mp_u16 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = widen_bf16(src[i]);
}

CLONES void mp_f16_to_f32(mp_f32 *restrict dst, const mp_u16 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = widen_f16(src[i]);
}

CLONES void mp_f32_to_f64(mp_f64 *restrict dst, const mp_f32 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = (double)src[i];
}

CLONES void mp_f32_to_bf16(mp_u16 *restrict dst, const mp_f32 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = narrow_bf16(src[i]);
}

CLONES void mp_f32_to_f16(mp_u16 *restrict dst, const mp_f32 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = narrow_f16(src[i]);
}

CLONES void mp_f64_to_f32(mp_f32 *restrict dst, const mp_f64 *restrict src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = (float)src[i];
}

CLONES size_t mp_nonfinite_16(const mp_u16 *restrict src, size_t n, uint16_t mask) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (src[i] & mask) == mask;
    return count;
}

CLONES size_t mp_nonfinite_32(const mp_u32 *restrict src, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (src[i] & 0x7f800000u) == 0x7f800000u;
    return count;
}

CLONES size_t mp_nonfinite_64(const mp_u64 *restrict src, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (src[i] & 0x7ff0000000000000u) == 0x7ff0000000000000u;
    return count;
}
