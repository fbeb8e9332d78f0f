// What proofs from the weights need: distances, complex factors of pairs of rows, and norms under weights.
#include "CKernels.h"
#include "Clones.h"

#include <math.h>

#define LANES 16
// Values summed in lanes of f32 before they go into f64: their rounding stays below 2^-14 of the sum.
#define RUN 1024

// Σ (y - x)² and Σ x².
#define DIFFERENCE(NAME, LOOSE, REAL, WIDEN)                                                                                \
    CLONES void mp_difference_##NAME(const LOOSE *restrict x, const LOOSE *restrict y, size_t n, double *difference,         \
                                     double *norm) {                                                                        \
        double d = 0, s = 0;                                                                                                \
        for (size_t start = 0; start < n; start += RUN) {                                                                   \
            size_t end = start + RUN < n ? start + RUN : n, i = start;                                                      \
            REAL dl[LANES] = {0}, sl[LANES] = {0};                                                                          \
            for (; i + LANES <= end; i += LANES)                                                                            \
                for (int l = 0; l < LANES; l++) {                                                                           \
                    REAL a = WIDEN(x[i + l]), e = WIDEN(y[i + l]) - a;                                                      \
                    dl[l] += e * e;                                                                                         \
                    sl[l] += a * a;                                                                                         \
                }                                                                                                           \
            for (; i < end; i++) {                                                                                          \
                REAL a = WIDEN(x[i]), e = WIDEN(y[i]) - a;                                                                  \
                dl[0] += e * e;                                                                                             \
                sl[0] += a * a;                                                                                             \
            }                                                                                                               \
            for (int l = 0; l < LANES; l++) d += dl[l], s += sl[l];                                                         \
        }                                                                                                                   \
        *difference = d;                                                                                                    \
        *norm = s;                                                                                                          \
    }

#define AS_F64(x) ((double)(x))
DIFFERENCE(bf16, mp_u16, float, widen_bf16)
DIFFERENCE(f16, mp_u16, float, widen_f16)
DIFFERENCE(f32, mp_f32, double, AS_F64)
DIFFERENCE(f64, mp_f64, double, AS_F64)

CLONES void mp_pair_sums(const double *restrict xa, const double *restrict xb, const double *restrict ya,
                         const double *restrict yb, size_t n, double *restrict sums) {
    double re[LANES] = {0}, im[LANES] = {0}, xx[LANES] = {0}, yy[LANES] = {0};
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double a = xa[i + l], b = xb[i + l], c = ya[i + l], d = yb[i + l];
            re[l] += a * c + b * d;
            im[l] += a * d - b * c;
            xx[l] += a * a + b * b;
            yy[l] += c * c + d * d;
        }
    for (size_t i = whole; i < n; i++) {
        re[0] += xa[i] * ya[i] + xb[i] * yb[i];
        im[0] += xa[i] * yb[i] - xb[i] * ya[i];
        xx[0] += xa[i] * xa[i] + xb[i] * xb[i];
        yy[0] += ya[i] * ya[i] + yb[i] * yb[i];
    }
    for (int l = 1; l < LANES; l++) re[0] += re[l], im[0] += im[l], xx[0] += xx[l], yy[0] += yy[l];
    sums[0] = re[0], sums[1] = im[0], sums[2] = xx[0], sums[3] = yy[0];
}

CLONES double mp_pair_error(const double *restrict xa, const double *restrict xb, const double *restrict ya,
                            const double *restrict yb, size_t n, double re, double im, double floor, size_t *place) {
    double worst = 0, squared = re * re + im * im, least = floor * floor;
    for (size_t start = 0; start < n; start += RUN) {
        double quotient[RUN], top = 0, sum = 0;
        size_t count = start + RUN < n ? RUN : n - start;
        for (size_t i = 0; i < count; i++) {
            double a = xa[start + i], b = xb[start + i];
            double d = ya[start + i] - (re * a - im * b), e = yb[start + i] - (re * b + im * a);
            double error = d * d + e * e;
            quotient[i] = error == 0 ? 0 : error / (squared * (a * a + b * b) + least);
        }
        for (size_t i = 0; i < count; i++) {
            top = quotient[i] > top ? quotient[i] : top;
            sum += quotient[i];
        }
        if (isnan(sum)) top = INFINITY;
        if (top > worst) {
            worst = top;
            for (size_t i = 0; i < count; i++)
                if (!(quotient[i] < top)) *place = start + i;
        }
    }
    return sqrt(worst);
}

#define WEIGHTED(T, S)                                                                                                      \
    CLONES void mp_weighted_squares_by_row_##S(double *restrict out, const T *restrict m, size_t rows, size_t columns,       \
                                               const double *restrict weight, double floor) {                               \
        double least = floor * floor;                                                                                       \
        for (size_t j = 0; j < columns; j++) out[j] = 0;                                                                    \
        for (size_t i = 0; i < rows; i++)                                                                                   \
            for (size_t j = 0; j < columns; j++) {                                                                          \
                double x = m[i * columns + j];                                                                              \
                out[j] += weight[i] * (x * x + least);                                                                      \
            }                                                                                                               \
    }                                                                                                                       \
    CLONES void mp_weighted_squares_by_column_##S(double *restrict out, const T *restrict m, size_t rows, size_t columns,    \
                                                  const double *restrict weight, double floor) {                            \
        double least = floor * floor;                                                                                       \
        for (size_t i = 0; i < rows; i++) {                                                                                 \
            double lanes[LANES] = {0};                                                                                      \
            size_t whole = columns / LANES * LANES;                                                                         \
            const T *row = m + i * columns;                                                                                 \
            for (size_t j = 0; j < whole; j += LANES)                                                                       \
                for (int l = 0; l < LANES; l++) {                                                                           \
                    double x = row[j + l];                                                                                  \
                    lanes[l] += weight[j + l] * (x * x + least);                                                            \
                }                                                                                                           \
            for (size_t j = whole; j < columns; j++) lanes[0] += weight[j] * ((double)row[j] * row[j] + least);             \
            double sum = 0;                                                                                                 \
            for (int l = 0; l < LANES; l++) sum += lanes[l];                                                                \
            out[i] = sum;                                                                                                   \
        }                                                                                                                   \
    }

WEIGHTED(float, f32)
WEIGHTED(double, f64)
