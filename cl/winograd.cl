// Convolutions 3 x 3 x 3 of voxels that come as whole blocks of 2 x 2 x 2, children of
// parents, by minimal filtering: F(2 x 2 x 2, 3 x 3 x 3), after Winograd; Lavin and Gray
// 2016, "Fast Algorithms for Convolutional Neural Networks", section 4. Of the 4 x 4 x 4
// places around a parent's children PLACES^3 rows are made, each is multiplied by weights
// of its own (cl/weight.cl, pack_winograd), and the eight results are sums of products.
//
// Along an axis, with d the values at places 0 to 3, of which the children are at 1 and
// 2, w the weights and m the products:
//
//   rows     d0 - d2, d1 + d2, d2 - d1, d1 - d3
//   weights  w0, (w0 + w1 + w2) / 2, (w0 - w1 + w2) / 2, w2
//   results  m0 + m1 + m2, m1 - m2 - m3
//
// DOUBLED: children all have their parent's value, which is there once. So the third
// product is none, and the second is d1 (w0 + w1 + w2): PLACES is 3.
//
// index [rows][27] has the parents' neighbours; what is missing is zero. Children are
// rows 8 parent + octant, x in the highest bit. Defines: DOUBLED, 0 or 1.
#include "common.clh"

#if DOUBLED
#define PLACES 3
#else
#define PLACES 4
#endif

// On CPUs a work-item goes through all columns, 16 at a time as far as there are so many.
#if TESS_CPU
#define EACH_COLUMN(X, columns)                                                          \
    u32 c = 0;                                                                           \
    for (; c + 16 <= (columns); c += 16)                                                 \
        X(float16);                                                                      \
    for (; c < (columns); c++)                                                           \
        X(float);
#else
#define EACH_COLUMN(X, columns)                                                          \
    const u32 c = get_global_id(0);                                                      \
    if (c < (columns))                                                                   \
        X(float);
#endif

static inline float load_float(global const float *p)
{
    return *p;
}

static inline void store_float(float x, global float *p)
{
    *p = x;
}

#define load_float16(p)     tess_load16_any(p)
#define store_float16(x, p) tess_store16_any(x, p)

// The row at a place along each axis, or NO_ROW. With DOUBLED places are parents.
static inline u32 row_at(global const u32 *index, u32 x, u32 y, u32 z)
{
#if DOUBLED
    return index[x * 9 + y * 3 + z];
#else
    const u32 from = index[(x + 1) / 2 * 9 + (y + 1) / 2 * 3 + (z + 1) / 2];
    const u32 octant = (x + 1) % 2 * 4 + (y + 1) % 2 * 2 + (z + 1) % 2;
    return (from == NO_ROW ? NO_ROW : from * 8) | octant;
#endif
}

// Row t along an axis is the value at one place, and plus or minus that at another.
struct pair {
    u32 first, second;
    float sign; // 0: the first one alone
};

static inline struct pair pair_of(u32 t)
{
#if DOUBLED
    return (struct pair){min(t, 1u), t == 0 ? 1 : t, t == 1 ? 0.0f : -1.0f};
#else
    return (struct pair){t == 2 ? 2 : min(t, 1u), t == 2 ? 1 : max(t, 2u),
                         t == 1 ? 1.0f : -1.0f};
#endif
}

// Of the four rows at place z that x and y ask for. No branches: the wrong row is read
// where there is none, and its bits are cleared.
#define DEFINE_ADD_UP(T, INT, AS_INT, AS_T)                                              \
    static inline T value_##T(global const float *in, u32 row, u32 own, u32 c, u32 C)    \
    {                                                                                    \
        const bool none = row == NO_ROW;                                                 \
        const T x = load_##T(in + (size_t)(none ? own : row) * C + c);                   \
        return AS_T(AS_INT(x) & (INT)(none ? 0 : -1));                                   \
    }                                                                                    \
    static inline T add_up_##T(global const float *in, global const u32 *index,          \
                               struct pair x, struct pair y, u32 z, u32 own, u32 c,      \
                               u32 C)                                                    \
    {                                                                                    \
        const T a = value_##T(in, row_at(index, x.first, y.first, z), own, c, C);        \
        const T b = value_##T(in, row_at(index, x.first, y.second, z), own, c, C);       \
        const T d = value_##T(in, row_at(index, x.second, y.first, z), own, c, C);       \
        const T e = value_##T(in, row_at(index, x.second, y.second, z), own, c, C);      \
        return fma((T)x.sign, fma((T)y.sign, e, d), fma((T)y.sign, b, a));               \
    }

DEFINE_ADD_UP(float, int, as_int, as_float)
#if TESS_CPU
DEFINE_ADD_UP(float16, int16, as_int16, as_float16)
#endif

// out [PLACES^3][rows][C], of the blocks [first, first + rows). Work-items: (C, PLACES^2,
// rows).
kernel void winograd_rows(global float *restrict out, global const float *restrict in,
                          global const u32 *restrict index, u32 first, u32 rows, u32 C)
{
    const u32 xy = get_global_id(1), row = get_global_id(2);
    if (xy >= PLACES * PLACES || row >= rows)
        return;
    const struct pair x = pair_of(xy / PLACES), y = pair_of(xy % PLACES);
    const size_t step = (size_t)rows * C;
    global float *to = out + xy * PLACES * step + (size_t)row * C;
    index += (size_t)(first + row) * 27;
    const u32 own = row_at(index, 1, 1, 1);
#define MAKE(T)                                                                          \
    {                                                                                    \
        const T d0 = add_up_##T(in, index, x, y, 0, own, c, C);                          \
        const T d1 = add_up_##T(in, index, x, y, 1, own, c, C);                          \
        const T d2 = add_up_##T(in, index, x, y, 2, own, c, C);                          \
        MAKE_LAST(T)                                                                     \
    }
#if DOUBLED
#define MAKE_LAST(T)                                                                     \
    store_##T(d0 - d1, to + c);                                                          \
    store_##T(d1, to + step + c);                                                        \
    store_##T(d1 - d2, to + 2 * step + c);
#else
#define MAKE_LAST(T)                                                                     \
    const T d3 = add_up_##T(in, index, x, y, 3, own, c, C);                              \
    store_##T(d0 - d2, to + c);                                                          \
    store_##T(d1 + d2, to + step + c);                                                   \
    store_##T(d2 - d1, to + 2 * step + c);                                               \
    store_##T(d1 - d3, to + 3 * step + c);
#endif
    EACH_COLUMN(MAKE, C)
}

// The sum, along y and then x, of the products at place z that child (x, y) has a share
// in.
#if DOUBLED
#define ALONG_Y(T, p) fma((T)sy, load_##T((p) + line), load_##T(p))
#define ALONG_X(T, p) fma((T)sx, ALONG_Y(T, (p) + plane), ALONG_Y(T, p))
#else
#define ALONG_Y(T, p)                                                                    \
    fma((T)sy, load_##T((p) + line) + load_##T((p) + 2 * line), load_##T(p))
#define ALONG_X(T, p)                                                                    \
    fma((T)sx, ALONG_Y(T, (p) + plane) + ALONG_Y(T, (p) + 2 * plane), ALONG_Y(T, p))
#endif

// out[8 block + octant] = sums of products [PLACES^3][rows][C] + bias + residual[block],
// of the blocks [first, first + rows). Work-items: (C, 4, rows).
kernel void winograd_sums(global float *restrict out,
                          global const float *restrict products,
                          global const float *restrict bias,
                          global const float *restrict residual, u32 first, u32 rows,
                          u32 C, u32 has_bias, u32 has_residual)
{
    const u32 xy = get_global_id(1), row = get_global_id(2), x = xy / 2, y = xy % 2;
    if (xy >= 4 || row >= rows)
        return;
    const float sx = x ? -1.0f : 1.0f, sy = y ? -1.0f : 1.0f;
    const size_t step = (size_t)rows * C, line = PLACES * step, plane = PLACES * line;
    global const float *from = products + x * plane + y * line + (size_t)row * C;
    global float *to = out + ((size_t)(first + row) * 8 + xy * 2) * C;
    residual += (size_t)(first + row) * C;
#define SUM(T)                                                                           \
    {                                                                                    \
        const T m0 = ALONG_X(T, from + c), m1 = ALONG_X(T, from + step + c),             \
                m2 = ALONG_X(T, from + 2 * step + c);                                    \
        T more = 0;                                                                      \
        if (has_bias)                                                                    \
            more += load_##T(bias + c);                                                  \
        if (has_residual)                                                                \
            more += load_##T(residual + c);                                              \
        SUM_LAST(T)                                                                      \
    }
#if DOUBLED
#define SUM_LAST(T)                                                                      \
    store_##T(m0 + m1 + more, to + c);                                                   \
    store_##T(m1 - m2 + more, to + C + c);
#else
#define SUM_LAST(T)                                                                      \
    const T m3 = ALONG_X(T, from + 3 * step + c);                                        \
    store_##T(m0 + (m1 + m2) + more, to + c);                                            \
    store_##T(m1 - (m2 + m3) + more, to + C + c);
#endif
    EACH_COLUMN(SUM, C)
}
