// Charts as bits: at each scale that is tried they are drawn into masks of cells, and
// placed where the mask, a cell wider on all sides, meets no bit of the square that is
// taken. 64 places are tried at once, and none in rows that have no room for a rectangle
// that lies in the mask. The scale is found by bisection.
#include "geom/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/chart_directions.h"

#define HALVINGS   12 // of the scale at which charts would fill the square
#define BISECTIONS 7
#define SIDE_MAX   16 // cells, of rectangles that tell how low a chart may lie

// Cells of a chart, with a frame of one cell around them.
struct mask {
    uint32_t width, height, words; // words a row
    uint64_t *bits;                // [height][words]
    size_t capacity;
};

// Bits of a mask side by side, 1 to 64 of them.
struct run {
    uint32_t row, first, count;
};

struct rectangle {
    uint32_t width, height;
    uint32_t row; // of its lower side
};

struct job {
    struct tess_env *env;
    const struct tess_charts *charts;
    size_t faces;
    uint32_t cells, words;    // of the square and of its rows, frame included
    uint64_t *taken;          // [cells + 2][words]
    struct mask inner, outer; // a chart, and with its frame
    struct run *runs;         // of the outer mask
    size_t run_count, run_capacity;
    // Below this row there is no room for a rectangle of such a width and height.
    uint32_t lowest[SIDE_MAX + 1][SIDE_MAX + 1];
    uint32_t *sorted, *starts, *order;
    double (*extents)[2]; // of the charts
    struct tess_place *places;
};

// ---- masks ----

static enum tess_status reset_mask(struct mask *mask, struct tess_env *env,
                                   uint32_t width, uint32_t height)
{
    mask->width = width;
    mask->height = height;
    mask->words = (width + 63) / 64;
    size_t count = (size_t)mask->words * height;
    TESS_TRY(
        tess_grow(&mask->bits, &mask->capacity, env, count, sizeof *mask->bits, "masks"));
    memset(mask->bits, 0, count * sizeof *mask->bits);
    return TESS_OK;
}

static void set_bits(uint64_t *row, uint32_t first, uint32_t last)
{
    for (uint32_t x = first; x <= last; x++)
        row[x / 64] |= (uint64_t)1 << (x % 64);
}

static void extend(double range[2], double x)
{
    range[0] = fmin(range[0], x);
    range[1] = fmax(range[1], x);
}

// The x of a triangle's points with y in [low, low + 1]. False: there are none.
static bool strip_range(double range[2], double (*t)[2], double low)
{
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (int i = 0; i < 3; i++) {
        const double *p = t[i], *q = t[(i + 1) % 3];
        if (p[1] >= low && p[1] <= low + 1)
            extend(range, p[0]);
        for (int k = 0; k < 2; k++) {
            double y = low + k;
            if ((p[1] < y) != (q[1] < y))
                extend(range, p[0] + (q[0] - p[0]) * (y - p[1]) / (q[1] - p[1]));
        }
    }
    return range[0] <= range[1];
}

static uint32_t cell_at(double x, uint32_t count)
{
    return x <= 0 ? 0 : x >= count ? count - 1 : (uint32_t)x;
}

static void draw_triangle(struct mask *mask, double (*t)[2])
{
    uint32_t width = mask->width - 2, height = mask->height - 2; // without the frame
    double low = fmin(t[0][1], fmin(t[1][1], t[2][1]));
    double high = fmax(t[0][1], fmax(t[1][1], t[2][1]));
    for (uint32_t y = cell_at(low, height); y <= cell_at(high, height); y++) {
        double range[2];
        if (strip_range(range, t, y))
            set_bits(mask->bits + (size_t)(y + 1) * mask->words,
                     cell_at(range[0], width) + 1, cell_at(range[1], width) + 1);
    }
}

// row = from, or-ed with itself one bit further to each side.
static void widen_row(uint64_t *row, const uint64_t *from, size_t words)
{
    for (size_t w = 0; w < words; w++) {
        uint64_t before = w ? from[w - 1] >> 63 : 0;
        uint64_t after = w + 1 < words ? from[w + 1] << 63 : 0;
        row[w] |= from[w] | from[w] << 1 | before | from[w] >> 1 | after;
    }
}

static enum tess_status draw_chart(struct job *job, size_t chart, double scale,
                                   bool turned)
{
    const double *extent = job->extents[chart];
    uint32_t width = (uint32_t)(extent[turned] * scale) + 3;
    uint32_t height = (uint32_t)(extent[!turned] * scale) + 3;
    TESS_TRY(reset_mask(&job->inner, job->env, width, height));
    TESS_TRY(reset_mask(&job->outer, job->env, width, height));
    for (uint32_t i = job->starts[chart]; i < job->starts[chart + 1]; i++) {
        double(*flat)[2] = job->charts->flat + 3 * (size_t)job->sorted[i], t[3][2];
        for (size_t k = 0; k < 3; k++) {
            t[k][0] = (turned ? extent[1] - flat[k][1] : flat[k][0]) * scale;
            t[k][1] = (turned ? flat[k][0] : flat[k][1]) * scale;
        }
        draw_triangle(&job->inner, t);
    }
    size_t words = job->inner.words;
    for (size_t y = 1; y + 1 < height; y++)
        for (size_t to = y - 1; to <= y + 1; to++)
            widen_row(job->outer.bits + to * words, job->inner.bits + y * words, words);
    return TESS_OK;
}

// ---- places ----

// 64 bits of a row of the square from bit x on; 0 beyond its end.
static uint64_t bits_at(const uint64_t *row, uint32_t x, uint32_t words)
{
    uint32_t word = x / 64, shift = x % 64;
    uint64_t bits = word < words ? row[word] >> shift : 0;
    if (shift && word + 1 < words)
        bits |= row[word + 1] << (64 - shift);
    return bits;
}

static enum tess_status find_runs(struct job *job)
{
    const struct mask *mask = &job->outer;
    job->run_count = 0;
    for (uint32_t row = 0; row < mask->height; row++) {
        const uint64_t *bits = mask->bits + (size_t)row * mask->words;
        for (uint32_t x = 0, count; x < mask->width; x += count + !count) {
            for (count = 0; count < 64 && x + count < mask->width; count++)
                if (!(bits[(x + count) / 64] >> ((x + count) % 64) & 1))
                    break;
            if (count == 0)
                continue;
            TESS_TRY(tess_grow(&job->runs, &job->run_capacity, job->env,
                               job->run_count + 1, sizeof *job->runs, "masks"));
            job->runs[job->run_count++] = (struct run){row, x, count};
        }
    }
    return TESS_OK;
}

// Bit i: whether one of `count` bits from x + i on is set.
static uint64_t any_of(const uint64_t *row, uint32_t x, uint32_t words, uint32_t count)
{
    uint64_t low = bits_at(row, x, words);
    if (count == 1)
        return low;
    uint64_t high = bits_at(row, x + 64, words);
    for (uint32_t done = 1; done < count;) {
        uint32_t step = count - done < done ? count - done : done;
        low |= low >> step | high << (64 - step);
        high |= high >> step;
        done += step;
    }
    return low;
}

// Of the 64 places from (x, y) to the right, those at which the mask meets what is taken.
static uint64_t blocked_places(const struct job *job, uint32_t x, uint32_t y)
{
    uint64_t blocked = 0;
    for (size_t i = 0; i < job->run_count && ~blocked; i++) {
        const struct run *run = &job->runs[i];
        blocked |= any_of(job->taken + (size_t)(y + run->row) * job->words,
                          x + run->first, job->words, run->count);
    }
    return blocked;
}

// A large rectangle of set bits in the outer mask: of all that lie in its first 64
// columns and have no side above SIDE_MAX, the largest, and of these the lowest.
static struct rectangle find_rectangle(const struct job *job)
{
    const struct mask *mask = &job->outer;
    struct rectangle best = {0};
    for (uint32_t y = 0; y < mask->height; y++) {
        uint64_t bits = UINT64_MAX; // of all rows from y on so far
        for (uint32_t height = 1;
             height <= SIDE_MAX && y + height <= mask->height && bits; height++)
        {
            bits &= mask->bits[(size_t)(y + height - 1) * mask->words];
            uint32_t width = 0;
            for (uint64_t run = bits; run && width < SIDE_MAX; run &= run >> 1)
                width++;
            if (width * height > best.width * best.height)
                best = (struct rectangle){width, height, y};
        }
    }
    return best;
}

// The lowest row in which the rectangle is free. Places are only taken, so it rises until
// all are given back.
static uint32_t lowest_row(struct job *job, struct rectangle of)
{
    uint32_t *y = &job->lowest[of.width][of.height], all = job->cells + 1;
    for (; *y + of.height <= all; ++*y)
        for (uint32_t x = 0; x + of.width <= all; x += 64) {
            uint64_t blocked = 0;
            for (uint32_t row = 0; row < of.height && ~blocked; row++)
                blocked |= any_of(job->taken + (size_t)(*y + row) * job->words, x,
                                  job->words, of.width);
            uint32_t places = all - of.width - x + 1;
            if (~blocked & (places < 64 ? ((uint64_t)1 << places) - 1 : UINT64_MAX))
                return *y;
        }
    return *y;
}

// The lowest place, and there the one most to the left, that is below row `end`. The last
// column and row of the square stay free.
static enum tess_status find_place(bool *found, struct tess_place *out, struct job *job,
                                   uint32_t end)
{
    uint32_t width = job->outer.width - 2, height = job->outer.height - 2;
    *found = false;
    if (width + 1 > job->cells || height + 1 > job->cells)
        return TESS_OK;
    TESS_TRY(find_runs(job));
    struct rectangle part = find_rectangle(job);
    uint32_t rows = job->cells - height, columns = job->cells - width;
    uint32_t least = lowest_row(job, part);
    for (uint32_t y = least > part.row ? least - part.row : 0; y < rows && y < end; y++)
        for (uint32_t x = 0; x < columns; x += 64) {
            uint64_t blocked = blocked_places(job, x, y);
            uint32_t i = 0;
            while (i < 64 && blocked >> i & 1)
                i++;
            if (i < 64 && x + i < columns) {
                *out = (struct tess_place){x + i, y, false};
                *found = true;
                return TESS_OK;
            }
        }
    return TESS_OK;
}

static void take_place(struct job *job, struct tess_place place)
{
    const struct mask *mask = &job->inner;
    for (uint32_t row = 0; row < mask->height; row++) {
        uint64_t *taken = job->taken + (size_t)(place.y + row) * job->words;
        const uint64_t *bits = mask->bits + (size_t)row * mask->words;
        for (uint32_t x = 0; x < mask->width; x++)
            if (bits[x / 64] >> (x % 64) & 1)
                set_bits(taken, place.x + x, place.x + x);
    }
}

static enum tess_status place_chart(bool *fits, struct job *job, size_t chart,
                                    double scale)
{
    struct tess_place upright, turned;
    bool first, second;
    TESS_TRY(draw_chart(job, chart, scale, true));
    TESS_TRY(find_place(&second, &turned, job, UINT32_MAX));
    TESS_TRY(draw_chart(job, chart, scale, false));
    TESS_TRY(find_place(&first, &upright, job, second ? turned.y + 1 : UINT32_MAX));
    *fits = first || second;
    if (!*fits)
        return TESS_OK;
    if (first && second)
        second = turned.y < upright.y || (turned.y == upright.y && turned.x < upright.x);
    job->places[chart] = second ? turned : upright;
    job->places[chart].turned = second;
    if (second)
        TESS_TRY(draw_chart(job, chart, scale, true));
    take_place(job, job->places[chart]);
    return TESS_OK;
}

// ---- scale ----

static enum tess_status try_scale(bool *fits, struct job *job, double scale)
{
    memset(job->taken, 0, (size_t)(job->cells + 2) * job->words * sizeof *job->taken);
    memset(job->lowest, 0, sizeof job->lowest);
    *fits = true;
    for (size_t i = 0; i < job->charts->count && *fits; i++)
        TESS_TRY(place_chart(fits, job, job->order[i], scale));
    return tess_env_check(job->env);
}

static enum tess_status find_scale(double *out, bool *found, struct job *job, double area)
{
    double high = area > 0 ? job->cells / sqrt(area) : 1, low = high;
    bool fits = false;
    for (int i = 0; i < HALVINGS && !fits; i++) {
        high = low;
        low /= 2;
        TESS_TRY(try_scale(&fits, job, low));
    }
    *found = fits;
    if (!fits)
        return TESS_OK;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        TESS_TRY(try_scale(&fits, job, middle));
        *(fits ? &low : &high) = middle;
    }
    *out = low;
    return try_scale(&fits, job, low);
}

// Largest first, by the longer side of its box; equal ones in their order.
struct rank {
    double side;
    uint32_t chart;
};

static int compare_ranks(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->side != y->side)
        return x->side > y->side ? -1 : 1;
    return (x->chart > y->chart) - (x->chart < y->chart);
}

static enum tess_status sort_charts(struct job *job)
{
    struct rank *ranks = NULL;
    size_t count = job->charts->count;
    TESS_TRY(tess_alloc(&ranks, job->env, count, sizeof *ranks, "charts"));
    for (size_t c = 0; c < count; c++)
        ranks[c] =
            (struct rank){fmax(job->extents[c][0], job->extents[c][1]), (uint32_t)c};
    qsort(ranks, count, sizeof *ranks, compare_ranks);
    for (size_t i = 0; i < count; i++)
        job->order[i] = ranks[i].chart;
    free(ranks);
    return TESS_OK;
}

// Returns the area of all charts.
static double measure_charts(struct job *job)
{
    double area = 0;
    for (size_t f = 0; f < job->faces; f++) {
        double(*t)[2] = job->charts->flat + 3 * f;
        double *extent = job->extents[job->charts->of_face[f]];
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < 2; k++)
                extent[k] = fmax(extent[k], t[i][k]);
        area += ((t[1][0] - t[0][0]) * (t[2][1] - t[0][1]) -
                 (t[1][1] - t[0][1]) * (t[2][0] - t[0][0])) /
                2;
    }
    return area;
}

static enum tess_status pack(double *scale, bool *found, struct job *job)
{
    struct tess_env *env = job->env;
    const struct tess_charts *charts = job->charts;
    size_t count = charts->count;
    TESS_TRY(tess_alloc(&job->taken, env, (size_t)(job->cells + 2) * job->words,
                        sizeof *job->taken, "a packing"));
    TESS_TRY(tess_alloc(&job->sorted, env, job->faces, sizeof *job->sorted, "charts"));
    TESS_TRY(tess_alloc(&job->starts, env, count + 1, sizeof *job->starts, "charts"));
    TESS_TRY(tess_alloc(&job->order, env, count, sizeof *job->order, "charts"));
    TESS_TRY(tess_alloc(&job->extents, env, count, sizeof *job->extents, "charts"));
    TESS_TRY(tess_alloc(&job->places, env, count, sizeof *job->places, "charts"));
    tess_sort_by_group(job->sorted, job->starts, charts->of_face, job->faces, count);
    double area = measure_charts(job);
    TESS_TRY(sort_charts(job));
    return find_scale(scale, found, job, area);
}

enum tess_status tess_charts_pack(struct tess_packing *out, bool *found,
                                  struct tess_env *env, const struct tess_charts *charts,
                                  size_t faces, uint32_t cells)
{
    struct job job = {.env = env,
                      .charts = charts,
                      .faces = faces,
                      .cells = cells,
                      .words = (cells + 2 + 63) / 64};
    double scale = 0;
    enum tess_status status = pack(&scale, found, &job);
    if (!status && *found) {
        *out = (struct tess_packing){scale, job.places};
        job.places = NULL;
    }
    free(job.taken);
    free(job.sorted);
    free(job.starts);
    free(job.order);
    free(job.extents);
    free(job.places);
    free(job.inner.bits);
    free(job.outer.bits);
    free(job.runs);
    return status;
}

void tess_packing_clear(struct tess_packing *packing)
{
    free(packing->places);
    memset(packing, 0, sizeof *packing);
}
