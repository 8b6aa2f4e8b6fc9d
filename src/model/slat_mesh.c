// The head of the mesh decoder: two blocks that subdivide the voxels, then the output
// layer.
//
//   block: a = SiLU(GN(x)), subdivided;  u = conv0(a);  y = conv3(SiLU(GN(u))) + skip(x),
//   subdivided
//
// x [M][Cin], u and y [8 M][Cout]. Group norms are over all voxels, so there is a barrier
// at each: u and y are kept for all rows, and their statistics are taken as they are
// made. conv0 works on the parents' rows, and skip commutes with subdivision, so nothing
// is ever copied eight times. Tiles are consecutive voxels of the latent with all of
// their descendants; a convolution sees the tile's voxels and those around it.
#include <assert.h>
#include <stdlib.h>

#include "model/slat_parts.h"
#include "op/matmul.h"
#include "op/neighbour.h"
#include "op/norm.h"
#include "op/winograd.h"

// In voxels of the latent.
#define COMFORTABLE_VOXELS 1024 // for what becomes 8 rows each; half for 64
#define DELIVERED          64   // a part of what goes to the host: 1.6 MiB
#define ALIGN_VOXELS       64   // tiles are made of whole blocks of statistics
#define STATS_ROWS         64   // of a block at the latent's own level
#define STATS_ROWS_FINE    256
#define GROUPS             32
#define NORM_EPS           1e-5f

// Voxels of the latent become 8^level rows.
static size_t rows_at(size_t voxels, unsigned level)
{
    return voxels << (3 * level);
}

struct up {
    const struct tess_slat_job *job;
    const struct tess_weight *items;
    unsigned level;                // of x; u and y are one further
    struct tess_tensor *x, *u, *y; // y NULL: go on to the output layer and deliver
    struct tess_mat scale, shift;  // of the norm before the convolution
    struct tess_group_stats stats; // of what is made
};

// The rows that a convolution of a tile reads, normalised, and where a parent's
// neighbours are.
struct window {
    struct tess_mat in, index;
};

static enum tess_status open_window(struct window *out, struct tess_stage *stage,
                                    const struct up *up, const struct tess_tensor *from,
                                    struct tess_tile tile)
{
    const struct tess_halo *halo;
    struct tess_mat table;
    TESS_TRY(tess_halos_find(&halo, up->job->halos, tess_stage_env(stage),
                             &up->job->voxels, tile.row0, tile.rows));
    TESS_TRY(tess_tensor_gather(&out->in, stage, from, halo->ids, halo->count));
    TESS_TRY(tess_mat_take(&table, stage, tile.rows, 27, TESS_U32, "neighbours"));
    TESS_TRY(tess_mat_write(stage, table, halo->table));
    TESS_TRY(tess_neighbours_subdivide(&out->index, stage, table, up->level));
    return tess_scale_silu(stage, out->in, up->scale, up->shift);
}

// u = conv0(SiLU(GN(x)), subdivided)
static enum tess_status first_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct up *up = user;
    struct window window;
    struct tess_mat u;
    TESS_TRY(open_window(&window, stage, up, up->x, tile));
    TESS_TRY(tess_mat_take(&u, stage, rows_at(tile.rows, up->level + 1),
                           tess_tensor_cols(up->u), TESS_F32, "subdivided features"));
    TESS_TRY(tess_winograd(stage,
                           &(struct tess_winograd){.out = u,
                                                   .in = window.in,
                                                   .weight = &up->items[TESS_CONV_WEIGHT],
                                                   .bias = &up->items[TESS_CONV_BIAS],
                                                   .rows = rows_at(tile.rows, up->level),
                                                   .index = window.index}));
    TESS_TRY(tess_group_stats_add(&up->stats, u, rows_at(tile.row0, up->level + 1)));
    return tess_tensor_store(stage, up->u, u, tile.row0);
}

// The output layer, in parts that stay in the host's caches.
static enum tess_status deliver(struct tess_stage *stage, const struct up *up,
                                struct tess_mat y, struct tess_tile tile)
{
    size_t columns = tess_slat_out_columns(&up->job->decoder->config);
    size_t row0 = rows_at(tile.row0, up->level + 1),
           part = rows_at(DELIVERED, up->level + 1);
    for (size_t done = 0; done < y.rows; done += part) {
        size_t rows = y.rows - done < part ? y.rows - done : part;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat feats;
        TESS_TRY(tess_mat_take(&feats, stage, rows, columns, TESS_F32, "mesh features"));
        TESS_TRY(tess_matmul(stage,
                             &(struct tess_matmul){.out = feats,
                                                   .in = tess_mat_rows(y, done, rows),
                                                   .weight = &up->items[TESS_LAST_WEIGHT],
                                                   .bias = &up->items[TESS_LAST_BIAS],
                                                   .rows = rows}));
        TESS_TRY(tess_mat_deliver_later(stage, feats, row0 + done, up->job->rows,
                                        up->job->user));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    return TESS_OK;
}

// y = conv3(SiLU(GN(u))) + skip(x), subdivided
static enum tess_status second_span(struct tess_stage *stage, void *user,
                                    struct tess_tile tile)
{
    struct up *up = user;
    struct window window;
    struct tess_mat x, skip, y;
    size_t parents = rows_at(tile.rows, up->level);
    size_t channels = tess_tensor_cols(up->u);
    TESS_TRY(open_window(&window, stage, up, up->u, tile));
    TESS_TRY(tess_tensor_load(&x, stage, up->x, tile.row0, tile.rows));
    tess_tensor_forget(up->x, tile.row0 + tile.rows);
    TESS_TRY(tess_mat_take(&skip, stage, parents, channels, TESS_F32, "skip connection"));
    TESS_TRY(
        tess_mat_take(&y, stage, 8 * parents, channels, TESS_F32, "subdivided features"));
    TESS_TRY(
        tess_matmul(stage, &(struct tess_matmul){.out = skip,
                                                 .in = x,
                                                 .weight = &up->items[TESS_SKIP_WEIGHT],
                                                 .bias = &up->items[TESS_SKIP_BIAS],
                                                 .rows = parents}));
    TESS_TRY(tess_winograd(stage,
                           &(struct tess_winograd){.out = y,
                                                   .in = window.in,
                                                   .weight = &up->items[TESS_CONV_WEIGHT],
                                                   .bias = &up->items[TESS_CONV_BIAS],
                                                   .residual = &skip,
                                                   .rows = parents,
                                                   .index = window.index}));
    if (!up->y)
        return deliver(stage, up, y, tile);
    TESS_TRY(tess_group_stats_add(&up->stats, y, rows_at(tile.row0, up->level + 1)));
    return tess_tensor_store(stage, up->y, y, tile.row0);
}

// Statistics of the torso's result, which nothing else reads yet.
static enum tess_status stats_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct up *up = user;
    struct tess_mat x;
    TESS_TRY(tess_tensor_load(&x, stage, up->x, tile.row0, tile.rows));
    return tess_group_stats_add(&up->stats, x, tile.row0);
}

static enum tess_status run_span(struct tess_stage *stage, struct up *up,
                                 const char *name, tess_span_fn *fn)
{
    return tess_span_run(
        stage, &(struct tess_span){.name = name,
                                   .rows = up->job->voxels.count,
                                   .row_align = ALIGN_VOXELS,
                                   .comfortable = COMFORTABLE_VOXELS >> up->level,
                                   .run = fn,
                                   .user = up});
}

// Run a span that makes rows of a tensor, between the norm of what it reads and the
// statistics of what it makes.
static enum tess_status run_between_norms(struct tess_stage *stage, struct up *up,
                                          const char *name, tess_span_fn *fn, size_t norm,
                                          const struct tess_tensor *made)
{
    const struct tess_group_norm *affine = &up->job->decoder->norms[norm];
    struct tess_group_stats before = up->stats;
    enum tess_status status = tess_group_stats_finish(
        &up->scale, &up->shift, &before, GROUPS, NORM_EPS, affine->weight, affine->bias);
    tess_group_stats_clear(&before);
    up->stats = (struct tess_group_stats){0};
    if (!status && made)
        status = tess_group_stats_create(&up->stats, stage, tess_tensor_rows(made),
                                         tess_tensor_cols(made), STATS_ROWS_FINE);
    return status ? status : run_span(stage, up, name, fn);
}

static enum tess_status create_level(struct tess_tensor **out, struct tess_stage *stage,
                                     const struct tess_slat_job *job, unsigned level,
                                     size_t channels, const char *tag)
{
    return tess_tensor_create(
        out, stage,
        &(struct tess_tensor_params){.rows = rows_at(job->voxels.count, level),
                                     .cols = channels,
                                     .dtype = TESS_F32,
                                     .group = rows_at(1, level),
                                     .tag = tag,
                                     .may_spill = true});
}

// One subdivision. *features is x before and y after, and NULL after the last.
static enum tess_status run_up(struct tess_stage *stage, struct up *up,
                               struct tess_tensor **features,
                               struct tess_weights *weights)
{
    static const char *const first_names[] = {"subdivision 0, first",
                                              "subdivision 1, first"};
    static const char *const second_names[] = {"subdivision 0, second",
                                               "subdivision 1, second"};
    const struct tess_slat_job *job = up->job;
    size_t level = up->level, block = 1 + job->decoder->config.blocks + 2 * level;
    size_t channels = tess_tensor_cols(*features) / (level == 0 ? 4 : 2);
    up->x = *features;
    TESS_TRY(
        create_level(&up->u, stage, job, up->level + 1, channels, "first convolution"));
    TESS_TRY(tess_weights_use(&up->items, weights, block));
    TESS_TRY(
        run_between_norms(stage, up, first_names[level], first_span, 2 * level, up->u));
    if (level == 0)
        TESS_TRY(create_level(&up->y, stage, job, 1, channels, "subdivided features"));
    TESS_TRY(tess_weights_use(&up->items, weights, block + 1));
    TESS_TRY(run_between_norms(stage, up, second_names[level], second_span, 2 * level + 1,
                               up->y));
    tess_tensor_destroy(&up->u);
    tess_tensor_destroy(features);
    *features = up->y;
    up->y = NULL;
    up->level++;
    return TESS_OK;
}

enum tess_status tess_slat_mesh_head(struct tess_stage *stage,
                                     const struct tess_slat_job *job,
                                     struct tess_tensor **features,
                                     struct tess_weights *weights)
{
    struct up up = {.job = job, .x = *features};
    size_t channels = tess_tensor_cols(*features);
    TESS_TRY(tess_group_stats_create(&up.stats, stage, job->voxels.count, channels,
                                     STATS_ROWS));
    enum tess_status status = run_span(stage, &up, "statistics", stats_span);
    while (!status && up.level < 2)
        status = run_up(stage, &up, features, weights);
    tess_group_stats_clear(&up.stats);
    tess_tensor_destroy(&up.u);
    tess_tensor_destroy(&up.y);
    return status;
}
