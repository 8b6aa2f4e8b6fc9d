// Triangles, in tiles of 16 x 16 samples: coverage in whole numbers, depth and attributes
// by planes. As pictures, and as words: what is seen at a sample is told by the nearest
// triangle's number or depth.
//
// A triangle, 36 words: corners x0 x1 x2 y0 y1 y2 in 1/256 samples (int), in the order in
// which the edge functions are positive inside; then planes (value at corner 0, slope in
// x, slope in y) of 1/z, l1/z and l2/z, where l1 and l2 are the weights of the face's
// second and third vertex; least and largest 1/z; an unused word; colours of the three
// vertices; their normals. Words need 12: corners, the plane of 1/z, least and largest
// 1/z, the number of its face (int).
//
// Edges have 26 bits and their products 52, so the edge functions at a tile's first
// sample are 64 bits wide. From there to other samples they change by whole multiples of
// 256 that have 32 bits: so the rest is done without the lowest 8 bits, and the start is
// cut to a number that is only as large as its sign needs.
//
// The state of a sample is red (or the number of the face, int), green, blue, and 1/z of
// the nearest triangle so far, 0 for none. Of triangles at the same depth the first one
// stays.
#include "common.clh"
#include "tiles.clh"

#define RECORD      36
#define WORD_RECORD 12
#define BATCH       64
#define SUBSAMPLES  256
#define FAR_START   (1 << 30)
#define SHORT       (1 << 14) // of 1/256 samples
#define AHEAD       6         // records fetched early
#define LOOK_EVERY  4         // triangles: to find the farthest sample takes some of one
#define NOTHING     ~0u       // as a number

enum { PLANES = 6, LEAST = 15, MOST = 16, COLOURS = 18, NORMALS = 27 };
enum { WORD_PLANE = 6, WORD_LEAST = 9, WORD_MOST = 10, WORD_NUMBER = 11 };
enum {
    CHANNEL_COLOUR,
    CHANNEL_FLAT,
    CHANNEL_NORMAL,
    CHANNEL_DEPTH,
    CHANNEL_ALPHA // as colours
};

#if TESS_CPU
// Samples of a row that are drawn together. Where a register holds no more than 8, a tile
// has its left half drawn, then its right one: many triangles are in one of them only.
#ifdef __AVX512F__
#define LANES        16
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define ANY          tess_any16
#define CONVERT      convert_float16
#define AS_LANES     as_float16
#define AS_ILANES    as_int16
#define STORE        vstore16
typedef float16 lanes;
typedef int16 ilanes;
#else
#define LANES        8
#define LANE_NUMBERS (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#define ANY          tess_any8
#define CONVERT      convert_float8
#define AS_LANES     as_float8
#define AS_ILANES    as_int8
#define STORE        vstore8
typedef float8 lanes;
typedef int8 ilanes;
#endif
#define PARTS (TILE / LANES) // of a row
#else
typedef float lanes;
#endif

// What all samples of a tile share. Edge e is from corner e to the next one.
struct setup {
    int start[3], dx[3], dy[3];
    float x, y; // of the tile's first sample, from corner 0, in samples
};

static inline struct setup set_up(global const int *r, int tile_x, int tile_y)
{
    struct setup t;
    for (int e = 0; e < 3; e++) {
        const int next = e == 2 ? 0 : e + 1;
        const int dx = r[next] - r[e], dy = r[3 + next] - r[3 + e];
        long start = (long)dx * (tile_y - r[3 + e]) - (long)dy * (tile_x - r[e]);
        // A sample on an edge belongs to one of the two triangles there: the edge runs
        // the other way in the other one.
        start -= dy < 0 || (dy == 0 && dx > 0) ? 0 : 1;
        start = clamp(start >> 8, (long)-FAR_START, (long)FAR_START);
        t.start[e] = (int)start;
        t.dx[e] = dx;
        t.dy[e] = dy;
    }
    t.x = (float)(tile_x - r[0]) * (1.0f / SUBSAMPLES);
    t.y = (float)(tile_y - r[3]) * (1.0f / SUBSAMPLES);
    return t;
}

#if TESS_CPU
// The samples of a tile, along one axis, that a triangle may cover: none where `last` is
// less than `first`.
struct range {
    int first, last;
};

static inline struct range find_range(global const int *corners, int tile)
{
    const int low = min(corners[0], min(corners[1], corners[2])) - tile;
    const int high = max(corners[0], max(corners[1], corners[2])) - tile;
    return (struct range){max(0, (low + SUBSAMPLES - 1) >> 8), min(TILE - 1, high >> 8)};
}

// The edge functions at a tile's first sample, and the edges.
struct edges {
    int4 start, dx, dy;
};

// The tile is one that the triangle may cover, so it is near: edges that are short need
// no more than 32 bits.
static inline struct edges edges_of(global const int *r, int tile_x, int tile_y)
{
    const int4 corner_x = vload4(0, r), corner_y = vload4(0, r + 3);
    const int4 dx = corner_x.s1203 - corner_x, dy = corner_y.s1203 - corner_y;
    const uint4 size = abs(dx) | abs(dy);
    int4 start;
    if ((size.x | size.y | size.z) < SHORT) {
        start = dx * (tile_y - corner_y) - dy * (tile_x - corner_x);
        start = (start - 1 - ((dy < 0) | ((dy == 0) & (dx > 0)))) >> 8;
    } else {
        const struct setup t = set_up(r, tile_x, tile_y);
        start = (int4)(t.start[0], t.start[1], t.start[2], 0);
    }
    return (struct edges){start, dx, dy};
}

// The edge functions along a part of a row.
struct part {
    ilanes a, b, c;
};

static inline struct part part_at(const struct edges *e, ilanes x, int y)
{
    const int4 start = e->start + e->dx * y;
    return (struct part){start.x - e->dy.x * x, start.y - e->dy.y * x,
                         start.z - e->dy.z * x};
}

static inline void next_row(struct part *part, const struct edges *e)
{
    part->a += e->dx.x;
    part->b += e->dx.y;
    part->c += e->dx.z;
}

// Distances from corner 0 to the samples of a row, and to the tile's first row.
static inline lanes distances_x(global const int *r, ilanes x, int tile_x)
{
    return (float)(tile_x - r[0]) * (1.0f / SUBSAMPLES) + CONVERT(x);
}

static inline float distance_y(global const int *r, int tile_y)
{
    return (float)(tile_y - r[3]) * (1.0f / SUBSAMPLES);
}
#else
static inline bool is_inside(const struct setup *t, int x, int y)
{
    const int a = t->start[0] + t->dx[0] * y - t->dy[0] * x;
    const int b = t->start[1] + t->dx[1] * y - t->dy[1] * x;
    const int c = t->start[2] + t->dx[2] * y - t->dy[2] * x;
    return (a | b | c) >= 0;
}
#endif

static inline lanes plane_at(global const float *plane, lanes x, float y)
{
    return fma((lanes)plane[1], x, (lanes)fma(plane[2], y, plane[0]));
}

static inline lanes mix3(global const float *values, lanes l0, lanes l1, lanes l2)
{
    return fma((lanes)values[0], l0, fma((lanes)values[3], l1, values[6] * l2));
}

// A light from the front and above, one from the camera, and some from the sky. The sum
// is about 1 where the surface looks towards both.
static inline lanes shade(lanes nx, lanes ny, lanes nz, float4 key, float4 head)
{
    const lanes k = fma((lanes)key.x, nx, fma((lanes)key.y, ny, key.z * nz));
    const lanes h = fma((lanes)head.x, nx, fma((lanes)head.y, ny, head.z * nz));
    return fma((lanes)0.30f, fmax(k, 0.0f),
               fma((lanes)0.30f, fmax(h, 0.0f), fma((lanes)0.08f, nz, (lanes)0.50f)));
}

// What is seen of a triangle at (x, y) from corner 0.
static inline void look_at(lanes *red, lanes *green, lanes *blue, global const float *r,
                           lanes x, float y, lanes inverse_z, float4 key, float4 head,
                           u32 channel)
{
    const lanes z = 1.0f / inverse_z;
    if (channel == CHANNEL_DEPTH) {
        *red = *green = *blue = fma((lanes)-key.y, z, (lanes)key.x);
        return;
    }
    const lanes l1 = clamp(plane_at(r + PLANES + 3, x, y) * z, 0.0f, 1.0f);
    const lanes l2 = clamp(plane_at(r + PLANES + 6, x, y) * z, (lanes)0.0f, 1.0f - l1);
    const lanes l0 = 1.0f - l1 - l2;
    lanes nx = 0.0f, ny = 0.0f, nz = 0.0f;
    if (channel != CHANNEL_FLAT) {
        nx = mix3(r + NORMALS, l0, l1, l2);
        ny = mix3(r + NORMALS + 1, l0, l1, l2);
        nz = mix3(r + NORMALS + 2, l0, l1, l2);
        const lanes square = fma(nx, nx, fma(ny, ny, nz * nz));
        const lanes scale = 1.0f / sqrt(fmax(square, 1e-20f));
        nx *= scale;
        ny *= scale;
        nz *= scale;
    }
    if (channel == CHANNEL_NORMAL) {
        *red = fma(nx, 0.5f, (lanes)0.5f);
        *green = fma(ny, 0.5f, (lanes)0.5f);
        *blue = fma(nz, 0.5f, (lanes)0.5f);
        return;
    }
    const lanes light =
        channel == CHANNEL_COLOUR ? shade(nx, ny, nz, key, head) : (lanes)1.0f;
    *red = mix3(r + COLOURS, l0, l1, l2) * light;
    *green = mix3(r + COLOURS + 1, l0, l1, l2) * light;
    *blue = mix3(r + COLOURS + 2, l0, l1, l2) * light;
}

// Draw the lists of tiles into their states. `key` and `head` are directions to lights;
// for depth, z shows as key.x - key.y * z.
// Work-items: as in src/render/tiles.h.
#if TESS_CPU
kernel void draw_triangles(global float *state, global const float *records,
                           global const u32 *offsets, global const u32 *list, u32 cols,
                           u32 tile_row0, u32 first, float key_x, float key_y,
                           float key_z, float head_x, float head_y, float head_z,
                           u32 channel)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    const size_t tile = (size_t)row * cols + col;
    global float *samples = state + tile * STATE;
    const u32 end = offsets[tile + 1];
    const float4 key = (float4)(key_x, key_y, key_z, 0.0f);
    const float4 head = (float4)(head_x, head_y, head_z, 0.0f);
    if (first)
        for (u32 i = 0; i < STATE / 16; i++)
            vstore16((float16)0.0f, i, samples);
    const int tile_x = (int)col * TILE * SUBSAMPLES;
    const int tile_y = (int)(tile_row0 + row) * TILE * SUBSAMPLES;
    for (u32 i = offsets[tile]; i < end; i++) {
        global const float *r = records + (size_t)list[i] * RECORD;
        global const int *corners = (global const int *)r;
        const struct range columns = find_range(corners, tile_x),
                           rows = find_range(corners + 3, tile_y);
        if (rows.first > rows.last)
            continue;
        const struct edges e = edges_of(corners, tile_x, tile_y);
        const float y0 = distance_y(corners, tile_y);
        for (int i = columns.first / LANES; i <= columns.last / LANES; i++) {
            const ilanes x = i * LANES + LANE_NUMBERS;
            const lanes dx = distances_x(corners, x, tile_x);
            struct part part = part_at(&e, x, rows.first);
            for (int y = rows.first; y <= rows.last; y++, next_row(&part, &e)) {
                const ilanes inside = (part.a | part.b | part.c) >= 0;
                if (!ANY(inside))
                    continue;
                const float dy = y0 + (float)y;
                global lanes *s = (global lanes *)(samples + y * 4 * TILE) + i;
                const lanes inverse_z =
                    clamp(plane_at(r + PLANES, dx, dy), r[LEAST], r[MOST]);
                const ilanes nearer = inside & (inverse_z > s[3 * PARTS]);
                if (!ANY(nearer))
                    continue;
                lanes red, green, blue;
                look_at(&red, &green, &blue, r, dx, dy, inverse_z, key, head, channel);
                s[0] = nearer ? red : s[0];
                s[PARTS] = nearer ? green : s[PARTS];
                s[2 * PARTS] = nearer ? blue : s[2 * PARTS];
                s[3 * PARTS] = nearer ? inverse_z : s[3 * PARTS];
            }
        }
    }
}
#else
kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
draw_triangles(global float *state, global const float *records,
               global const u32 *offsets, global const u32 *list, u32 cols, u32 tile_row0,
               u32 first, float key_x, float key_y, float key_z, float head_x,
               float head_y, float head_z, u32 channel)
{
    local struct setup setups[BATCH];
    local u32 numbers[BATCH];
    const u32 lx = get_local_id(0), ly = get_local_id(1), lane = ly * TILE + lx;
    const u32 col = get_global_id(0) / TILE, row = get_global_id(1) / TILE;
    const size_t tile = (size_t)row * cols + col;
    global float *s = state + tile * STATE + ly * 4 * TILE + lx;
    const float4 key = (float4)(key_x, key_y, key_z, 0.0f);
    const float4 head = (float4)(head_x, head_y, head_z, 0.0f);
    float red = 0.0f, green = 0.0f, blue = 0.0f, nearest = 0.0f;
    if (!first) {
        red = s[0];
        green = s[TILE];
        blue = s[2 * TILE];
        nearest = s[3 * TILE];
    }
    const int tile_x = (int)col * TILE * SUBSAMPLES;
    const int tile_y = (int)(tile_row0 + row) * TILE * SUBSAMPLES;
    const u32 end = offsets[tile + 1];
    for (u32 start = offsets[tile]; start < end; start += BATCH) {
        const u32 count = min((u32)BATCH, end - start);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < count) {
            const u32 number = list[start + lane];
            numbers[lane] = number;
            setups[lane] = set_up((global const int *)(records + (size_t)number * RECORD),
                                  tile_x, tile_y);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (u32 i = 0; i < count; i++) {
            const struct setup t = setups[i];
            if (!is_inside(&t, (int)lx, (int)ly))
                continue;
            global const float *r = records + (size_t)numbers[i] * RECORD;
            const float dx = t.x + (float)lx, dy = t.y + (float)ly;
            const float inverse_z =
                clamp(plane_at(r + PLANES, dx, dy), r[LEAST], r[MOST]);
            if (inverse_z <= nearest)
                continue;
            nearest = inverse_z;
            look_at(&red, &green, &blue, r, dx, dy, inverse_z, key, head, channel);
        }
    }
    s[0] = red;
    s[TILE] = green;
    s[2 * TILE] = blue;
    s[3 * TILE] = nearest;
}
#endif

// Draw words: of each pixel, a sample wide, the number of the nearest triangle or its
// 1/z, or nothing but a byte that is set at each number that is seen. `out`: pixels of
// the band, width x rows, or bytes, zeros before. Work-items: as in src/render/tiles.h.
#if TESS_CPU
#define ROW_NUMBERS (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

// What is nearest at each sample of a tile: bits of 1/z, which are in the order of what
// they stand for, and numbers.
struct words {
    ilanes nearest[TILE * PARTS], numbers[TILE * PARTS];
};

// The largest of all, or with a `flip` of -1 of their complements: of these it is the
// complement of the least.
static inline int most_of(const ilanes x[TILE * PARTS], int flip)
{
    ilanes most = x[0] ^ flip;
    for (u32 i = 1; i < TILE * PARTS; i++)
        most = max(most, x[i] ^ flip);
    int lane[LANES];
    STORE(most, 0, lane);
    for (u32 i = 1; i < LANES; i++)
        lane[0] = max(lane[0], lane[i]);
    return lane[0];
}

// Where there is nothing, a number that is elsewhere is marked again: what a sample shows
// is hard to predict.
static inline void mark_numbers(global uchar *marks, const struct words *w)
{
    const int number = most_of(w->numbers, 0);
    if (number == (int)NOTHING)
        return;
    for (u32 i = 0; i < TILE * PARTS; i++) {
        int lane[LANES];
        STORE(w->numbers[i] < 0 ? number : w->numbers[i], 0, lane);
        for (u32 k = 0; k < LANES; k++)
            if (!marks[lane[k]])
                marks[lane[k]] = 1;
    }
}

static inline void draw_word(struct words *w, global const float *r, int tile_x,
                             int tile_y)
{
    global const int *corners = (global const int *)r;
    const struct range columns = find_range(corners, tile_x),
                       rows = find_range(corners + 3, tile_y);
    if (rows.first > rows.last)
        return;
    const struct edges e = edges_of(corners, tile_x, tile_y);
    float starts[TILE]; // what rows have at corner 0's x
    vstore16(fma((float16)r[WORD_PLANE + 2], distance_y(corners, tile_y) + ROW_NUMBERS,
                 (float16)r[WORD_PLANE]),
             0, starts);
    const lanes least = r[WORD_LEAST], most = r[WORD_MOST];
    const ilanes number = corners[WORD_NUMBER];
    for (int i = columns.first / LANES; i <= columns.last / LANES; i++) {
        const ilanes x = i * LANES + LANE_NUMBERS;
        const lanes dx = distances_x(corners, x, tile_x);
        struct part part = part_at(&e, x, rows.first);
        for (int y = rows.first; y <= rows.last; y++, next_row(&part, &e)) {
            ilanes *nearest = &w->nearest[y * PARTS + i],
                   *numbers = &w->numbers[y * PARTS + i];
            lanes inverse_z = fma((lanes)r[WORD_PLANE + 1], dx, (lanes)starts[y]);
            inverse_z = inverse_z > least ? inverse_z : least;
            inverse_z = inverse_z < most ? inverse_z : most;
            const ilanes nearer =
                (part.a | part.b | part.c) >= 0 & inverse_z > AS_LANES(*nearest);
            *nearest = nearer ? AS_ILANES(inverse_z) : *nearest;
            *numbers = nearer ? number : *numbers;
        }
    }
}

kernel void draw_words(global float *state, global const float *records,
                       global const u32 *offsets, global const u32 *list, u32 cols,
                       u32 tile_row0, u32 first, u32 last, global u32 *out, u32 width,
                       u32 rows, u32 marks, u32 depths)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    const size_t tile = (size_t)row * cols + col;
    global ilanes *samples = (global ilanes *)(state + tile * STATE);
    const u32 begin = offsets[tile], end = offsets[tile + 1];
    struct words w;
    if (marks && first && last && begin == end)
        return;
    for (u32 i = 0; i < TILE * PARTS; i++) {
        global const ilanes *s = samples + i / PARTS * 4 * PARTS + i % PARTS;
        w.numbers[i] = first ? (ilanes)NOTHING : s[0];
        w.nearest[i] = first ? 0 : s[3 * PARTS];
    }
    const int tile_x = (int)col * TILE * SUBSAMPLES;
    const int tile_y = (int)(tile_row0 + row) * TILE * SUBSAMPLES;
    float farthest = 0.0f; // 1/z
    u32 drawn = 0;
    for (u32 i = begin; i < end; i++) {
        tess_fetch_record(records + (size_t)list[min(i + AHEAD, end - 1)] * WORD_RECORD,
                          WORD_RECORD);
        global const float *r = records + (size_t)list[i] * WORD_RECORD;
        // A triangle behind all of the tile, as of late, changes nothing.
        if (drawn == LOOK_EVERY) {
            farthest = as_float(~most_of(w.nearest, -1));
            drawn = 0;
        }
        if (r[WORD_MOST] <= farthest)
            continue;
        draw_word(&w, r, tile_x, tile_y);
        drawn++;
    }
    if (last && marks) {
        mark_numbers((global uchar *)out, &w);
        return;
    }
    for (u32 i = 0; i < TILE * PARTS && !last; i++) {
        global ilanes *s = samples + i / PARTS * 4 * PARTS + i % PARTS;
        s[0] = w.numbers[i];
        s[3 * PARTS] = w.nearest[i];
    }
    for (u32 y = 0; y < TILE && last; y++) {
        const u32 pixel = row * TILE + y;
        int words[TILE];
        for (u32 i = 0; i < PARTS; i++)
            STORE(depths ? w.nearest[y * PARTS + i] : w.numbers[y * PARTS + i], i, words);
        if (pixel < rows)
            tess_put_row(out + (size_t)pixel * width + col * TILE,
                         as_uint16(vload16(0, words)), width - col * TILE);
    }
}
#else
kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
draw_words(global float *state, global const float *records, global const u32 *offsets,
           global const u32 *list, u32 cols, u32 tile_row0, u32 first, u32 last,
           global u32 *out, u32 width, u32 rows, u32 marks, u32 depths)
{
    local struct setup setups[BATCH];
    local u32 places[BATCH];
    const u32 lx = get_local_id(0), ly = get_local_id(1), lane = ly * TILE + lx;
    const u32 col = get_global_id(0) / TILE, row = get_global_id(1) / TILE;
    const size_t tile = (size_t)row * cols + col;
    global float *s = state + tile * STATE + ly * 4 * TILE + lx;
    u32 seen = first ? NOTHING : as_uint(s[0]);
    float nearest = first ? 0.0f : s[3 * TILE];
    const int tile_x = (int)col * TILE * SUBSAMPLES;
    const int tile_y = (int)(tile_row0 + row) * TILE * SUBSAMPLES;
    const u32 end = offsets[tile + 1];
    for (u32 start = offsets[tile]; start < end; start += BATCH) {
        const u32 count = min((u32)BATCH, end - start);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < count) {
            const u32 place = list[start + lane];
            places[lane] = place;
            setups[lane] =
                set_up((global const int *)(records + (size_t)place * WORD_RECORD),
                       tile_x, tile_y);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (u32 i = 0; i < count; i++) {
            const struct setup t = setups[i];
            if (!is_inside(&t, (int)lx, (int)ly))
                continue;
            global const float *r = records + (size_t)places[i] * WORD_RECORD;
            const float inverse_z =
                clamp(plane_at(r + WORD_PLANE, t.x + (float)lx, t.y + (float)ly),
                      r[WORD_LEAST], r[WORD_MOST]);
            if (inverse_z <= nearest)
                continue;
            nearest = inverse_z;
            seen = as_uint(r[WORD_NUMBER]);
        }
    }
    const u32 x = col * TILE + lx, y = row * TILE + ly;
    if (!last) {
        s[0] = as_float(seen);
        s[3 * TILE] = nearest;
    } else if (marks) {
        if (seen != NOTHING)
            ((global uchar *)out)[seen] = 1;
    } else if (x < width && y < rows) {
        out[(size_t)y * width + x] = depths ? as_uint(nearest) : seen;
    }
}
#endif

// Samples to bytes: colours are the mean of the covered samples, alpha is their share;
// both rounded.
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
resolve_triangles(global uchar4 *pixels, global const float *state, u32 cols, u32 width,
                  u32 supersampling)
{
    const u32 x = get_global_id(0), y = get_global_id(1);
    if (x >= width)
        return;
    float4 sum = 0.0f;
    for (u32 j = 0; j < supersampling; j++)
        for (u32 i = 0; i < supersampling; i++) {
            global const float *s =
                sample_at(state, cols, x * supersampling + i, y * supersampling + j);
            if (s[3 * TILE] > 0.0f)
                sum += clamp((float4)(s[0], s[TILE], s[2 * TILE], 1.0f), 0.0f, 1.0f);
        }
    const float scale = sum.w > 0.0f ? 255.0f / sum.w : 0.0f;
    const float share = 255.0f * sum.w / (float)(supersampling * supersampling);
    pixels[(size_t)y * width + x] =
        (uchar4)(convert_uchar_sat_rte(sum.x * scale),
                 convert_uchar_sat_rte(sum.y * scale),
                 convert_uchar_sat_rte(sum.z * scale), convert_uchar_sat_rte(share));
}

// Samples to two numbers in 0..1, which red and green are, as 16 bits each; all bits set:
// nothing is there. One sample a pixel.
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
resolve_coordinates(global uchar4 *pixels, global const float *state, u32 cols, u32 width,
                    u32 supersampling)
{
    const u32 x = get_global_id(0), y = get_global_id(1);
    if (x >= width)
        return;
    global const float *s = sample_at(state, cols, x, y);
    const u32 u = convert_ushort_sat(s[0] * 65536.0f);
    const u32 v = convert_ushort_sat(s[TILE] * 65536.0f);
    pixels[(size_t)y * width + x] = as_uchar4(s[3 * TILE] > 0.0f ? u | v << 16 : ~0u);
}
