// What the kernels share: compilation for several CPUs, and the scalar conversions that the loops inline.
#ifndef MERGEPROOF_CLONES_H
#define MERGEPROOF_CLONES_H

#include "CKernels.h"

#include <string.h>

// What chooses a clone runs before the thread sanitizer is ready.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLONES
#endif
#endif
#if !defined(CLONES) && defined(__x86_64__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif
#endif
#ifndef CLONES
#define CLONES
#endif

// Contracting a*b-c*d into a fused operation would make the last bit depend on the CPU.
#pragma STDC FP_CONTRACT OFF

static inline float widen_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static inline uint16_t narrow_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

static inline float widen_f16(uint16_t x) {
    _Float16 half;
    memcpy(&half, &x, sizeof half);
    return (float)half;
}

static inline uint16_t narrow_f16(float x) {
    _Float16 half = (_Float16)x;
    uint16_t bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

#endif
