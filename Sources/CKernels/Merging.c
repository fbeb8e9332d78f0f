#include "Clones.h"

// Loops over the models run inside those over so many values, whose sums stay in registers or in the first-level cache.
#define BLOCK 64
#define LANES 16
#define INLINE static inline __attribute__((always_inline))
// Calls a function for blocks of constant length, which the compiler unrolls, and for the rest.
#define FOR_BLOCKS(n, CALL)                                                                                              \
    do {                                                                                                                 \
        size_t start = 0;                                                                                                \
        for (; start + BLOCK <= (n); start += BLOCK) CALL(start, BLOCK);                                                 \
        if (start < (n)) CALL(start, (n) - start);                                                                       \
    } while (0)

INLINE uint32_t magnitude(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}

INLINE float absolute(float x) { return __builtin_fabsf(x); }

// What stays of a task vector.

CLONES void mp_add_difference_f32(float *x, const float *y, const float *z, size_t n, float alpha) {
    for (size_t i = 0; i < n; i++) x[i] += alpha * (y[i] - z[i]);
}

CLONES void mp_task_vector_f32(float *dst, const float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = x[i] - y[i];
}

CLONES void mp_keep_between_f32(float *dst, const float *x, const float *y, size_t n, uint32_t least, uint32_t end) {
    for (size_t i = 0; i < n; i++) {
        float difference = x[i] - y[i];
        dst[i] = magnitude(difference) - least < end - least ? difference : 0;
    }
}

CLONES void mp_keep_below_f32(float *dst, const float *x, const float *y, size_t n, float end) {
    for (size_t i = 0; i < n; i++) dst[i] = dst[i] < end ? x[i] - y[i] : 0;
}

CLONES void mp_keep_by_f32(float *dst, const float *x, const float *y, const float *importance, size_t n, uint32_t least) {
    for (size_t i = 0; i < n; i++) dst[i] = magnitude(importance[i]) >= least ? x[i] - y[i] : 0;
}

CLONES void mp_keep_agreeing_f32(float *dst, const float *elected, const float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float difference = x[i] - y[i];
        int agrees = ((difference > 0) & (elected[i] > 0)) | ((difference < 0) & (elected[i] < 0));
        dst[i] = agrees ? elected[i] : 0;
    }
}

CLONES void mp_thresholds_f32(float *draws, const uint32_t *ranks, size_t n, float low, float step) {
    for (size_t i = 0; i < n; i++) draws[i] -= low + (float)ranks[i] * step;
}

CLONES double mp_sum_distances_f32(const float *x, const float *y, size_t n) {
    double lanes[LANES] = {0}, sum = 0;
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] += (double)absolute(x[i + l] - y[i + l]);
    for (size_t i = whole; i < n; i++) sum += (double)absolute(x[i] - y[i]);
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

CLONES double mp_sum_magnitudes_f32(const float *x, size_t n) {
    double lanes[LANES] = {0}, sum = 0;
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] += (double)absolute(x[i + l]);
    for (size_t i = whole; i < n; i++) sum += (double)absolute(x[i]);
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

// So few are sorted one by one.
#define FEW 64
static void rank_few(uint32_t *ranks, const float *x, size_t n, uint32_t *order) {
    for (size_t i = 0; i < n; i++) {
        size_t place = i;
        for (; place > 0 && magnitude(x[order[place - 1]]) > magnitude(x[i]); place--) order[place] = order[place - 1];
        order[place] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++) ranks[order[i]] = (uint32_t)i;
}

// Three passes of 11 bits from the lowest up, each stable.
#define RADIX 11
void mp_rank_magnitudes(uint32_t *ranks, const float *x, size_t n, uint32_t *work) {
    if (n <= FEW) {
        rank_few(ranks, x, n, work);
        return;
    }
    uint32_t counts[3][1 << RADIX];
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = magnitude(x[i]);
        for (int pass = 0; pass < 3; pass++) counts[pass][bits >> RADIX * pass & ((1 << RADIX) - 1)]++;
    }
    uint32_t *order = ranks, *next = work;
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (int pass = 0; pass < 3; pass++) {
        uint32_t place = 0;
        for (int digit = 0; digit < 1 << RADIX; digit++) {
            uint32_t count = counts[pass][digit];
            counts[pass][digit] = place;
            place += count;
        }
        for (size_t i = 0; i < n; i++) {
            uint32_t digit = magnitude(x[order[i]]) >> RADIX * pass & ((1 << RADIX) - 1);
            next[counts[pass][digit]++] = order[i];
        }
        uint32_t *other = order;
        order = next;
        next = other;
    }
    // An odd number of passes: the order lies in the work.
    for (size_t i = 0; i < n; i++) ranks[order[i]] = (uint32_t)i;
}

// What is made of several task vectors.

INLINE void elect(float *restrict out, const float *base, const float *const *vectors, const float *votes, const float *shares,
                  const float *weights, size_t count, size_t start, size_t n, int normalize, float least, float lambda) {
    float sums[BLOCK], mixed[BLOCK], divisors[BLOCK];
    for (size_t i = 0; i < n; i++) sums[i] = mixed[i] = divisors[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *vector = vectors[m] + start;
        float vote = votes[m];
        for (size_t i = 0; i < n; i++) sums[i] += vote * vector[i];
    }
    for (size_t m = 0; m < count; m++) {
        const float *vector = vectors[m] + start;
        float vote = votes[m], share = shares[m], weight = weights[m];
        for (size_t i = 0; i < n; i++) {
            float value = vote * vector[i], added = share * vector[i];
            int agrees = ((sums[i] >= 0) & (value > 0)) | (!(sums[i] >= 0) & (value < 0));
            mixed[i] += agrees ? added : 0;
            divisors[i] += agrees ? weight : 0;
        }
    }
    for (size_t i = 0; i < n; i++) {
        float divisor = divisors[i] < least ? least : divisors[i];
        divisor = divisor == 0 || !normalize ? 1 : divisor;
        out[start + i] = base[start + i] + lambda * (mixed[i] / divisor);
    }
}

CLONES void mp_elect_f32(float *out, const float *base, const float *const *vectors, const float *votes, const float *shares,
                         const float *weights, size_t count, size_t n, int normalize, float least, float lambda) {
#define CALL(start, length) \
    elect(out, base, vectors, votes, shares, weights, count, start, length, normalize, least, lambda)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void variances(float *restrict dst, const float *const *models, const float *base, size_t count, size_t start, size_t n) {
    double means[BLOCK], sums[BLOCK];
    for (size_t i = 0; i < n; i++) means[i] = sums[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) means[i] += (double)(x[i] - base[start + i]);
    }
    for (size_t i = 0; i < n; i++) means[i] /= (double)count;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) {
            double distance = (double)(x[i] - base[start + i]) - means[i];
            sums[i] += distance * distance;
        }
    }
    for (size_t i = 0; i < n; i++) dst[start + i] = (float)(sums[i] / (double)count);
}

CLONES void mp_variances_f32(float *dst, const float *const *models, const float *base, size_t count, size_t n) {
#define CALL(start, length) variances(dst, models, base, count, start, length)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void average(float *restrict out, const float *const *models, const float *base, const float *factors, size_t count,
                    size_t start, size_t n, float epsilon) {
    float unique[BLOCK], sums[BLOCK], counts[BLOCK];
    for (size_t i = 0; i < n; i++) unique[i] = sums[i] = counts[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        float factor = factors[m];
        for (size_t i = 0; i < n; i++) {
            float value = x[i] - base[start + i];
            int isThere = absolute(value) > epsilon;
            counts[i] += isThere ? 1 : 0;
            sums[i] += isThere ? value : 0;
            unique[i] += isThere ? factor * value : 0;
        }
    }
    for (size_t i = 0; i < n; i++) {
        float mean = sums[i] / (counts[i] > 1 ? counts[i] : 1);
        out[start + i] = base[start + i] + (counts[i] == 1 ? unique[i] : mean);
    }
}

CLONES void mp_average_present_f32(float *out, const float *const *models, const float *base, const float *factors,
                                   size_t count, size_t n, float epsilon) {
#define CALL(start, length) average(out, models, base, factors, count, start, length, epsilon)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void count_present(uint64_t *shared, uint64_t *unique, const float *const *models, const float *base, size_t count,
                          size_t start, size_t n, float epsilon) {
    uint32_t counts[BLOCK];
    for (size_t i = 0; i < n; i++) counts[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) counts[i] += absolute(x[i] - base[start + i]) > epsilon;
    }
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        uint32_t alone = 0, together = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t isThere = absolute(x[i] - base[start + i]) > epsilon;
            alone += isThere & (counts[i] == 1);
            together += isThere & (counts[i] > 1);
        }
        unique[m] += alone;
        shared[m] += together;
    }
}

CLONES void mp_count_present_f32(uint64_t *shared, uint64_t *unique, const float *const *models, const float *base,
                                 size_t count, size_t n, float epsilon) {
#define CALL(start, length) count_present(shared, unique, models, base, count, start, length, epsilon)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void largest(float *restrict out, const float *const *models, const float *base, size_t count, size_t start, size_t n,
                    float lambda) {
    float best[BLOCK];
    for (size_t i = 0; i < n; i++) best[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) {
            float value = x[i] - base[start + i];
            best[i] = absolute(value) > absolute(best[i]) ? value : best[i];
        }
    }
    for (size_t i = 0; i < n; i++) out[start + i] = base[start + i] + lambda * best[i];
}

CLONES void mp_largest_f32(float *out, const float *const *models, const float *base, size_t count, size_t n, float lambda) {
#define CALL(start, length) largest(out, models, base, count, start, length, lambda)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void unify(float *restrict dst, const float *const *models, const float *base, size_t count, size_t start, size_t n) {
    float sums[BLOCK], most[BLOCK], least[BLOCK];
    for (size_t i = 0; i < n; i++) sums[i] = most[i] = least[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) {
            float value = x[i] - base[start + i];
            sums[i] += value;
            most[i] = value > most[i] ? value : most[i];
            least[i] = value < least[i] ? value : least[i];
        }
    }
    // One of the two is 0, so that there is no branch.
    for (size_t i = 0; i < n; i++) dst[start + i] = (sums[i] > 0 ? most[i] : 0) + (sums[i] < 0 ? least[i] : 0);
}

CLONES void mp_unify_f32(float *dst, const float *const *models, const float *base, size_t count, size_t n) {
#define CALL(start, length) unify(dst, models, base, count, start, length)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

INLINE void localize(float *restrict out, const float *const *models, const float *base, size_t count, size_t start, size_t n,
                     float lambda, float share, size_t first, size_t end, uint32_t least) {
    float sums[BLOCK];
    uint32_t held[BLOCK];
    for (size_t i = 0; i < n; i++) sums[i] = 0, held[i] = 0;
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) sums[i] += x[i] - base[start + i];
    }
    for (size_t i = 0; i < n; i++) sums[i] *= lambda;
    for (size_t m = first; m < end; m++) {
        const float *x = models[m] + start;
        for (size_t i = 0; i < n; i++) {
            float value = x[i] - base[start + i];
            held[i] += absolute(value) >= share * absolute(sums[i] - value);
        }
    }
    for (size_t i = 0; i < n; i++) out[start + i] = base[start + i] + (held[i] >= least ? sums[i] : 0);
}

CLONES void mp_localize_f32(float *out, const float *const *models, const float *base, size_t count, size_t n, float lambda,
                            float share, size_t first, size_t end, uint32_t least) {
#define CALL(start, length) localize(out, models, base, count, start, length, lambda, share, first, end, least)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

// 1 / k!, for the series of the exponential.
static const double inverse_factorials[] = {1, 1, 0x1p-1, 0x1.5555555555555p-3, 0x1.5555555555555p-5, 0x1.1111111111111p-7,
    0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16, 0x1.71de3a556c734p-19, 0x1.27e4fb7789f5cp-22,
    0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29, 0x1.6124613a86d09p-33};

// exp x, for x of 0 or below; the low bits of n + 3·2^51 are those of n, from which 2^n is made.
#define SHIFT 0x1.8p52
INLINE double exp_below(double x) {
    x = x < -700 ? -700 : x;
    double t = x * 0x1.71547652b82fep0 + SHIFT;
    double whole = t - SHIFT;
    double r = (x - whole * 0x1.62e42feep-1) - whole * 0x1.a39ef35793c76p-33;
    double sum = inverse_factorials[13];
    for (int k = 12; k >= 0; k--) sum = sum * r + inverse_factorials[k];
    uint64_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

// ln m = 2 artanh((m - 1) / (m + 1)), for a normal positive number.
INLINE double log_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t high = 0x4330000000000000u | bits >> 52, low = 0x3ff0000000000000u | (bits & 0xfffffffffffffu);
    double exponent, mantissa;
    memcpy(&exponent, &high, sizeof exponent);
    memcpy(&mantissa, &low, sizeof mantissa);
    exponent -= 0x1p52 + 1023;
    int isHigh = mantissa > 1.4142135623730951;
    exponent += isHigh ? 1 : 0;
    mantissa = isHigh ? mantissa / 2 : mantissa;
    double s = (mantissa - 1) / (mantissa + 1), square = s * s, tail = 0;
    for (int k = 23; k > 1; k -= 2) tail = (tail + 1.0 / k) * square;
    return exponent * 0x1.62e42feep-1 + (exponent * 0x1.a39ef35793c76p-33 + (2 * s * tail + 2 * s));
}

INLINE float top_of(const float *x, size_t n) {
    float tops[LANES], top = x[0];
    size_t whole = n / LANES * LANES;
    for (int l = 0; l < LANES; l++) tops[l] = x[0];
    for (size_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++) tops[l] = x[i + l] > tops[l] ? x[i + l] : tops[l];
    for (size_t i = whole; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int l = 0; l < LANES; l++) top = tops[l] > top ? tops[l] : top;
    return top;
}

// The sum of TERM(i) over i, in lanes of a fixed order; terms are made block by block, in loops that vectorise.
#define SUM(result, n, TERM)                                                                                             \
    double result = 0;                                                                                                   \
    do {                                                                                                                 \
        double lanes[LANES] = {0}, terms[BLOCK];                                                                         \
        for (size_t start = 0; start < (n); start += BLOCK) {                                                            \
            size_t length = (n) - start < BLOCK ? (n) - start : BLOCK;                                                   \
            for (size_t i = 0; i < length; i++) terms[i] = TERM(start + i);                                              \
            for (size_t i = length; i < BLOCK; i++) terms[i] = 0;                                                        \
            for (size_t i = 0; i < BLOCK; i += LANES)                                                                    \
                for (int l = 0; l < LANES; l++) lanes[l] += terms[i + l];                                                \
        }                                                                                                                \
        for (int l = 0; l < LANES; l++) result += lanes[l];                                                              \
    } while (0)

INLINE double divergence_term(double p, double q) { return p * log_of(p / q); }

CLONES double mp_divergence_f32(const float *x, const float *y, size_t n, double epsilon) {
    if (n == 0) return 0;
    double top_x = (double)top_of(x, n), top_y = (double)top_of(y, n);
#define TERM_X(i) exp_below((double)x[i] - top_x)
#define TERM_Y(i) exp_below((double)y[i] - top_y)
    SUM(sum_x, n, TERM_X);
    SUM(sum_y, n, TERM_Y);
    double scale_x = 1 / sum_x, scale_y = 1 / sum_y;
#define TERM(i) divergence_term(scale_x *TERM_X(i) + epsilon, scale_y *TERM_Y(i) + epsilon)
    SUM(divergence, n, TERM);
    return divergence;
}

CLONES void mp_fuse_f32(float *out, const float *model, const float *base, const float *importance, size_t n, float least) {
    for (size_t i = 0; i < n; i++) out[i] = base[i] + (importance[i] >= least ? model[i] - base[i] : 0);
}

CLONES void mp_add_column_shares_f32(float *out, const float *x, const float *y, const float *shares, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] += shares[i] * (x[i] - (y ? y[i] : 0));
}

// Means by weights of each entry.

INLINE void weigh(float *restrict out, const float *const *models, const float *const *importance, const double *weights,
                  size_t count, size_t start, size_t n, float floor) {
    double sums[BLOCK], mixed[BLOCK], plain[BLOCK], total = 0;
    for (size_t i = 0; i < n; i++) sums[i] = mixed[i] = plain[i] = 0;
    for (size_t m = 0; m < count; m++) total += weights[m];
    for (size_t m = 0; m < count; m++) {
        const float *x = models[m] + start, *f = importance[m] + start;
        double weight = weights[m], share = total > 0 ? weight / total : 1.0 / (double)count;
        for (size_t i = 0; i < n; i++) {
            double value = weight * (double)(f[i] > floor ? f[i] : floor);
            sums[i] += value;
            mixed[i] += value * (double)x[i];
            plain[i] += share * (double)x[i];
        }
    }
    for (size_t i = 0; i < n; i++) out[start + i] = (float)(sums[i] > 0 ? mixed[i] / sums[i] : plain[i]);
}

CLONES void mp_weighted_mean_f32(float *out, const float *const *models, const float *const *importance, const double *weights,
                                 size_t count, size_t n, float floor) {
#define CALL(start, length) weigh(out, models, importance, weights, count, start, length, floor)
    FOR_BLOCKS(n, CALL);
#undef CALL
}

CLONES int mp_are_magnitudes_f32(const float *x, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) bad |= !(x[i] >= 0 && x[i] <= 3.402823466e38f);
    return !bad;
}
