// Pointwise functions, softmax and norms of a forward pass. f32 uses an own exponential that the compiler vectorises, f64 the
// C library's.
#include "CKernels.h"
#include "Clones.h"

#include <math.h>
#include <string.h>

#define LANES 16

// exp with an error below 2 ulp on [-87, 88]; 0 below, 2^127·(…) above.
static inline __attribute__((always_inline)) float exp_f32(float x) {
    x = x < -87.33654f ? -87.33654f : x;
    x = x > 88.37626f ? 88.37626f : x;
    float k = __builtin_rintf(x * 1.44269504088896341f);
    float r = __builtin_fmaf(k, -0.693145751953125f, x);
    r = __builtin_fmaf(k, -1.428606765330187e-06f, r);
    float p = 1.9875691500e-4f;
    p = __builtin_fmaf(p, r, 1.3981999507e-3f);
    p = __builtin_fmaf(p, r, 8.3334519073e-3f);
    p = __builtin_fmaf(p, r, 4.1665795894e-2f);
    p = __builtin_fmaf(p, r, 1.6666665459e-1f);
    p = __builtin_fmaf(p, r, 5.0000001201e-1f);
    p = __builtin_fmaf(p, r * r, r) + 1.0f;
    int32_t bits = ((int32_t)k + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

static inline double exp_f64(double x) { return exp(x); }

static inline __attribute__((always_inline)) float sigmoid_f32(float x) { return 1.0f / (1.0f + exp_f32(-x)); }
static inline double sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }
// tanh by exp(-2|x|), and by its series where that would cancel.
static inline __attribute__((always_inline)) float tanh_f32(float x) {
    float a = __builtin_fabsf(x);
    float e = exp_f32(-2.0f * a);
    float far = (1.0f - e) / (1.0f + e);
    float s = x * x;
    float near = a * (1.0f + s * (-0.333333333f + s * (0.133333333f + s * (-0.0539682540f + s * 0.0218694885f))));
    return __builtin_copysignf(a < 0.25f ? near : far, x);
}
static inline double tanh_f64(double x) { return tanh(x); }

#define POINTWISE(T, S)                                                                                                     \
    CLONES void mp_silu_##S(T *x, size_t n) {                                                                            \
        for (size_t i = 0; i < n; i++) x[i] = x[i] * sigmoid_##S(x[i]);                                                     \
    }                                                                                                                       \
    CLONES void mp_sigmoid_##S(T *x, size_t n, T alpha) {                                                                \
        for (size_t i = 0; i < n; i++) x[i] = sigmoid_##S(alpha * x[i]);                                                    \
    }                                                                                                                       \
    CLONES void mp_quick_gelu_##S(T *x, size_t n, T alpha) {                                                             \
        for (size_t i = 0; i < n; i++) x[i] = x[i] * sigmoid_##S(alpha * x[i]);                                             \
    }                                                                                                                       \
    CLONES void mp_tanh_##S(T *x, size_t n) {                                                                            \
        for (size_t i = 0; i < n; i++) x[i] = tanh_##S(x[i]);                                                               \
    }                                                                                                                       \
    CLONES void mp_gelu_tanh_##S(T *x, size_t n) {                                                                       \
        const T c = (T)0.79788456080286535588;                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                                    \
            T v = x[i];                                                                                                     \
            x[i] = (T)0.5 * v * (1 + tanh_##S(c * (v + (T)0.044715 * v * v * v)));                                          \
        }                                                                                                                   \
    }                                                                                                                       \
    CLONES void mp_multiply_##S(T *x, const T *y, size_t n) {                                                            \
        for (size_t i = 0; i < n; i++) x[i] *= y[i];                                                                        \
    }                                                                                                                       \
    CLONES void mp_add_##S(T *x, const T *y, size_t n, T alpha) {                                                        \
        for (size_t i = 0; i < n; i++) x[i] += alpha * y[i];                                                                \
    }                                                                                                                       \
    CLONES void mp_softmax_##S(T *x, size_t n, const T *sink) {                                                          \
        T lanes[LANES];                                                                                                     \
        T top = sink ? *sink : x[0];                                                                                        \
        for (size_t i = 0; i < n; i++) top = x[i] > top ? x[i] : top;                                                       \
        for (int l = 0; l < LANES; l++) lanes[l] = 0;                                                                       \
        size_t whole = n / LANES * LANES;                                                                                   \
        for (size_t i = 0; i < whole; i += LANES)                                                                           \
            for (int l = 0; l < LANES; l++) {                                                                               \
                T e = exp_##S(x[i + l] - top);                                                                              \
                x[i + l] = e;                                                                                               \
                lanes[l] += e;                                                                                              \
            }                                                                                                               \
        T sum = sink ? exp_##S(*sink - top) : 0;                                                                            \
        for (size_t i = whole; i < n; i++) sum += x[i] = exp_##S(x[i] - top);                                               \
        for (int l = 0; l < LANES; l++) sum += lanes[l];                                                                    \
        T scale = 1 / sum;                                                                                                  \
        for (size_t i = 0; i < n; i++) x[i] *= scale;                                                                       \
    }                                                                                                                       \
    CLONES T mp_sum_##S(const T *x, size_t n) {                                                                          \
        T lanes[LANES], sum = 0;                                                                                            \
        for (int l = 0; l < LANES; l++) lanes[l] = 0;                                                                       \
        size_t whole = n / LANES * LANES;                                                                                   \
        for (size_t i = 0; i < whole; i += LANES)                                                                           \
            for (int l = 0; l < LANES; l++) lanes[l] += x[i + l];                                                           \
        for (size_t i = whole; i < n; i++) sum += x[i];                                                                     \
        for (int l = 0; l < LANES; l++) sum += lanes[l];                                                                    \
        return sum;                                                                                                         \
    }                                                                                                                       \
    CLONES T mp_sum_of_squares_##S(const T *x, size_t n, T mean) {                                                       \
        T lanes[LANES], sum = 0;                                                                                            \
        for (int l = 0; l < LANES; l++) lanes[l] = 0;                                                                       \
        size_t whole = n / LANES * LANES;                                                                                   \
        for (size_t i = 0; i < whole; i += LANES)                                                                           \
            for (int l = 0; l < LANES; l++) lanes[l] += (x[i + l] - mean) * (x[i + l] - mean);                              \
        for (size_t i = whole; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);                                            \
        for (int l = 0; l < LANES; l++) sum += lanes[l];                                                                    \
        return sum;                                                                                                         \
    }                                                                                                                       \
    CLONES void mp_normalize_##S(T *dst, const T *x, size_t n, T mean, T scale, const T *gain, const T *bias) {          \
        if (gain && bias)                                                                                                   \
            for (size_t i = 0; i < n; i++) dst[i] = (x[i] - mean) * scale * gain[i] + bias[i];                              \
        else if (gain)                                                                                                      \
            for (size_t i = 0; i < n; i++) dst[i] = (x[i] - mean) * scale * gain[i];                                        \
        else if (bias)                                                                                                      \
            for (size_t i = 0; i < n; i++) dst[i] = (x[i] - mean) * scale + bias[i];                                        \
        else                                                                                                                \
            for (size_t i = 0; i < n; i++) dst[i] = (x[i] - mean) * scale;                                                  \
    }                                                                                                                       \
    CLONES void mp_turn_pairs_##S(T *a, T *b, size_t stride, size_t n, const T *cosine, const T *sine) {                 \
        for (size_t i = 0; i < n; i++) {                                                                                    \
            T x = a[i * stride], y = b[i * stride];                                                                         \
            a[i * stride] = x * cosine[i] - y * sine[i];                                                                    \
            b[i * stride] = y * cosine[i] + x * sine[i];                                                                    \
        }                                                                                                                   \
    }

POINTWISE(float, f32)
POINTWISE(double, f64)

void mp_gelu_f32(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752440f));
}
void mp_gelu_f64(double *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = 0.5 * x[i] * (1.0 + erf(x[i] * 0.70710678118654752440));
}

// A number in (-1/2, 1/2) from an index: the finaliser of splitmix64.
static inline __attribute__((always_inline)) double jitter(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return ((double)(int64_t)(z >> 12) + 0.5) * 0x1p-52 - 0.5;
}

CLONES void mp_jitter_f32(float *x, size_t n, uint64_t seed, float ulp_of_one, float smallest) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        bits &= 0x7f800000u;
        float power;
        memcpy(&power, &bits, 4);
        power = power < smallest ? smallest : power;
        x[i] += x[i] == 0 || !(power < INFINITY) ? 0 : (float)(jitter((seed + i) * 0x9e3779b97f4a7c15ull) * ulp_of_one * power);
    }
}
CLONES void mp_jitter_f64(double *x, size_t n, uint64_t seed, double ulp_of_one, double smallest) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], 8);
        bits &= 0x7ff0000000000000ull;
        double power;
        memcpy(&power, &bits, 8);
        power = power < smallest ? smallest : power;
        x[i] += x[i] == 0 || !(power < INFINITY) ? 0 : jitter((seed + i) * 0x9e3779b97f4a7c15ull) * ulp_of_one * power;
    }
}
