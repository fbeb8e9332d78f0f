// Plain C loops that the compiler vectorises for several CPUs. Each has a Swift twin in the tests as oracle.
#ifndef MERGEPROOF_CKERNELS_H
#define MERGEPROOF_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Values that may lie at any address: a safetensors header may have any length, and the data follows it.
typedef uint16_t mp_u16 __attribute__((aligned(1)));
typedef uint32_t mp_u32 __attribute__((aligned(1)));
typedef uint64_t mp_u64 __attribute__((aligned(1)));
typedef int32_t mp_i32 __attribute__((aligned(1)));
typedef float mp_f32 __attribute__((aligned(1)));
typedef double mp_f64 __attribute__((aligned(1)));

// Conversions. Widening is exact; narrowing rounds once, to nearest even; NaN stays a (quiet) NaN, denormals are kept.
void mp_bf16_to_f32(mp_f32 *dst, const mp_u16 *src, size_t n);
void mp_f16_to_f32(mp_f32 *dst, const mp_u16 *src, size_t n);
void mp_f32_to_f64(mp_f64 *dst, const mp_f32 *src, size_t n);
void mp_f32_to_bf16(mp_u16 *dst, const mp_f32 *src, size_t n);
void mp_f32_to_f16(mp_u16 *dst, const mp_f32 *src, size_t n);
void mp_f64_to_f32(mp_f32 *dst, const mp_f64 *src, size_t n);

// How many of n values are NaN or infinite: all exponent bits set.
size_t mp_nonfinite_16(const mp_u16 *src, size_t n, uint16_t exponent_mask);
size_t mp_nonfinite_32(const mp_u32 *src, size_t n);
size_t mp_nonfinite_64(const mp_u64 *src, size_t n);

// dst[i] = src[i] * scale, for |scale| a power of two. Returns how many values lost bits: undoing the scaling would
// not give the source back.
size_t mp_scale_bf16(mp_u16 *dst, const mp_u16 *src, size_t n, float scale);
size_t mp_scale_f16(mp_u16 *dst, const mp_u16 *src, size_t n, float scale);
size_t mp_scale_f32(mp_f32 *dst, const mp_f32 *src, size_t n, float scale);
size_t mp_scale_f64(mp_f64 *dst, const mp_f64 *src, size_t n, double scale);

// dst[i] = src[index[i]] * scale[i]; the return value as above.
size_t mp_gather_bf16(mp_u16 *dst, const mp_u16 *src, const mp_i32 *index, const mp_f32 *scale, size_t n);
size_t mp_gather_f16(mp_u16 *dst, const mp_u16 *src, const mp_i32 *index, const mp_f32 *scale, size_t n);
size_t mp_gather_f32(mp_f32 *dst, const mp_f32 *src, const mp_i32 *index, const mp_f32 *scale, size_t n);
size_t mp_gather_f64(mp_f64 *dst, const mp_f64 *src, const mp_i32 *index, const mp_f64 *scale, size_t n);

// One complex factor on a pair of rows: out_re = x re - y im, out_im = y re + x im. Sources and results may not overlap.
void mp_rotate_f32(mp_f32 *out_re, mp_f32 *out_im, const mp_f32 *re, const mp_f32 *im, size_t n, float x, float y);
void mp_rotate_f64(mp_f64 *out_re, mp_f64 *out_im, const mp_f64 *re, const mp_f64 *im, size_t n, double x, double y);

// Hadamard's matrix H of a power of two as its order, without its factor, in place: each of some blocks is order rows of width
// values, and row i becomes sum_j H[i, j] x[j].
void mp_hadamard_f32(float *x, size_t order, size_t width, size_t blocks);
void mp_hadamard_f64(double *x, size_t order, size_t width, size_t blocks);

// Permutations with scales, and scales alone, of n values: of count vectors that lie one behind the other, or of width vectors that
// lie side by side (across).
void mp_permute_f32(float *dst, const float *src, const int32_t *index, const float *scale, size_t n, size_t count);
void mp_permute_f64(double *dst, const double *src, const int32_t *index, const double *scale, size_t n, size_t count);
void mp_permute_across_f32(float *dst, const float *src, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_permute_across_f64(double *dst, const double *src, const int32_t *index, const double *scale, size_t n, size_t width);
void mp_multiply_rows_f32(float *x, const float *factors, size_t n, size_t count);
void mp_multiply_rows_f64(double *x, const double *factors, size_t n, size_t count);
void mp_multiply_across_f32(float *x, const float *factors, size_t n, size_t width);
void mp_multiply_across_f64(double *x, const double *factors, size_t n, size_t width);

// What stands before and behind a rotation, widening and rounding on the way (wide: f32 both): of one vector, take gives
// dst[i] = src[index[i]] scale[i] and put the same with the narrow values as its result; of rows that lie stride values apart, take_rows
// gives n packed rows of width values dst[i] = src[index[i]] scale[i], and put_rows writes such rows.
void mp_take_bf16(float *dst, const mp_u16 *src, const int32_t *index, const float *scale, size_t n);
void mp_put_bf16(mp_u16 *dst, const float *src, const int32_t *index, const float *scale, size_t n);
void mp_take_rows_bf16(float *dst, const mp_u16 *src, size_t stride, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_put_rows_bf16(mp_u16 *dst, size_t stride, const float *src, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_take_f16(float *dst, const mp_u16 *src, const int32_t *index, const float *scale, size_t n);
void mp_put_f16(mp_u16 *dst, const float *src, const int32_t *index, const float *scale, size_t n);
void mp_take_rows_f16(float *dst, const mp_u16 *src, size_t stride, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_put_rows_f16(mp_u16 *dst, size_t stride, const float *src, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_take_f32(double *dst, const mp_f32 *src, const int32_t *index, const double *scale, size_t n);
void mp_put_f32(mp_f32 *dst, const double *src, const int32_t *index, const double *scale, size_t n);
void mp_take_rows_f32(double *dst, const mp_f32 *src, size_t stride, const int32_t *index, const double *scale, size_t n, size_t width);
void mp_put_rows_f32(mp_f32 *dst, size_t stride, const double *src, const int32_t *index, const double *scale, size_t n, size_t width);
void mp_take_f64(double *dst, const mp_f64 *src, const int32_t *index, const double *scale, size_t n);
void mp_put_f64(mp_f64 *dst, const double *src, const int32_t *index, const double *scale, size_t n);
void mp_take_rows_f64(double *dst, const mp_f64 *src, size_t stride, const int32_t *index, const double *scale, size_t n, size_t width);
void mp_put_rows_f64(mp_f64 *dst, size_t stride, const double *src, const int32_t *index, const double *scale, size_t n, size_t width);
void mp_take_wide(float *dst, const mp_f32 *src, const int32_t *index, const float *scale, size_t n);
void mp_put_wide(mp_f32 *dst, const float *src, const int32_t *index, const float *scale, size_t n);
void mp_take_rows_wide(float *dst, const mp_f32 *src, size_t stride, const int32_t *index, const float *scale, size_t n, size_t width);
void mp_put_rows_wide(mp_f32 *dst, size_t stride, const float *src, const int32_t *index, const float *scale, size_t n, size_t width);

// Sums of squares in f64: of all n values, and of each with what is there already (sum[i] += x[i]^2).
double mp_squares_f32(const mp_f32 *x, size_t n);
double mp_squares_f64(const mp_f64 *x, size_t n);
void mp_add_squares_f32(mp_f64 *sum, const mp_f32 *x, size_t n);
void mp_add_squares_f64(mp_f64 *sum, const mp_f64 *x, size_t n);

// Parts of a forward pass, in place unless there is a dst. sigmoid(x) = 1 / (1 + exp(-alpha x)); quick_gelu = x sigmoid(x).
// softmax takes one further logit into its sum where sink is not NULL. normalize: (x - mean) scale gain + bias, each of the
// two last perhaps NULL.
// turn_pairs: rotates n pairs (a[i stride], b[i stride]). jitter: adds uniform noise of half an ulp to
// either side, of a format whose ulp at one and smallest normal value are given.
void mp_silu_f32(float *x, size_t n);
void mp_sigmoid_f32(float *x, size_t n, float alpha);
void mp_quick_gelu_f32(float *x, size_t n, float alpha);
void mp_tanh_f32(float *x, size_t n);
void mp_gelu_f32(float *x, size_t n);
void mp_gelu_tanh_f32(float *x, size_t n);
void mp_multiply_f32(float *x, const float *y, size_t n);
void mp_add_f32(float *x, const float *y, size_t n, float alpha);
void mp_softmax_f32(float *x, size_t n, const float *sink);
float mp_sum_f32(const float *x, size_t n);
float mp_sum_of_squares_f32(const float *x, size_t n, float mean);
void mp_normalize_f32(float *dst, const float *x, size_t n, float mean, float scale, const float *gain, const float *bias);
void mp_turn_pairs_f32(float *a, float *b, size_t stride, size_t n, const float *cosine, const float *sine);
void mp_jitter_f32(float *x, size_t n, uint64_t seed, float ulp_of_one, float smallest);
void mp_silu_f64(double *x, size_t n);
void mp_sigmoid_f64(double *x, size_t n, double alpha);
void mp_quick_gelu_f64(double *x, size_t n, double alpha);
void mp_tanh_f64(double *x, size_t n);
void mp_gelu_f64(double *x, size_t n);
void mp_gelu_tanh_f64(double *x, size_t n);
void mp_multiply_f64(double *x, const double *y, size_t n);
void mp_add_f64(double *x, const double *y, size_t n, double alpha);
void mp_softmax_f64(double *x, size_t n, const double *sink);
double mp_sum_f64(const double *x, size_t n);
double mp_sum_of_squares_f64(const double *x, size_t n, double mean);
void mp_normalize_f64(double *dst, const double *x, size_t n, double mean, double scale, const double *gain, const double *bias);
void mp_turn_pairs_f64(double *a, double *b, size_t stride, size_t n, const double *cosine, const double *sine);
void mp_jitter_f64(double *x, size_t n, uint64_t seed, double ulp_of_one, double smallest);

// Parts of a proof from the weights. difference: sums of (y - x)^2 and of x^2, in f64 from runs of f32 where weights have 16 bits.
// pair_sums: of conj(x) y (real and imaginary part), |x|^2, |y|^2 over n complex numbers x = xa + i xb, y = ya + i yb.
// pair_error: the largest |y - z x| / sqrt(|z x|^2 + floor^2), infinite where one is no number, and where it was.
// weighted_squares: sums of weight (m^2 + floor^2) over a matrix's rows (by_row: one weight each) or over its columns.
void mp_difference_bf16(const mp_u16 *x, const mp_u16 *y, size_t n, double *difference, double *norm);
void mp_difference_f16(const mp_u16 *x, const mp_u16 *y, size_t n, double *difference, double *norm);
void mp_difference_f32(const mp_f32 *x, const mp_f32 *y, size_t n, double *difference, double *norm);
void mp_difference_f64(const mp_f64 *x, const mp_f64 *y, size_t n, double *difference, double *norm);
void mp_pair_sums(const double *xa, const double *xb, const double *ya, const double *yb, size_t n, double *sums);
double mp_pair_error(const double *xa, const double *xb, const double *ya, const double *yb, size_t n, double re, double im,
                     double floor, size_t *place);
void mp_weighted_squares_by_row_f32(double *out, const float *m, size_t rows, size_t columns, const double *weight, double floor);
void mp_weighted_squares_by_row_f64(double *out, const double *m, size_t rows, size_t columns, const double *weight, double floor);
void mp_weighted_squares_by_column_f32(double *out, const float *m, size_t rows, size_t columns, const double *weight,
                                       double floor);
void mp_weighted_squares_by_column_f64(double *out, const double *m, size_t rows, size_t columns, const double *weight,
                                       double floor);

// Parts of masking task vectors. Magnitudes are told apart by their bits, without sign. count_classes: counts of bits >> shift.
// count_between: counts of bits - first where that is less than width; returns how many bits lie above these. distances: |x - y|, rounded once to f32: the difference
// of two values of f32 or less that is taken in f32 is that which is taken in f64 and rounded, as f64 is inexact only where the lesser
// is below 2^-29 of the greater. Where the importance's bits are least or more, replace takes base and withdraw own - share (own - base) in
// f64; elsewhere own is kept as it is. dst may be own.
void mp_count_classes(uint64_t *counts, const float *x, size_t n, int shift);
size_t mp_count_between(uint64_t *counts, const float *x, size_t n, uint32_t first, uint32_t width);
size_t mp_count_equal(const float *x, size_t n, uint32_t bits);
void mp_distances_bf16(float *dst, const mp_u16 *x, const mp_u16 *y, size_t n);
void mp_withdraw_bf16(mp_u16 *dst, const mp_u16 *own, const mp_u16 *base, const float *importance, size_t n, uint32_t least, double share);
void mp_distances_f16(float *dst, const mp_u16 *x, const mp_u16 *y, size_t n);
void mp_withdraw_f16(mp_u16 *dst, const mp_u16 *own, const mp_u16 *base, const float *importance, size_t n, uint32_t least, double share);
void mp_distances_f32(float *dst, const mp_f32 *x, const mp_f32 *y, size_t n);
void mp_withdraw_f32(mp_f32 *dst, const mp_f32 *own, const mp_f32 *base, const float *importance, size_t n, uint32_t least, double share);
void mp_distances_f64(float *dst, const mp_f64 *x, const mp_f64 *y, size_t n);
void mp_withdraw_f64(mp_f64 *dst, const mp_f64 *own, const mp_f64 *base, const float *importance, size_t n, uint32_t least, double share);
void mp_replace_16(mp_u16 *dst, const mp_u16 *own, const mp_u16 *base, const float *importance, size_t n, uint32_t least);
void mp_replace_32(mp_f32 *dst, const mp_f32 *own, const mp_f32 *base, const float *importance, size_t n, uint32_t least);
void mp_replace_64(mp_f64 *dst, const mp_f64 *own, const mp_f64 *base, const float *importance, size_t n, uint32_t least);

// Merging. Task vectors are differences x - y of a model and its base in f32.
// What stays of one, 0 elsewhere: keep_between, where the bits of its magnitude lie in [least, end); keep_below, where what is there
// already lies below an end; keep_by, where the bits of another magnitude are least or more; keep_agreeing, elected values where it has
// their sign. add_difference: x += alpha (y - z). sum_distances, sum_magnitudes: sums of |x - y| and |x| in f64.
void mp_add_difference_f32(float *x, const float *y, const float *z, size_t n, float alpha);
void mp_task_vector_f32(float *dst, const float *x, const float *y, size_t n);
void mp_keep_between_f32(float *dst, const float *x, const float *y, size_t n, uint32_t least, uint32_t end);
void mp_keep_below_f32(float *dst, const float *x, const float *y, size_t n, float end);
void mp_keep_by_f32(float *dst, const float *x, const float *y, const float *importance, size_t n, uint32_t least);
void mp_keep_agreeing_f32(float *dst, const float *elected, const float *x, const float *y, size_t n);
double mp_sum_distances_f32(const float *x, const float *y, size_t n);
double mp_sum_magnitudes_f32(const float *x, size_t n);
// The rank of each magnitude from 0 up, the first of equal ones first; work holds n values, n < 2^32. thresholds: draws -= low + rank step.
void mp_rank_magnitudes(uint32_t *ranks, const float *x, size_t n, uint32_t *work);
void mp_thresholds_f32(float *draws, const uint32_t *ranks, size_t n, float low, float step);
// Of count vectors: the sign of sum votes[m] v[m] is elected, + for 0, and of those whose own vote has it
// out = base + lambda sum shares[m] v[m] / d, d = max(sum weights[m], least) where normalize is set, 1 where that vanishes.
void mp_elect_f32(float *out, const float *base, const float *const *vectors, const float *votes, const float *shares, const float *weights,
                  size_t count, size_t n, int normalize, float least, float lambda);
// Of the task vectors of count models, by entry. variances: of the population. average_present: base + their mean over those with
// |t| > epsilon, times factors[m] where one alone has it; count_present adds up how many entries each of them shares and has alone.
// largest: base + lambda times that of the largest magnitude, the first of equal ones. unify: the largest magnitude among those with the sign
// of the sum. localize: base + s, s = lambda times the sum, where least or more of those from first to end have |t| >= share |s - t|.
void mp_variances_f32(float *dst, const float *const *models, const float *base, size_t count, size_t n);
void mp_average_present_f32(float *out, const float *const *models, const float *base, const float *factors, size_t count, size_t n,
                            float epsilon);
void mp_count_present_f32(uint64_t *shared, uint64_t *unique, const float *const *models, const float *base, size_t count, size_t n,
                          float epsilon);
void mp_largest_f32(float *out, const float *const *models, const float *base, size_t count, size_t n, float lambda);
void mp_unify_f32(float *dst, const float *const *models, const float *base, size_t count, size_t n);
void mp_localize_f32(float *out, const float *const *models, const float *base, size_t count, size_t n, float lambda, float share,
                     size_t first, size_t end, uint32_t least);
// sum p ln(p / q), p = softmax(x) + epsilon, q = softmax(y) + epsilon, in f64. fuse: x where the importance is least or more, else the base.
double mp_divergence_f32(const float *x, const float *y, size_t n, double epsilon);
void mp_fuse_f32(float *out, const float *model, const float *base, const float *importance, size_t n, float least);
// out[i] += shares[i] (x[i] - y[i]); y may be NULL.
void mp_add_column_shares_f32(float *out, const float *x, const float *y, const float *shares, size_t n);
// sum v[m] x[m] / sum v[m], v = weights[m] max(importance[m], floor), in f64; where that sum is 0, the mean by the weights, or the plain one where
// they are 0. are_magnitudes: whether all are finite and none is negative.
void mp_weighted_mean_f32(float *out, const float *const *models, const float *const *importance, const double *weights, size_t count,
                          size_t n, float floor);
int mp_are_magnitudes_f32(const float *x, size_t n);

#endif
