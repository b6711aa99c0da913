// One block of a vision transformer in 16-bit integers: AVX-512 VNNI multiplies and sums pairs of int16 at twice the
// rate of float32. Rows of both factors are scaled by their L2 norm, so that by Cauchy-Schwarz no 32-bit sum can
// overflow whatever the outliers; what rounding costs is below the float16 in which features are stored.
//
// Every sum runs in one fixed order that depends on neither the number of threads nor their timing: results are
// bit-identical between runs. Layouts (T tokens, D channels, H heads of 64, M hidden):
//   packed matrix   [k / chunk][n / 48][chunk / 2][48][2] int16: 48 output channels, pairs of inputs adjacent; each
//                   chunk of inputs (at most 384, so that a panel stays in the first cache) has scales of its own
//   packed keys     [head][T / 64][32][64][2] int16: pairs of head channels adjacent, by key
//   packed values   [head][T / 64][32][64][2] int16: pairs of keys adjacent, by head channel

#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

enum {
    LANES = 16,
    ROWS = 8,           // rows and columns of one register tile of a matrix product
    COLUMNS = 48,
    TOKENS = 64,        // tokens of one task outside attention, keys of one block inside
    HEAD = 64,          // channels of a head
    QUERIES = 6,        // rows of one register tile of attention
    QUERY_TILES = 4,
    QUERY_TASK = 96,    // queries of one task, a multiple of QUERIES * QUERY_TILES
    MAX_THREADS = 64,
    MAX_CHUNKS = 64,    // of the inputs of a matrix
};

#define INT32_ROOT 46340.0f     // its square is the largest below 2^31
#define INT16_LIMIT 32766.0f
#define WEIGHT_BITS 12          // a softmax weight of 1 is 2^12: 64 keys x 2^12 x 8191 < 2^31
#define VALUE_LIMIT 8190.0f

typedef struct {
    const int16_t *packed;
    const float *scale;         // (inputs / chunk, padded outputs)
    const float *bias;          // (padded outputs,)
    int32_t inputs, chunk;
    int32_t outputs, padded_outputs;  // multiples of 16 and of 48
} Matrix;

typedef struct {
    Matrix qkv, projection, up, down;
    const float *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias;
    float epsilon;
    int32_t heads;
    int32_t gated;              // `up` then holds the gate in its first half, the linear part in the second
} Block;

typedef struct {
    const Block *block;
    float *x;                   // (T, D), read and written
    const float *cosine, *sine; // (T, 32)
    int16_t *query, *key, *value;
    float *query_scale, *key_scale, *value_scale, *attended;
    char *scratch;              // one part per thread
    size_t scratch_bytes;
    int32_t tokens, padded_tokens;
} Forward;

// ---------------------------------------------------------------------------------------------------------- threads

typedef void (*Task)(const Forward *, int32_t index, char *scratch);

typedef struct {
    const Forward *forward;
    Task task;
    int32_t count;
    atomic_int *next;
    char *scratch;
} Worker;

static void *run_tasks(void *argument) {
    Worker *worker = argument;
    for (;;) {
        int32_t index = atomic_fetch_add(worker->next, 1);
        if (index >= worker->count) return NULL;
        worker->task(worker->forward, index, worker->scratch);
    }
}

// Threads live for one phase: nothing spins while another program holds a core, and a fork finds none.
static void run_parallel(const Forward *forward, Task task, int32_t count, int32_t threads) {
    atomic_int next = 0;
    Worker workers[MAX_THREADS];
    pthread_t handles[MAX_THREADS];
    int32_t started = 0;
    for (int32_t i = 0; i < threads; i++) {
        workers[i] = (Worker){forward, task, count, &next, forward->scratch + i * forward->scratch_bytes};
    }
    // Where a thread is refused, those that run do its share.
    while (started < threads - 1 && pthread_create(&handles[started], NULL, run_tasks, &workers[started + 1]) == 0) {
        started++;
    }
    run_tasks(&workers[0]);
    for (int32_t i = 0; i < started; i++) pthread_join(handles[i], NULL);
}

// -------------------------------------------------------------------------------------------------------- row maths

// 2^x for x <= 127; 0 far below. Relative error 4e-6.
INLINE __m512 exp2_ps(__m512 x) {
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 part = _mm512_sub_ps(x, whole);
    __m512 y = _mm512_set1_ps(9.6739250e-3f);
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(5.5505220e-2f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(2.4022349e-1f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(6.9314684e-1f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, whole);
}

// x * Phi(x), with erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
INLINE __m512 gelu_ps(__m512 x) {
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one));
    __m512 y = _mm512_set1_ps(1.061405429f);
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-1.453152027f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(1.421413741f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-0.284496736f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(0.254829592f));
    __m512 tail = exp2_ps(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-1.44269504f)));
    y = _mm512_mul_ps(_mm512_mul_ps(y, t), _mm512_mul_ps(tail, _mm512_set1_ps(0.5f)));  // 1 - Phi(|x|)
    // x * Phi(x) = max(x, 0) - |x| * (1 - Phi(|x|))
    return _mm512_fnmadd_ps(_mm512_abs_ps(x), y, _mm512_max_ps(x, _mm512_setzero_ps()));
}

INLINE __m512 silu_ps(__m512 x) {
    __m512 tail = exp2_ps(_mm512_min_ps(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)), _mm512_set1_ps(126.0f)));
    return _mm512_div_ps(x, _mm512_add_ps(tail, _mm512_set1_ps(1.0f)));
}

// The row times a factor, rounded; returns the inverse factor. `count` is a multiple of 16.
INLINE float quantize_row(const float *row, int32_t count, int16_t *out) {
    __m512 squares = _mm512_setzero_ps(), largest = _mm512_setzero_ps();
    for (int32_t i = 0; i < count; i += LANES) {
        __m512 value = _mm512_loadu_ps(row + i);
        squares = _mm512_fmadd_ps(value, value, squares);
        largest = _mm512_max_ps(largest, _mm512_abs_ps(value));
    }
    float norm = sqrtf(_mm512_reduce_add_ps(squares)), limit = _mm512_reduce_max_ps(largest);
    float by_norm = norm / (INT32_ROOT - 1.0f - 0.5f * sqrtf((float)count)), by_limit = limit / INT16_LIMIT;
    float scale = by_norm > by_limit ? by_norm : by_limit;
    __m512 inverse = _mm512_set1_ps(scale > 1e-30f ? 1.0f / scale : 0.0f);
    for (int32_t i = 0; i < count; i += LANES) {
        __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(row + i), inverse));
        _mm256_storeu_si256((__m256i *)(out + i), _mm512_cvtsepi32_epi16(whole));
    }
    return scale;
}

INLINE void normalize_row(const float *row, int32_t count, const float *weight, const float *bias, float epsilon,
                          float *out) {
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int32_t i = 0; i < count; i += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(row + i));
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)count);
    for (int32_t i = 0; i < count; i += LANES) {
        __m512 centred = _mm512_sub_ps(_mm512_loadu_ps(row + i), mean);
        squares = _mm512_fmadd_ps(centred, centred, squares);
    }
    __m512 inverse = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)count + epsilon));
    for (int32_t i = 0; i < count; i += LANES) {
        __m512 centred = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(row + i), mean), inverse);
        _mm512_storeu_ps(out + i, _mm512_fmadd_ps(centred, _mm512_loadu_ps(weight + i), _mm512_loadu_ps(bias + i)));
    }
}

// -------------------------------------------------------------------------------------------------- matrix products

// Assembly and named variables, because GCC copies the operand of the intrinsic and so runs out of registers: with it
// this took twice as long.
INLINE void add_pairs(__m512i *sum, __m512i a, __m512i b) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

#define FOR_8_ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOR_6_ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

// `sum` = (8, 2 pairs) x (pairs, 48): rows of `a` lie `stride` apart.
INLINE void product_8x48(const int16_t *a, size_t stride, const int16_t *b, int32_t pairs, __m512i sum[ROWS][3]) {
    const __m512i zero = _mm512_setzero_si512();
    #define CLEAR(r) __m512i s##r##0 = zero, s##r##1 = zero, s##r##2 = zero; const int16_t *a##r = a + r * stride;
    #define STEP(r) { \
        int32_t pair; \
        memcpy(&pair, a##r + 2 * p, sizeof pair); \
        __m512i both = _mm512_set1_epi32(pair); \
        add_pairs(&s##r##0, both, b0); \
        add_pairs(&s##r##1, both, b1); \
        add_pairs(&s##r##2, both, b2); }
    #define STORE(r) sum[r][0] = s##r##0, sum[r][1] = s##r##1, sum[r][2] = s##r##2;
    FOR_8_ROWS(CLEAR)
    for (int32_t p = 0; p < pairs; p++, b += 2 * COLUMNS) {
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 32), b2 = _mm512_loadu_si512(b + 64);
        FOR_8_ROWS(STEP)
    }
    FOR_8_ROWS(STORE)
    #undef CLEAR
    #undef STEP
    #undef STORE
}

// `sum` = (6, 64) x (64, 64): rows of `a` lie 64 apart.
INLINE void product_6x64(const int16_t *a, const int16_t *b, __m512i sum[QUERIES][4]) {
    const __m512i zero = _mm512_setzero_si512();
    #define CLEAR(r) __m512i s##r##0 = zero, s##r##1 = zero, s##r##2 = zero, s##r##3 = zero;
    #define STEP(r) { \
        int32_t pair; \
        memcpy(&pair, a + r * 64 + 2 * p, sizeof pair); \
        __m512i both = _mm512_set1_epi32(pair); \
        add_pairs(&s##r##0, both, b0); \
        add_pairs(&s##r##1, both, b1); \
        add_pairs(&s##r##2, both, b2); \
        add_pairs(&s##r##3, both, b3); }
    #define STORE(r) sum[r][0] = s##r##0, sum[r][1] = s##r##1, sum[r][2] = s##r##2, sum[r][3] = s##r##3;
    FOR_6_ROWS(CLEAR)
    for (int p = 0; p < 32; p++, b += 128) {
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 32);
        __m512i b2 = _mm512_loadu_si512(b + 64), b3 = _mm512_loadu_si512(b + 96);
        FOR_6_ROWS(STEP)
    }
    FOR_6_ROWS(STORE)
    #undef CLEAR
    #undef STEP
    #undef STORE
}

// (ROWS, chunk) x one packed panel of 48 columns: `base` plus the product, or `out` plus it where there is no base.
INLINE void multiply_tile(const int16_t *a, const float *a_scale, const int16_t *panel, const float *scale,
                          const float *base, const Matrix *matrix, int32_t columns, float *out, int32_t valid_rows) {
    const int32_t chunks = matrix->inputs / matrix->chunk;
    __m512i sum[ROWS][3];
    product_8x48(a, (size_t)matrix->inputs, panel, matrix->chunk / 2, sum);
    UNROLL for (int v = 0; v < 3; v++) {
        if (v * LANES < columns) {
            __m512 by_column = _mm512_loadu_ps(scale + v * LANES);
            UNROLL for (int r = 0; r < ROWS; r++) {
                if (r < valid_rows) {
                    float *to = out + (size_t)r * matrix->outputs + v * LANES;
                    __m512 before = _mm512_loadu_ps(base ? base + v * LANES : to);
                    __m512 factor = _mm512_mul_ps(by_column, _mm512_set1_ps(a_scale[r * chunks]));
                    _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), factor, before));
                }
            }
        }
    }
}

// out (rows, outputs) = a (rows, inputs) x matrix + bias, or += that; `a` holds zeros up to a multiple of ROWS.
static void multiply(const int16_t *a, const float *a_scale, const Matrix *matrix, float *out, int32_t rows,
                     int32_t add) {
    const int32_t chunks = matrix->inputs / matrix->chunk;
    if (add) {
        for (int32_t row = 0; row < rows; row++) {
            for (int32_t i = 0; i < matrix->outputs; i += LANES) {
                float *to = out + (size_t)row * matrix->outputs + i;
                _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_loadu_ps(matrix->bias + i)));
            }
        }
    }
    for (int32_t c = 0; c < chunks; c++) {
        for (int32_t column = 0; column < matrix->outputs; column += COLUMNS) {
            size_t padded_column = (size_t)c * matrix->padded_outputs + column;
            const int16_t *panel = matrix->packed + padded_column * matrix->chunk;
            const float *base = c == 0 && !add ? matrix->bias + column : NULL;
            for (int32_t row = 0; row < rows; row += ROWS) {
                multiply_tile(a + (size_t)row * matrix->inputs + c * matrix->chunk, a_scale + row * chunks + c, panel,
                              matrix->scale + padded_column, base, matrix, matrix->outputs - column,
                              out + (size_t)row * matrix->outputs + column, rows - row);
            }
        }
    }
}

// Rows for `multiply`: each chunk of a row with its own scale.
INLINE void quantize_chunks(const float *row, const Matrix *matrix, int16_t *out, float *scale) {
    for (int32_t c = 0; c < matrix->inputs / matrix->chunk; c++) {
        scale[c] = quantize_row(row + c * matrix->chunk, matrix->chunk, out + c * matrix->chunk);
    }
}

// Zeros after the last row, up to a multiple of ROWS.
static void pad_rows(int32_t count, const Matrix *matrix, int16_t *out, float *scale) {
    const int32_t chunks = matrix->inputs / matrix->chunk;
    for (int32_t r = count; r % ROWS; r++) {
        memset(out + (size_t)r * matrix->inputs, 0, (size_t)matrix->inputs * sizeof(int16_t));
        memset(scale + r * chunks, 0, (size_t)chunks * sizeof(float));
    }
}

static void quantize_rows(const float *rows, int32_t count, const Matrix *matrix, int16_t *out, float *scale) {
    const int32_t chunks = matrix->inputs / matrix->chunk;
    for (int32_t r = 0; r < count; r++) {
        size_t at = (size_t)r * matrix->inputs;
        quantize_chunks(rows + at, matrix, out + at, scale + r * chunks);
    }
    pad_rows(count, matrix, out, scale);
}

// ------------------------------------------------------------------------------------- before attention: 64 tokens

INLINE void rotate(float *head, const float *cosine, const float *sine) {
    UNROLL for (int i = 0; i < HEAD / 2; i += LANES) {
        __m512 first = _mm512_loadu_ps(head + i), second = _mm512_loadu_ps(head + HEAD / 2 + i);
        __m512 c = _mm512_loadu_ps(cosine + i), s = _mm512_loadu_ps(sine + i);
        _mm512_storeu_ps(head + i, _mm512_fmsub_ps(first, c, _mm512_mul_ps(second, s)));
        _mm512_storeu_ps(head + HEAD / 2 + i, _mm512_fmadd_ps(second, c, _mm512_mul_ps(first, s)));
    }
}

static void pack_keys(const Forward *f, float *qkv, int32_t width, int32_t first, int32_t count, int32_t head) {
    int16_t *packed = f->key + ((size_t)head * f->padded_tokens + first) * HEAD;
    float *scale = f->key_scale + (size_t)head * f->padded_tokens + first;
    for (int32_t t = 0; t < TOKENS; t++) {
        int16_t row[HEAD] = {0};
        scale[t] = t < count ? quantize_row(qkv + (size_t)t * width, HEAD, row) : 0.0f;
        for (int c = 0; c < HEAD; c += 2) memcpy(packed + (c * TOKENS + 2 * t), row + c, 4);
    }
}

static void pack_values(const Forward *f, const float *values, int32_t width, int32_t first, int32_t count,
                        int32_t head) {
    int16_t *packed = f->value + ((size_t)head * f->padded_tokens + first) * HEAD;
    float *scale = f->value_scale + (size_t)head * f->padded_tokens + first;  // one per channel of this block
    for (int c = 0; c < HEAD; c += LANES) {
        __m512 largest = _mm512_setzero_ps();
        for (int32_t t = 0; t < count; t++) {
            largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_loadu_ps(values + (size_t)t * width + c)));
        }
        __m512 step = _mm512_max_ps(_mm512_mul_ps(largest, _mm512_set1_ps(1.0f / VALUE_LIMIT)), _mm512_set1_ps(1e-30f));
        __m512 inverse = _mm512_div_ps(_mm512_set1_ps(1.0f), step);
        _mm512_storeu_ps(scale + c, step);
        for (int32_t t = 0; t < TOKENS; t += 2) {
            __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
            const float *value = values + (size_t)t * width + c;
            if (t < count) even = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(value), inverse));
            if (t + 1 < count) odd = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(value + width), inverse));
            __m512i low = _mm512_and_si512(even, _mm512_set1_epi32(0xFFFF));
            __m512i pair = _mm512_or_si512(low, _mm512_slli_epi32(odd, 16));
            _mm512_storeu_si512((__m512i *)(packed + (size_t)t * HEAD + 2 * c), pair);
        }
    }
}

static void task_before(const Forward *f, int32_t index, char *scratch) {
    const Block *block = f->block;
    const int32_t dim = block->qkv.inputs, width = block->qkv.outputs, first = index * TOKENS;
    const int32_t count = f->tokens - first < TOKENS ? f->tokens - first : TOKENS;
    const int32_t chunks = dim / block->qkv.chunk;
    float *qkv = (float *)scratch, *scale = qkv + (size_t)TOKENS * width, *row = scale + TOKENS * chunks;
    int16_t *a = (int16_t *)(row + dim);
    for (int32_t t = 0; t < count; t++) {
        normalize_row(f->x + (size_t)(first + t) * dim, dim, block->norm1_weight, block->norm1_bias, block->epsilon,
                      row);
        quantize_chunks(row, &block->qkv, a + (size_t)t * dim, scale + t * chunks);
    }
    pad_rows(count, &block->qkv, a, scale);
    multiply(a, scale, &block->qkv, qkv, count, 0);
    for (int32_t head = 0; head < block->heads; head++) {
        for (int32_t t = 0; t < count; t++) {
            float *query = qkv + (size_t)t * width + head * HEAD;
            size_t token = (size_t)head * f->padded_tokens + first + t;
            size_t angle = (size_t)(first + t) * (HEAD / 2);
            rotate(query, f->cosine + angle, f->sine + angle);
            rotate(query + dim, f->cosine + angle, f->sine + angle);
            // 1 / sqrt(64), and log2(e) because the softmax works with powers of 2.
            f->query_scale[token] = quantize_row(query, HEAD, f->query + token * HEAD) * (0.125f * 1.44269504f);
        }
        pack_keys(f, qkv + dim + head * HEAD, width, first, count, head);
        pack_values(f, qkv + 2 * dim + head * HEAD, width, first, count, head);
    }
}

// -------------------------------------------------------------------------------------- attention: one head, 96 rows

// scores (rows, padded T) in powers of 2, and the largest of each row; keys beyond the last are -infinity.
static void score(const Forward *f, int32_t head, const int16_t *query, const float *query_scale, float *scores,
                  float *largest) {
    const int32_t rows = QUERIES * QUERY_TILES, padded = f->padded_tokens;
    __m512 best[QUERIES * QUERY_TILES];
    for (int r = 0; r < rows; r++) best[r] = _mm512_set1_ps(-INFINITY);
    for (int32_t block = 0; block < f->tokens; block += TOKENS) {
        const int16_t *key = f->key + ((size_t)head * padded + block) * HEAD;
        const float *key_scale = f->key_scale + (size_t)head * padded + block;
        int32_t valid = f->tokens - block;
        for (int tile = 0; tile < QUERY_TILES; tile++) {
            __m512i sum[QUERIES][4];
            product_6x64(query + tile * QUERIES * HEAD, key, sum);
            UNROLL for (int v = 0; v < 4; v++) {
                int32_t left = valid - v * LANES;
                __mmask16 mask = left >= LANES ? 0xFFFF : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
                __m512 by_key = _mm512_loadu_ps(key_scale + v * LANES);
                UNROLL for (int r = 0; r < QUERIES; r++) {
                    int row = tile * QUERIES + r;
                    __m512 factor = _mm512_mul_ps(by_key, _mm512_set1_ps(query_scale[row]));
                    __m512 value = _mm512_cvtepi32_ps(sum[r][v]);
                    value = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), mask, value, factor);
                    best[row] = _mm512_max_ps(best[row], value);
                    _mm512_storeu_ps(scores + (size_t)row * padded + block + v * LANES, value);
                }
            }
        }
    }
    for (int r = 0; r < rows; r++) largest[r] = _mm512_reduce_max_ps(best[r]);
}

// out (rows, 64) += softmax weights x values, unnormalised; totals are the sums of the rounded weights.
static void gather(const Forward *f, int32_t head, const float *scores, const float *largest, float *out,
                   int32_t *totals) {
    const int32_t rows = QUERIES * QUERY_TILES, padded = f->padded_tokens;
    int16_t weights[QUERIES * QUERY_TILES * TOKENS];
    __m512i total[QUERIES * QUERY_TILES];
    for (int r = 0; r < rows; r++) total[r] = _mm512_setzero_si512();
    for (int32_t block = 0; block < f->tokens; block += TOKENS) {
        const int16_t *value = f->value + ((size_t)head * padded + block) * HEAD;
        const float *value_scale = f->value_scale + (size_t)head * padded + block;
        for (int r = 0; r < rows; r++) {
            __m512 shift = _mm512_set1_ps((float)WEIGHT_BITS - largest[r]);
            UNROLL for (int v = 0; v < 4; v++) {
                __m512 power = _mm512_add_ps(_mm512_loadu_ps(scores + (size_t)r * padded + block + v * LANES), shift);
                __m512i weight = _mm512_cvtps_epi32(exp2_ps(_mm512_max_ps(power, _mm512_set1_ps(-100.0f))));
                total[r] = _mm512_add_epi32(total[r], weight);
                _mm256_storeu_si256((__m256i *)(weights + r * TOKENS + v * LANES), _mm512_cvtepi32_epi16(weight));
            }
        }
        for (int tile = 0; tile < QUERY_TILES; tile++) {
            __m512i sum[QUERIES][4];
            product_6x64(weights + tile * QUERIES * TOKENS, value, sum);
            UNROLL for (int v = 0; v < 4; v++) {
                __m512 scale = _mm512_loadu_ps(value_scale + v * LANES);
                UNROLL for (int r = 0; r < QUERIES; r++) {
                    float *to = out + (tile * QUERIES + r) * HEAD + v * LANES;
                    _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), scale, _mm512_loadu_ps(to)));
                }
            }
        }
    }
    for (int r = 0; r < rows; r++) totals[r] = _mm512_reduce_add_epi32(total[r]);
}

static void task_attention(const Forward *f, int32_t index, char *scratch) {
    const int32_t rows = QUERIES * QUERY_TILES, dim = f->block->qkv.inputs;
    const int32_t tasks = (f->tokens + QUERY_TASK - 1) / QUERY_TASK, head = index / tasks;
    float *scores = (float *)scratch;
    for (int32_t part = 0; part < QUERY_TASK; part += rows) {
        int32_t first = (index % tasks) * QUERY_TASK + part;
        int32_t count = f->tokens - first < rows ? f->tokens - first : rows;
        if (count <= 0) return;
        size_t token = (size_t)head * f->padded_tokens + first;
        float largest[QUERIES * QUERY_TILES], out[QUERIES * QUERY_TILES * HEAD] = {0};
        int32_t totals[QUERIES * QUERY_TILES];
        score(f, head, f->query + token * HEAD, f->query_scale + token, scores, largest);
        gather(f, head, scores, largest, out, totals);
        for (int32_t r = 0; r < count; r++) {
            __m512 inverse = _mm512_set1_ps(1.0f / (float)totals[r]);
            float *to = f->attended + (size_t)(first + r) * dim + head * HEAD;
            for (int c = 0; c < HEAD; c += LANES) {
                _mm512_storeu_ps(to + c, _mm512_mul_ps(_mm512_loadu_ps(out + r * HEAD + c), inverse));
            }
        }
    }
}

// -------------------------------------------------------------------------------------- after attention: 64 tokens

static void activate(float *hidden, int32_t rows, int32_t width, int32_t gated) {
    const int32_t half = width / 2;
    for (int32_t r = 0; r < rows; r++) {
        float *row = hidden + (size_t)r * width;
        // The gated rows are packed to the front: row r moves to r * half, never ahead of what is still to be read.
        for (int32_t i = 0; i < (gated ? half : width); i += LANES) {
            if (gated) {
                __m512 value = _mm512_mul_ps(silu_ps(_mm512_loadu_ps(row + i)), _mm512_loadu_ps(row + half + i));
                _mm512_storeu_ps(hidden + (size_t)r * half + i, value);
            } else {
                _mm512_storeu_ps(row + i, gelu_ps(_mm512_loadu_ps(row + i)));
            }
        }
    }
}

static void task_after(const Forward *f, int32_t index, char *scratch) {
    const Block *block = f->block;
    const int32_t dim = block->qkv.inputs, width = block->up.outputs, first = index * TOKENS;
    const int32_t count = f->tokens - first < TOKENS ? f->tokens - first : TOKENS;
    float *x = f->x + (size_t)first * dim, *hidden = (float *)scratch, *scale = hidden + (size_t)TOKENS * width;
    float *normal = scale + TOKENS * MAX_CHUNKS;
    int16_t *a = (int16_t *)(normal + (size_t)TOKENS * dim);
    quantize_rows(f->attended + (size_t)first * dim, count, &block->projection, a, scale);
    multiply(a, scale, &block->projection, x, count, 1);
    for (int32_t t = 0; t < count; t++) {
        normalize_row(x + (size_t)t * dim, dim, block->norm2_weight, block->norm2_bias, block->epsilon,
                      normal + (size_t)t * dim);
    }
    quantize_rows(normal, count, &block->up, a, scale);
    multiply(a, scale, &block->up, hidden, count, 0);
    activate(hidden, count, width, block->gated);
    quantize_rows(hidden, count, &block->down, a, scale);
    multiply(a, scale, &block->down, x, count, 1);
}

// --------------------------------------------------------------------------------------------------------- interface

static int32_t padded(int32_t tokens) {
    return (tokens + QUERY_TASK * 2 - 1) / (QUERY_TASK * 2) * (QUERY_TASK * 2);  // a multiple of 64 keys and 96 queries
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t scratch_bytes(const Block *block, int32_t tokens) {
    size_t dim = (size_t)block->qkv.inputs, width = (size_t)block->up.outputs;
    size_t before = TOKENS * 3 * dim * 4 + TOKENS * MAX_CHUNKS * 4 + dim * 4 + TOKENS * dim * 2;
    size_t widest = width > dim ? width : dim;
    size_t after = TOKENS * width * 4 + TOKENS * MAX_CHUNKS * 4 + TOKENS * dim * 4 + TOKENS * widest * 2;
    size_t attention = (size_t)QUERIES * QUERY_TILES * (size_t)padded(tokens) * 4;
    size_t most = before > after ? before : after;
    return aligned(attention > most ? attention : most);
}

// Raised with every change of the structures and layouts above: a library left from an older build is not used.
int32_t vit_int16_version(void) { return 1; }

int32_t vit_int16_supported(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

int64_t vit_int16_workspace_bytes(const Block *block, int32_t tokens, int32_t threads) {
    size_t all = (size_t)padded(tokens) * (size_t)block->qkv.inputs;
    size_t scales = (size_t)padded(tokens) * (size_t)block->heads;
    return (int64_t)(3 * aligned(all * 2) + 3 * aligned(scales * 4) + aligned(all * 4) +
                     scratch_bytes(block, tokens) * (size_t)threads + 64);
}

// x (tokens, D) through one block, in place. Angles (tokens, 32): cosine 1 and sine 0 leave a token as it is.
void vit_int16_block(const Block *block, float *x, const float *cosine, const float *sine, int32_t tokens,
                     char *workspace, int32_t threads) {
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    size_t all = (size_t)padded(tokens) * (size_t)block->qkv.inputs;
    size_t scales = (size_t)padded(tokens) * (size_t)block->heads;
    Forward f = {.block = block, .x = x, .cosine = cosine, .sine = sine, .tokens = tokens};
    f.padded_tokens = padded(tokens);
    char *at = (char *)aligned((size_t)workspace);
    f.query = (int16_t *)at, at += aligned(all * 2);
    f.key = (int16_t *)at, at += aligned(all * 2);
    f.value = (int16_t *)at, at += aligned(all * 2);
    f.query_scale = (float *)at, at += aligned(scales * 4);
    f.key_scale = (float *)at, at += aligned(scales * 4);
    f.value_scale = (float *)at, at += aligned(scales * 4);
    f.attended = (float *)at, at += aligned(all * 4);
    f.scratch = at;
    f.scratch_bytes = scratch_bytes(block, tokens);
    int32_t groups = (tokens + TOKENS - 1) / TOKENS;
    run_parallel(&f, task_before, groups, threads);
    run_parallel(&f, task_attention, block->heads * ((tokens + QUERY_TASK - 1) / QUERY_TASK), threads);
    run_parallel(&f, task_after, groups, threads);
}

// Linkers of some systems demand it of an extension module; models/int16_library.py calls the rest through ctypes.
void *PyInit_vit_int16(void) { return NULL; }
