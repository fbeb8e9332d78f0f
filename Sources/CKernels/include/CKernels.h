// Plain C loops that the compiler vectorises for several CPUs. Each has a Swift twin in the tests as oracle.
#ifndef MERGEPROOF_CKERNELS_H
#define MERGEPROOF_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Conversions. Widening is exact; narrowing rounds once, to nearest even; NaN stays a (quiet) NaN, denormals are kept.
void mp_bf16_to_f32(float *dst, const uint16_t *src, size_t n);
void mp_f16_to_f32(float *dst, const uint16_t *src, size_t n);
void mp_f32_to_f64(double *dst, const float *src, size_t n);
void mp_f32_to_bf16(uint16_t *dst, const float *src, size_t n);
void mp_f32_to_f16(uint16_t *dst, const float *src, size_t n);
void mp_f64_to_f32(float *dst, const double *src, size_t n);

// How many of n values are NaN or infinite: all exponent bits set.
size_t mp_nonfinite_16(const uint16_t *src, size_t n, uint16_t exponent_mask);
size_t mp_nonfinite_32(const uint32_t *src, size_t n);
size_t mp_nonfinite_64(const uint64_t *src, size_t n);

// dst[i] = src[i] * scale, for |scale| a power of two. Returns how many values lost bits: undoing the scaling would
// not give the source back.
size_t mp_scale_bf16(uint16_t *dst, const uint16_t *src, size_t n, float scale);
size_t mp_scale_f16(uint16_t *dst, const uint16_t *src, size_t n, float scale);
size_t mp_scale_f32(float *dst, const float *src, size_t n, float scale);
size_t mp_scale_f64(double *dst, const double *src, size_t n, double scale);

// dst[i] = src[index[i]] * scale[i]; the return value as above.
size_t mp_gather_bf16(uint16_t *dst, const uint16_t *src, const int32_t *index, const float *scale, size_t n);
size_t mp_gather_f16(uint16_t *dst, const uint16_t *src, const int32_t *index, const float *scale, size_t n);
size_t mp_gather_f32(float *dst, const float *src, const int32_t *index, const float *scale, size_t n);
size_t mp_gather_f64(double *dst, const double *src, const int32_t *index, const double *scale, size_t n);

// One complex factor on a pair of rows: out_re = x re - y im, out_im = y re + x im. Sources and results may not overlap.
void mp_rotate_f32(float *out_re, float *out_im, const float *re, const float *im, size_t n, float x, float y);
void mp_rotate_f64(double *out_re, double *out_im, const double *re, const double *im, size_t n, double x, double y);

#endif
