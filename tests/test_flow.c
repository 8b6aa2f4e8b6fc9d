// Flow models of any configuration against a plain reference; the same bytes in any
// budget; and samplers around them.
#include "random_checkpoint.h"

#include "flow_reference.h"
#include "io_tmp.h"
#include "model/sampler.h"
#include "run_in_budgets.h"

// One network pass in fp32 against double: as the golden data's bound.
#define BOUND 1e-5

// ---- flow models with random weights ----

struct shape {
    bool sparse;
    size_t resolution, in, out, C, heads, hidden, blocks, condition, tokens;
    size_t patch;         // dense
    size_t io, io_blocks; // sparse
    size_t voxels;
    double ratio;
    bool half, qk_norm;
};

static void add_transformer_block(struct checkpoint *c, const struct shape *s, unsigned i)
{
    static const char *const gammas[] = {"q", "k"};
    char block[64], name[96];
    snprintf(block, sizeof block, "blocks.%u", i);
    snprintf(name, sizeof name, "%s.norm2", block);
    add_norm(c, name, s->C);
    add_prefixed(c, block, "self_attn.to_qkv", s->half, 3 * s->C, s->C);
    add_prefixed(c, block, "self_attn.to_out", s->half, s->C, s->C);
    add_prefixed(c, block, "cross_attn.to_q", s->half, s->C, s->C);
    add_prefixed(c, block, "cross_attn.to_kv", s->half, 2 * s->C, s->condition);
    add_prefixed(c, block, "cross_attn.to_out", s->half, s->C, s->C);
    add_prefixed(c, block, "mlp.mlp.0", s->half, s->hidden, s->C);
    add_prefixed(c, block, "mlp.mlp.2", s->half, s->C, s->hidden);
    add_prefixed(c, block, "adaLN_modulation.1", s->half, 6 * s->C, s->C);
    for (int k = 0; k < 2 && s->qk_norm; k++) {
        snprintf(name, sizeof name, "%s.self_attn.%s_rms_norm.gamma", block, gammas[k]);
        add_tensor(c, name, false, 0.3, 1, 2,
                   (const size_t[]){s->heads, s->C / s->heads});
    }
}

static void add_res_block(struct checkpoint *c, const struct shape *s, const char *block,
                          size_t N, size_t K)
{
    char name[96];
    snprintf(name, sizeof name, "%s.norm1", block);
    add_norm(c, name, K);
    snprintf(name, sizeof name, "%s.conv1.conv", block);
    add_layer(c, name, s->half, N, 5, (const size_t[]){N, 3, 3, 3, K});
    snprintf(name, sizeof name, "%s.conv2.conv", block);
    add_layer(c, name, s->half, N, 5, (const size_t[]){N, 3, 3, 3, N});
    add_prefixed(c, block, "emb_layers.1", s->half, 2 * N, s->C);
    if (N != K)
        add_prefixed(c, block, "skip_connection", s->half, N, K);
}

static void add_flow(struct checkpoint *c, const struct shape *s)
{
    size_t parts = s->sparse ? 1 : s->patch * s->patch * s->patch;
    size_t first = s->sparse ? s->io : s->C;
    char name[64];
    add_linear(c, "t_embedder.mlp.0", false, s->C, 256);
    add_linear(c, "t_embedder.mlp.2", false, s->C, s->C);
    add_linear(c, "input_layer", false, first, s->in * parts);
    add_linear(c, "out_layer", false, s->out * parts, first);
    if (!s->sparse) // not what they are in practice: they are the file's
        add_tensor(c, "pos_emb", false, 1, 0, 2,
                   (const size_t[]){s->resolution * s->resolution * s->resolution / parts,
                                    s->C});
    for (unsigned i = 0; i < s->blocks; i++)
        add_transformer_block(c, s, i);
    for (unsigned i = 0; i < s->io_blocks; i++) {
        snprintf(name, sizeof name, "input_blocks.%u", i);
        add_res_block(c, s, name, i + 1 == s->io_blocks ? s->C : s->io, s->io);
        snprintf(name, sizeof name, "out_blocks.%u", i);
        add_res_block(c, s, name, s->io, 2 * (i ? s->io : s->C));
    }
}

static void write_flow(struct tmp *tmp, struct tess_context *ctx, const struct shape *s,
                       char *path)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    char text[1024], io[128] = "";
    add_flow(c, s);
    if (s->sparse)
        snprintf(io, sizeof io,
                 ", \"num_io_res_blocks\": %zu, \"io_block_channels\": [%zu]",
                 s->io_blocks, s->io);
    snprintf(text, sizeof text,
             "{\"name\": \"%s\", \"args\": {\"resolution\": %zu, \"in_channels\": %zu, "
             "\"out_channels\": %zu, \"model_channels\": %zu, \"cond_channels\": %zu, "
             "\"num_blocks\": %zu, \"num_heads\": %zu, \"mlp_ratio\": %g, "
             "\"patch_size\": %zu, \"pe_mode\": \"ape\", \"qk_rms_norm\": %s%s}}",
             s->sparse ? "SLatFlowModel" : "SparseStructureFlowModel", s->resolution,
             s->in, s->out, s->C, s->condition, s->blocks, s->heads, s->ratio,
             s->sparse ? (size_t)2 : s->patch, s->qk_norm ? "true" : "false", io);
    tmp_write_text(tmp, "net.json", text);
    snprintf(path, 512, "%s/net", tmp->folder);
    write_tensors(ctx, c, path);
    free(c);
}

// A flow model, its reference, and what both are run on.
struct net {
    struct tess_context *ctx;
    struct tess_flow *flow;
    struct tess_safetensors *file;
    struct ref_flow ref;
    struct sample {
        struct ref_grid grid;
        size_t rows;
        float *x;
    } samples[2];         // the second has fewer voxels
    float *conditions;    // [2][tokens][condition]
    double *condition[3]; // the same, and zeros
};

// Distinct voxels in no order.
static struct ref_grid make_voxels(size_t count, size_t resolution, uint64_t seed)
{
    struct ref_grid grid = {count, malloc(3 * count * sizeof(int32_t))};
    size_t cells = resolution * resolution * resolution;
    uint32_t *order = malloc(cells * sizeof *order);
    for (uint32_t i = 0; i < cells; i++)
        order[i] = i;
    for (size_t i = 0; i < count; i++) {
        size_t k = i + ops_random(&seed) % (cells - i);
        uint32_t cell = order[k];
        order[k] = order[i];
        grid.coords[3 * i] = (int32_t)(cell / resolution / resolution);
        grid.coords[3 * i + 1] = (int32_t)(cell / resolution % resolution);
        grid.coords[3 * i + 2] = (int32_t)(cell % resolution);
    }
    free(order);
    return grid;
}

static void open_net(struct net *net, struct tmp *tmp, const struct shape *s)
{
    char path[512];
    size_t size = s->tokens * s->condition;
    *net = (struct net){.ctx = open_context(0)};
    write_flow(tmp, net->ctx, s, path);
    expect_ok(net->ctx, tess_flow_open(&net->flow, &net->ctx->env, path));
    net->file = open_tensors(net->ctx, path);
    net->ref = (struct ref_flow){net->file, tess_flow_config(net->flow), s->tokens};
    assert_int_equal(net->ref.config->hidden, s->hidden);
    for (size_t i = 0; i < 2; i++) {
        struct sample *sample = &net->samples[i];
        sample->rows = s->sparse ? (i ? (s->voxels + 2) / 3 : s->voxels)
                                 : s->resolution * s->resolution * s->resolution;
        if (s->sparse)
            sample->grid = make_voxels(sample->rows, s->resolution, 11 + i);
        sample->x = ops_floats(sample->rows * s->in, (unsigned)(21 + 10 * i));
    }
    net->conditions = ops_floats(2 * size, 22);
    for (size_t i = 0; i < 2; i++)
        net->condition[i] = ref_copy(net->conditions + i * size, size);
    net->condition[2] = calloc(size, sizeof(double));
}

static void close_net(struct net *net)
{
    for (int i = 0; i < 3; i++)
        free(net->condition[i]);
    free(net->conditions);
    for (int i = 0; i < 2; i++) {
        free(net->samples[i].x);
        free(net->samples[i].grid.coords);
    }
    tess_safetensors_close(&net->file);
    tess_flow_close(&net->flow);
    tess_context_destroy(&net->ctx);
}

// ---- one evaluation ----

static const struct tess_flow_step eval_steps[] = {
    {.timestep = 731.5f, .runs = 4, .run = {{0, 0}, {0, -1}, {0, 1}, {1, 1}}},
    {.timestep = 12.25f, .runs = 1, .run = {{0, 1}}},
    {.timestep = 500, .runs = 3, .run = {{0, -1}, {1, -1}, {1, 0}}},
};
#define EVAL_STEPS (sizeof eval_steps / sizeof *eval_steps)

struct velocity_sink {
    const struct net *net;
    float *to;
};

static size_t velocity_size(const struct net *net, struct tess_flow_run run)
{
    return net->samples[run.item].rows * net->ref.config->out_channels;
}

static enum tess_status keep_velocity(void *user, size_t index,
                                      const float *const *velocity)
{
    struct velocity_sink *sink = user;
    const struct tess_flow_step *step = &eval_steps[index];
    for (size_t i = 0; i < step->runs; i++) {
        size_t size = velocity_size(sink->net, step->run[i]);
        memcpy(sink->to, velocity[i], size * sizeof **velocity);
        sink->to += size;
    }
    return TESS_OK;
}

static struct tess_flow_item item_of(const struct sample *sample)
{
    return (struct tess_flow_item){sample->grid.coords, sample->rows, sample->x};
}

static void run_evaluations(struct tess_context *ctx, const void *user, float *to,
                            size_t *floor)
{
    const struct net *net = user;
    struct tess_flow_job *job = NULL;
    struct velocity_sink sink = {net, to};
    struct tess_flow_item items[] = {item_of(&net->samples[0]),
                                     item_of(&net->samples[1])};
    expect_ok(ctx, tess_flow_job_create(&job, ctx->device, net->flow,
                                        &(struct tess_flow_params){
                                            .items = items,
                                            .item_count = 2,
                                            .conditions = net->conditions,
                                            .condition_count = 2,
                                            .condition_tokens = net->ref.condition_tokens,
                                            .steps = eval_steps,
                                            .step_count = EVAL_STEPS,
                                            .velocity = keep_velocity,
                                            .user = &sink}));
    run_stage(ctx, tess_flow_stage, job, floor);
    tess_flow_job_destroy(&job);
}

static void check_run(const struct net *net, float timestep, struct tess_flow_run run,
                      const float *velocity)
{
    const struct sample *sample = &net->samples[run.item];
    double *x = ref_copy(sample->x, sample->rows * net->ref.config->in_channels);
    double *reference =
        ref_velocity(&net->ref, sample->grid, x, (double)timestep,
                     net->condition[run.condition < 0 ? 2 : run.condition]);
    ops_expect(velocity, reference, velocity_size(net, run), BOUND);
    free(reference);
    free(x);
}

static void check_flow(struct tmp *tmp, const struct shape *s)
{
    struct net net;
    size_t size = 0;
    open_net(&net, tmp, s);
    for (size_t i = 0; i < EVAL_STEPS; i++)
        for (size_t k = 0; k < eval_steps[i].runs; k++)
            size += velocity_size(&net, eval_steps[i].run[k]);
    float *velocity = run_in_budgets((struct work){run_evaluations, &net, size});
    const float *of_run = velocity;
    for (size_t i = 0; i < EVAL_STEPS; i++)
        for (size_t k = 0; k < eval_steps[i].runs; k++) {
            check_run(&net, eval_steps[i].timestep, eval_steps[i].run[k], of_run);
            of_run += velocity_size(&net, eval_steps[i].run[k]);
        }
    free(velocity);
    close_net(&net);
}

static const struct shape dense_shapes[] = {
    {.resolution = 6, // 27 tokens
     .in = 5,
     .out = 4,
     .C = 48,
     .heads = 3,
     .ratio = 1.5,
     .hidden = 72,
     .blocks = 2,
     .condition = 13,
     .tokens = 37,
     .patch = 2,
     .half = true,
     .qk_norm = true},
    {.resolution = 5, // 125 tokens
     .in = 3,
     .out = 3,
     .C = 40,
     .heads = 2,
     .ratio = 2.5,
     .hidden = 100,
     .blocks = 3,
     .condition = 64,
     .tokens = 70,
     .patch = 1,
     .half = false,
     .qk_norm = true},
    {.resolution = 11, // 1331 tokens: keys in two parts
     .in = 1,
     .out = 2,
     .C = 16,
     .heads = 1,
     .ratio = 1,
     .hidden = 16,
     .blocks = 1,
     .condition = 8,
     .tokens = 1030, // here too
     .patch = 1,
     .half = true,
     .qk_norm = false},
    {.resolution = 3, // one token
     .in = 2,
     .out = 1,
     .C = 24,
     .heads = 4,
     .ratio = 4,
     .hidden = 96,
     .blocks = 1,
     .condition = 5,
     .tokens = 1,
     .patch = 3,
     .half = false,
     .qk_norm = false},
};

static void structure_flows_of_any_size(void **state)
{
    size_t count = asked_tiny() ? 1 : sizeof dense_shapes / sizeof *dense_shapes;
    for (size_t i = 0; i < count; i++)
        check_flow(*state, &dense_shapes[i]);
}

static const struct shape sparse_shapes[] = {
    {.sparse = true,
     .resolution = 10,
     .voxels = 37,
     .in = 5,
     .out = 4,
     .C = 48,
     .heads = 3,
     .ratio = 1.5,
     .hidden = 72,
     .blocks = 2,
     .condition = 13,
     .tokens = 37,
     .io = 20,
     .io_blocks = 2,
     .half = true,
     .qk_norm = true},
    {.sparse = true, // a full grid
     .resolution = 8,
     .voxels = 512,
     .in = 3,
     .out = 3,
     .C = 40,
     .heads = 2,
     .ratio = 2.5,
     .hidden = 100,
     .blocks = 1,
     .condition = 21,
     .tokens = 70,
     .io = 20,
     .io_blocks = 1,
     .half = true,
     .qk_norm = false},
    {.sparse = true,
     .resolution = 12,
     .voxels = 301,
     .in = 8,
     .out = 8,
     .C = 24,
     .heads = 1,
     .ratio = 1,
     .hidden = 24,
     .blocks = 1,
     .condition = 9,
     .tokens = 5,
     .io = 20,
     .io_blocks = 3,
     .half = false,
     .qk_norm = true},
    {.sparse = true, // the first block on the way up keeps its channels
     .resolution = 6,
     .voxels = 37,
     .in = 2,
     .out = 1,
     .C = 16,
     .heads = 2,
     .ratio = 2,
     .hidden = 32,
     .blocks = 1,
     .condition = 3,
     .tokens = 4,
     .io = 32,
     .io_blocks = 1,
     .half = false,
     .qk_norm = false},
    {.sparse = true, // one voxel; the block on the way down keeps its channels
     .resolution = 16,
     .voxels = 1,
     .in = 2,
     .out = 2,
     .C = 36,
     .heads = 3,
     .ratio = 2,
     .hidden = 72,
     .blocks = 2,
     .condition = 7,
     .tokens = 66,
     .io = 36,
     .io_blocks = 2,
     .half = true,
     .qk_norm = true},
};

static void latent_flows_of_any_size(void **state)
{
    size_t count = asked_tiny() ? 1 : sizeof sparse_shapes / sizeof *sparse_shapes;
    for (size_t i = 0; i < count; i++)
        check_flow(*state, &sparse_shapes[i]);
}

// ---- samplers ----

struct sampling {
    const struct shape *shape;
    struct tess_schedule schedule;
    enum tess_multi_image multi;
    size_t conditions;
};

struct sampler_run {
    const struct net *net;
    const struct sampling *sampling;
    bool apart;
    size_t items;
};

static void run_sampler(struct tess_context *ctx, const void *user, float *to,
                        size_t *floor)
{
    const struct sampler_run *run = user;
    const struct net *net = run->net;
    struct tess_sampler *sampler = NULL;
    struct tess_flow_item items[2];
    size_t channels = run->sampling->shape->in;
    for (size_t i = 0; i < run->items; i++) {
        items[i] = item_of(&net->samples[i]);
        if (!to)
            continue;
        items[i].x = memcpy(to, items[i].x, items[i].rows * channels * sizeof *to);
        to += items[i].rows * channels;
    }
    expect_ok(ctx, tess_sampler_create(&sampler, ctx->device, net->flow,
                                       &(struct tess_sampler_params){
                                           .schedule = run->sampling->schedule,
                                           .multi = run->sampling->multi,
                                           .items = items,
                                           .item_count = run->items,
                                           .conditions = net->conditions,
                                           .condition_count = run->sampling->conditions,
                                           .condition_tokens = net->ref.condition_tokens,
                                           .guide_apart = run->apart}));
    run_stage(ctx, tess_flow_stage, tess_sampler_job(sampler), floor);
    tess_sampler_destroy(&sampler);
}

// v += share * velocity under a condition
static void add_velocity(double *v, double share, const struct net *net,
                         const struct sample *sample, const double *x, double t,
                         const double *condition)
{
    double *u =
        ref_velocity(&net->ref, sample->grid, x, (double)(float)(1000 * t), condition);
    for (size_t i = 0; i < sample->rows * net->ref.config->out_channels; i++)
        v[i] += share * u[i];
    free(u);
}

static double time_of(const struct tess_schedule *schedule, unsigned step)
{
    double s = 1 - (double)step / schedule->steps, r = schedule->rescale_t;
    return r * s / (1 + (r - 1) * s);
}

static double *ref_sample(const struct net *net, const struct sample *sample,
                          const struct sampling *sampling)
{
    const struct tess_schedule *schedule = &sampling->schedule;
    size_t size = sample->rows * sampling->shape->in, n = sampling->conditions;
    double *x = ref_copy(sample->x, size), *v = malloc(size * sizeof *v);
    for (unsigned k = 0; k < schedule->steps; k++) {
        double t = time_of(schedule, k), w = 0;
        if (schedule->interval[0] <= t && t <= schedule->interval[1])
            w = schedule->guidance;
        memset(v, 0, size * sizeof *v);
        if (sampling->multi == TESS_MULTI_STOCHASTIC)
            add_velocity(v, 1 + w, net, sample, x, t, net->condition[k % n]);
        else
            for (size_t c = 0; c < n; c++)
                add_velocity(v, (1 + w) / (double)n, net, sample, x, t,
                             net->condition[c]);
        if (w != 0)
            add_velocity(v, -w, net, sample, x, t, net->condition[2]);
        for (size_t i = 0; i < size; i++)
            x[i] -= (t - time_of(schedule, k + 1)) * v[i];
    }
    free(v);
    return x;
}

static void check_sampling(struct tmp *tmp, const struct sampling *sampling)
{
    struct net net;
    open_net(&net, tmp, sampling->shape);
    size_t size = net.samples[0].rows * sampling->shape->in;
    size_t size2 = net.samples[1].rows * sampling->shape->in;
    struct sampler_run run = {&net, sampling, false, 1};
    float *together = run_in_budgets((struct work){run_sampler, &run, size});
    run.apart = true;
    float *apart = run_in_budgets((struct work){run_sampler, &run, size});
    assert_memory_equal(apart, together, size * sizeof *apart);
    for (int beside = 0; beside < 2; beside++) {
        struct sampler_run pair = {&net, sampling, beside == 1, 2};
        float *both = run_in_budgets((struct work){run_sampler, &pair, size + size2});
        assert_memory_equal(both, together, size * sizeof *both);
        double *second = ref_sample(&net, &net.samples[1], sampling);
        ops_expect(both + size, second, size2, BOUND);
        free(second);
        free(both);
    }
    double *reference = ref_sample(&net, &net.samples[0], sampling);
    ops_expect(together, reference, size, BOUND);
    free(reference);
    free(together);
    free(apart);
    close_net(&net);
}

static void samplers(void **state)
{
    static const struct sampling cases[] = {
        // t = 1, 6/7, 3/5: the second and third guided
        {.shape = &sparse_shapes[2],
         .schedule = {.steps = 3, .rescale_t = 3, .guidance = 3, .interval = {0.5, 0.95}},
         .conditions = 2},
        {.shape = &dense_shapes[1],
         .schedule = {.steps = 3, .rescale_t = 1, .guidance = 1.5, .interval = {0.5, 1}},
         .conditions = 1},
        {.shape = &dense_shapes[1],
         .schedule = {.steps = 3, .rescale_t = 2, .guidance = 2, .interval = {0, 0.9}},
         .multi = TESS_MULTI_DIFFUSION,
         .conditions = 2},
        {.shape = &sparse_shapes[1],
         .schedule = {.steps = 3, .rescale_t = 3, .guidance = 0, .interval = {0, 1}},
         .multi = TESS_MULTI_DIFFUSION,
         .conditions = 2},
        {.shape = &sparse_shapes[4], // t = 1, 4/5, 1/2
         .schedule = {.steps = 3, .rescale_t = 2, .guidance = 3, .interval = {0.7, 0.9}},
         .conditions = 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_sampling(*state, &cases[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure_flows_of_any_size),
        cmocka_unit_test(latent_flows_of_any_size),
        cmocka_unit_test(samplers),
    };
    // Minutes where kernels are compiled again for each context: the network that has
    // most of them.
    static const struct CMUnitTest tiny_tests[] = {
        cmocka_unit_test(latent_flows_of_any_size),
    };
    if (asked_tiny())
        return cmocka_run_group_tests(tiny_tests, tmp_setup, tmp_teardown);
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
