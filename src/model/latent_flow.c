// The sparse flow model's residual blocks, before and after the transformer.
//
//   R(x): x = down or up or x;  u = conv1(SiLU(LN(x)));
//         y = conv2(SiLU(LN(u) (1 + scale) + shift)) + skip(x)
//
// N fine voxels, M coarse ones of 2³. Down divides the sum of the children that exist by
// their number plus one. Up gives each fine voxel its parent's features: norm and SiLU
// are done on the parents' rows, and the convolution's taps look up parents, so they are
// never copied. All runs of an item have the same input, so the first half is done once
// for it; the second goes through a block for all runs before the next, so that weights
// are read once.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/flow_parts.h"
#include "op/layout.h"
#include "op/norm.h"
#include "op/position.h"

#define COMFORTABLE_ROWS 2048
#define NORM_EPS         1e-6f

// A residual block at work. The input is one tensor, or two side by side.
struct res {
    struct tess_flow_exec *exec;
    const struct tess_flow_sample *sample;
    const struct tess_res_block *sizes;
    const struct tess_voxels *voxels; // of the output
    const uint32_t *parents;          // up: of the voxels
    const struct tess_tensor *a, *b;  // b NULL: one
    size_t a_row0;                    // of the run in a
    struct tess_tensor *u, *y;
};

// Rows of the input for `count` voxels: themselves, or with `up` their parents, each
// once. table[i] becomes the place of what it named.
static enum tess_status map_to_parents(const struct res *res, uint32_t *ids,
                                       size_t *count, uint32_t *table, size_t entries)
{
    struct tess_env *env = tess_stage_env(res->exec->stage);
    if (!res->parents)
        return TESS_OK;
    uint32_t *place = NULL, *place_of = NULL; // of a parent + 1; of each id
    size_t parents = 0;
    TESS_TRY(
        tess_alloc(&place, env, res->sample->coarse.count, sizeof *place, "parents"));
    enum tess_status status =
        tess_alloc(&place_of, env, *count, sizeof *place_of, "parents");
    for (size_t i = 0; i < *count && !status; i++) {
        uint32_t parent = res->parents[ids[i]];
        if (!place[parent]) {
            ids[parents++] = parent; // never beyond i
            place[parent] = (uint32_t)parents;
        }
        place_of[i] = place[parent] - 1;
    }
    for (size_t i = 0; i < entries && !status; i++)
        if (table[i] != TESS_NO_ROW)
            table[i] = place_of[table[i]];
    *count = parents;
    free(place);
    free(place_of);
    return status;
}

// Rows `ids` of the input, both halves side by side.
static enum tess_status gather_input(struct tess_mat *out, const struct res *res,
                                     const uint32_t *ids, size_t count)
{
    struct tess_stage *stage = res->exec->stage;
    uint32_t *shifted = NULL;
    struct tess_mat half;
    TESS_TRY(tess_alloc(&shifted, tess_stage_env(stage), count, sizeof *shifted, "rows"));
    for (size_t i = 0; i < count; i++)
        shifted[i] = (uint32_t)(res->a_row0 + ids[i]);
    if (!res->b) {
        enum tess_status status = tess_tensor_gather(out, stage, res->a, shifted, count);
        free(shifted);
        return status;
    }
    enum tess_status status = tess_mat_take(out, stage, count, res->sizes->inputs,
                                            TESS_F32, "features side by side");
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    if (!status)
        status = tess_tensor_gather(&half, stage, res->a, shifted, count);
    free(shifted);
    TESS_TRY(status);
    TESS_TRY(tess_place_columns(stage, *out, half, 0));
    tess_arena_release(tess_stage_arena(stage), mark);
    TESS_TRY(tess_tensor_gather(&half, stage, res->b, ids, count));
    TESS_TRY(tess_place_columns(stage, *out, half, tess_tensor_cols(res->a)));
    tess_arena_release(tess_stage_arena(stage), mark);
    return TESS_OK;
}

static enum tess_status upload_table(struct tess_mat *out, struct tess_stage *stage,
                                     const uint32_t *table, size_t rows)
{
    TESS_TRY(tess_mat_take(out, stage, rows, 27, TESS_U32, "neighbours"));
    return tess_mat_write(stage, *out, table);
}

static enum tess_status convolve(const struct res *res, struct tess_mat out,
                                 struct tess_mat in, size_t first_item,
                                 struct tess_mat index, const struct tess_mat *residual,
                                 double density)
{
    const struct tess_weight *items = res->exec->items;
    return tess_matmul(res->exec->stage,
                       &(struct tess_matmul){.out = out,
                                             .in = in,
                                             .weight = &items[first_item],
                                             .bias = &items[first_item + 1],
                                             .residual = residual,
                                             .rows = out.rows,
                                             .index = &index,
                                             .density = density});
}

// u = conv1(SiLU(LN(x)))
static enum tess_status first_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct res *res = user;
    const struct tess_weight *items = res->exec->items;
    struct tess_halo halo;
    struct tess_mat in, index, out;
    TESS_TRY(tess_halo_create(&halo, tess_stage_env(stage), res->voxels, tile.row0,
                              tile.rows));
    enum tess_status status =
        map_to_parents(res, halo.ids, &halo.count, halo.table, 27 * tile.rows);
    if (!status)
        status = gather_input(&in, res, halo.ids, halo.count);
    if (!status)
        status = upload_table(&index, stage, halo.table, tile.rows);
    tess_halo_clear(&halo);
    TESS_TRY(status);
    TESS_TRY(tess_layernorm(
        stage, &(struct tess_layernorm){.out = in,
                                        .in = in,
                                        .eps = NORM_EPS,
                                        .weight = &items[TESS_RES_NORM_WEIGHT].data,
                                        .bias = &items[TESS_RES_NORM_BIAS].data,
                                        .silu = true}));
    TESS_TRY(
        tess_mat_take(&out, stage, tile.rows, res->sizes->outputs, TESS_F32, "features"));
    TESS_TRY(convolve(res, out, in, TESS_RES_CONV1_WEIGHT, index, NULL, halo.density));
    return tess_tensor_store(stage, res->u, out, tile.row0);
}

// skip(x) for the tile's rows: a linear layer where channels change, else x itself.
static enum tess_status skip_rows(struct tess_mat *out, const struct res *res,
                                  struct tess_tile tile)
{
    struct tess_stage *stage = res->exec->stage;
    const struct tess_weight *items = res->exec->items;
    uint32_t *ids = NULL;
    struct tess_mat x;
    TESS_TRY(tess_alloc(&ids, tess_stage_env(stage), tile.rows, sizeof *ids, "rows"));
    for (size_t i = 0; i < tile.rows; i++)
        ids[i] = res->parents ? res->parents[tile.row0 + i] : (uint32_t)(tile.row0 + i);
    enum tess_status status = gather_input(&x, res, ids, tile.rows);
    free(ids);
    TESS_TRY(status);
    *out = x;
    if (res->sizes->inputs == res->sizes->outputs)
        return TESS_OK;
    TESS_TRY(tess_mat_take(out, stage, tile.rows, res->sizes->outputs, TESS_F32,
                           "skip connection"));
    return tess_matmul(stage,
                       &(struct tess_matmul){.out = *out,
                                             .in = x,
                                             .weight = &items[TESS_RES_SKIP_WEIGHT],
                                             .bias = &items[TESS_RES_SKIP_BIAS],
                                             .rows = tile.rows});
}

// y = conv2(SiLU(LN(u) (1 + scale) + shift)) + skip(x)
static enum tess_status second_span(struct tess_stage *stage, void *user,
                                    struct tess_tile tile)
{
    struct res *res = user;
    struct tess_halo halo;
    struct tess_mat in, index, skip, out;
    TESS_TRY(tess_halo_create(&halo, tess_stage_env(stage), res->voxels, tile.row0,
                              tile.rows));
    enum tess_status status =
        tess_tensor_gather(&in, stage, res->u, halo.ids, halo.count);
    if (!status)
        status = upload_table(&index, stage, halo.table, tile.rows);
    tess_halo_clear(&halo);
    TESS_TRY(status);
    struct tess_slice scale = res->exec->vectors[0].data,
                      shift = res->exec->vectors[1].data;
    TESS_TRY(tess_layernorm(stage, &(struct tess_layernorm){.out = in,
                                                            .in = in,
                                                            .eps = NORM_EPS,
                                                            .weight = &scale,
                                                            .bias = &shift,
                                                            .silu = true}));
    TESS_TRY(skip_rows(&skip, res, tile));
    TESS_TRY(
        tess_mat_take(&out, stage, tile.rows, res->sizes->outputs, TESS_F32, "features"));
    TESS_TRY(convolve(res, out, in, TESS_RES_CONV2_WEIGHT, index, &skip, halo.density));
    return tess_tensor_store(stage, res->y, out, tile.row0);
}

static enum tess_status run_span(struct res *res, const char *name, tess_span_fn *fn)
{
    return tess_span_run(res->exec->stage,
                         &(struct tess_span){.name = name,
                                             .rows = res->voxels->count,
                                             .comfortable = COMFORTABLE_ROWS,
                                             .run = fn,
                                             .user = res});
}

static enum tess_status create_features(struct tess_tensor **out,
                                        struct tess_stage *stage, size_t rows,
                                        size_t cols)
{
    return tess_tensor_create(out, stage,
                              &(struct tess_tensor_params){.rows = rows,
                                                           .cols = cols,
                                                           .dtype = TESS_F32,
                                                           .tag = "voxel features",
                                                           .may_spill = true});
}

// *y is made. The block's weights and modulation are in place.
static enum tess_status run_res(struct res *res, struct tess_tensor **y)
{
    struct tess_stage *stage = res->exec->stage;
    size_t rows = res->voxels->count, columns = res->sizes->outputs;
    TESS_TRY(create_features(y, stage, rows, columns));
    enum tess_status status = create_features(&res->u, stage, rows, columns);
    res->y = *y;
    if (!status)
        status = run_span(res,
                          res->sizes->up     ? "first convolution, up"
                          : res->sizes->down ? "first convolution, down"
                                             : "first convolution",
                          first_span);
    if (!status)
        status = run_span(res,
                          res->sizes->up     ? "second convolution, up"
                          : res->sizes->down ? "second convolution, down"
                                             : "second convolution",
                          second_span);
    tess_tensor_destroy(&res->u);
    return status;
}

// ---- down ----

struct down {
    const struct tess_flow_sample *sample;
    const struct tess_tensor *from;
    struct tess_tensor *to;
};

static enum tess_status pool_span(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    const struct down *down = user;
    uint32_t *ids = NULL, *table = NULL;
    size_t count = 0;
    struct tess_mat in, children, out;
    struct tess_env *env = tess_stage_env(stage);
    TESS_TRY(tess_alloc(&ids, env, 8 * tile.rows, sizeof *ids, "children"));
    enum tess_status status =
        tess_alloc(&table, env, 8 * tile.rows, sizeof *table, "children");
    for (size_t i = 0; i < 8 * tile.rows && !status; i++) {
        uint32_t child = down->sample->children[8 * tile.row0 + i];
        table[i] = child == TESS_NO_ROW ? TESS_NO_ROW : (uint32_t)count;
        if (child != TESS_NO_ROW)
            ids[count++] = child;
    }
    if (!status)
        status = tess_tensor_gather(&in, stage, down->from, ids, count);
    if (!status)
        status = tess_mat_take(&children, stage, tile.rows, 8, TESS_U32, "children");
    if (!status)
        status = tess_mat_write(stage, children, table);
    free(ids);
    free(table);
    TESS_TRY(status);
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, in.cols, TESS_F32, "coarse features"));
    TESS_TRY(tess_pool_children(stage, out, in, children));
    return tess_tensor_store(stage, down->to, out, tile.row0);
}

static enum tess_status pool(struct tess_tensor **out, struct tess_stage *stage,
                             const struct tess_flow_sample *sample,
                             const struct tess_tensor *from)
{
    struct down down = {sample, from, NULL};
    TESS_TRY(
        create_features(&down.to, stage, sample->coarse.count, tess_tensor_cols(from)));
    *out = down.to;
    return tess_span_run(stage, &(struct tess_span){.name = "down",
                                                    .rows = sample->coarse.count,
                                                    .comfortable = COMFORTABLE_ROWS,
                                                    .run = pool_span,
                                                    .user = &down});
}

// ---- the two halves ----

struct input {
    struct tess_flow_exec *exec;
    const struct tess_flow_sample *sample;
    struct tess_tensor *to;
    const struct tess_tensor *from;
};

static enum tess_status input_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    const struct input *input = user;
    const struct tess_flow_sample *sample = input->sample;
    const struct tess_flow_config *config = &input->exec->job->flow->config;
    size_t channels = config->in_channels;
    struct tess_mat in, out;
    float *rows = NULL;
    TESS_TRY(tess_mat_take(&in, stage, tile.rows, channels, TESS_F32, "latents"));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, config->io_channels, TESS_F32,
                           "input layer"));
    TESS_TRY(tess_alloc(&rows, tess_stage_env(stage), tile.rows, channels * sizeof *rows,
                        "latents"));
    for (size_t i = 0; i < tile.rows; i++)
        memcpy(rows + i * channels,
               sample->item.x + sample->fine.source[tile.row0 + i] * channels,
               channels * sizeof *rows);
    enum tess_status status = tess_mat_write(stage, in, rows);
    free(rows);
    TESS_TRY(status);
    TESS_TRY(tess_matmul(
        stage, &(struct tess_matmul){.out = out,
                                     .in = in,
                                     .weight = &input->exec->items[TESS_FLOW_IN_WEIGHT],
                                     .bias = &input->exec->items[TESS_FLOW_IN_BIAS],
                                     .rows = tile.rows}));
    return tess_tensor_store(stage, input->to, out, tile.row0);
}

// The transformer's input: coarse features and their positions, for all runs of
// a sample.
static enum tess_status position_span(struct tess_stage *stage, void *user,
                                      struct tess_tile tile)
{
    const struct input *input = user;
    struct tess_flow_exec *exec = input->exec;
    struct tess_mat x, coords, positions;
    TESS_TRY(tess_tensor_load(&x, stage, input->from, tile.row0, tile.rows));
    TESS_TRY(tess_mat_take(&coords, stage, tile.rows, 3, TESS_I32, "coordinates"));
    TESS_TRY(tess_mat_take(&positions, stage, tile.rows, x.cols, TESS_F32, "positions"));
    TESS_TRY(tess_mat_write(stage, coords, input->sample->coarse.coords + 3 * tile.row0));
    TESS_TRY(tess_position_embed(stage, positions, coords, exec->positions));
    TESS_TRY(tess_add(stage, x, positions));
    for (size_t run = 0; run < exec->step->runs; run++)
        if (tess_flow_sample_of(exec, run) == input->sample)
            TESS_TRY(tess_tensor_store(stage, exec->transformer.features, x,
                                       exec->transformer.runs[run].row0 + tile.row0));
    return TESS_OK;
}

// Block `index` of the input of a sample. Its weights and modulation are in place.
static enum tess_status run_input_block(struct tess_flow_exec *exec, size_t index,
                                        const struct tess_flow_sample *sample,
                                        const struct tess_tensor *from,
                                        struct tess_tensor **out)
{
    const struct tess_res_block *sizes = &exec->job->flow->res_blocks[index];
    struct res res = {.exec = exec,
                      .sample = sample,
                      .sizes = sizes,
                      .voxels = sizes->down ? &sample->coarse : &sample->fine,
                      .a = from};
    struct tess_tensor *pooled = NULL;
    enum tess_status status = TESS_OK;
    if (sizes->down) {
        status = pool(&pooled, exec->stage, sample, from);
        res.a = pooled;
    }
    if (!status)
        status = run_res(&res, out);
    tess_tensor_destroy(&pooled);
    return status;
}

// The input layer, for each sample: firsts [items].
static enum tess_status run_input_layer(struct tess_flow_exec *exec,
                                        struct tess_tensor **firsts)
{
    const struct tess_flow_job *job = exec->job;
    TESS_TRY(tess_flow_next_block(exec));
    for (size_t i = 0; i < job->params.item_count; i++) {
        struct input input = {.exec = exec, .sample = &job->samples[i]};
        size_t rows = input.sample->fine.count;
        TESS_TRY(create_features(&firsts[i], exec->stage, rows,
                                 job->flow->config.io_channels));
        input.to = firsts[i];
        TESS_TRY(tess_span_run(exec->stage,
                               &(struct tess_span){.name = "input layer",
                                                   .rows = rows,
                                                   .comfortable = COMFORTABLE_ROWS,
                                                   .run = input_span,
                                                   .user = &input}));
    }
    return TESS_OK;
}

static enum tess_status run_input_blocks(struct tess_flow_exec *exec,
                                         struct tess_tensor **skips,
                                         struct tess_tensor **firsts)
{
    const struct tess_flow_job *job = exec->job;
    size_t count = job->flow->config.io_blocks;
    for (size_t b = 0; b < count; b++) {
        size_t width = job->flow->res_blocks[b].outputs;
        TESS_TRY(tess_flow_modulate(exec, b, 2, width, 1u << 0));
        TESS_TRY(tess_flow_next_block(exec));
        for (size_t i = 0; i < job->params.item_count; i++) {
            struct tess_tensor **skip = &skips[i * count + b];
            TESS_TRY(run_input_block(exec, b, &job->samples[i], b ? skip[-1] : firsts[i],
                                     skip));
            tess_tensor_destroy(&firsts[i]);
        }
    }
    return TESS_OK;
}

enum tess_status tess_flow_run_inputs(struct tess_flow_exec *exec,
                                      struct tess_tensor **skips)
{
    const struct tess_flow_job *job = exec->job;
    size_t count = job->flow->config.io_blocks;
    struct tess_tensor *firsts[TESS_SEQUENCES_MAX] = {NULL};
    enum tess_status status = run_input_layer(exec, firsts);
    if (!status)
        status = run_input_blocks(exec, skips, firsts);
    for (size_t i = 0; i < TESS_SEQUENCES_MAX; i++)
        tess_tensor_destroy(&firsts[i]);
    for (size_t i = 0; i < job->params.item_count && !status; i++) {
        struct input input = {exec, &job->samples[i], NULL, skips[i * count + count - 1]};
        status = tess_span_run(exec->stage,
                               &(struct tess_span){.name = "positions",
                                                   .rows = input.sample->coarse.count,
                                                   .comfortable = COMFORTABLE_ROWS,
                                                   .run = position_span,
                                                   .user = &input});
    }
    return status;
}

// Block `index` of the output of a run; *out is used up and made anew.
static enum tess_status run_output_block(struct tess_flow_exec *exec, size_t index,
                                         size_t run, const struct tess_tensor *skip,
                                         struct tess_tensor **out)
{
    const struct tess_flow_job *job = exec->job;
    const struct tess_flow_sample *sample = tess_flow_sample_of(exec, run);
    struct tess_tensor *before = *out;
    struct res res = {.exec = exec,
                      .sample = sample,
                      .sizes =
                          &job->flow->res_blocks[job->flow->config.io_blocks + index],
                      .voxels = &sample->fine,
                      .parents = index == 0 ? sample->parents : NULL,
                      .a = index == 0 ? exec->transformer.features : before,
                      .a_row0 = index == 0 ? exec->transformer.runs[run].row0 : 0,
                      .b = skip};
    *out = NULL;
    enum tess_status status = run_res(&res, out);
    tess_tensor_destroy(&before);
    return status;
}

enum tess_status tess_flow_run_outputs(struct tess_flow_exec *exec,
                                       struct tess_tensor **skips,
                                       struct tess_tensor **outs)
{
    const struct tess_flow_config *config = &exec->job->flow->config;
    size_t count = config->io_blocks;
    for (size_t b = 0; b < count; b++) {
        size_t skip = count - 1 - b; // last in, first out
        TESS_TRY(tess_flow_modulate(exec, count + config->blocks + b, 2,
                                    exec->job->flow->res_blocks[count + b].outputs,
                                    1u << 0));
        TESS_TRY(tess_flow_next_block(exec));
        for (size_t run = 0; run < exec->step->runs; run++)
            TESS_TRY(run_output_block(
                exec, b, run, skips[(size_t)exec->step->run[run].item * count + skip],
                &outs[run]));
        for (size_t i = 0; i < exec->job->params.item_count; i++)
            tess_tensor_destroy(&skips[i * count + skip]);
    }
    return TESS_OK;
}
