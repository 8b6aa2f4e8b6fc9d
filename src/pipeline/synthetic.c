// Synthetic model directories. pipeline.json comes last: without it there is no model.
#include "pipeline/synthetic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "io/safetensors.h"
#include "pipeline/context.h"

#define SPARE_BYTES ((uint64_t)4 << 20) // for the file system and the small files

struct writer {
    struct tess_env *env;
    const struct tess_synthetic_sizes *sizes;
    struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS];
    const char *directory;
    bool is_new;          // the directory is
    uint64_t done, total; // bytes
    double start;         // seconds
};

// DIR/ckpts/NAME and a suffix.
static enum tess_status file_path(char **out, const struct writer *w, const char *name,
                                  const char *suffix)
{
    return tess_strf(out, w->env, "%s/ckpts/%s%s", w->directory, name, suffix);
}

// ---- where to ----

static enum tess_status fail_write(const struct writer *w)
{
    return tess_fail(w->env, TESS_ERR_WRITE, "cannot write %s: %s", w->directory,
                     strerror(errno));
}

static enum tess_status check_space(const struct writer *w)
{
    struct statvfs disk;
    if (statvfs(w->directory, &disk) != 0)
        return fail_write(w);
    uint64_t there = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (there >= w->total + SPARE_BYTES)
        return TESS_OK;
    return tess_fail(w->env, TESS_ERR_WRITE,
                     "cannot write %s: it takes %.2f GB, and %.2f GB are free there",
                     w->directory, (double)(w->total + SPARE_BYTES) * 1e-9,
                     (double)there * 1e-9);
}

// Nothing of anybody's is replaced.
static enum tess_status make_ckpts(const struct writer *w)
{
    char *path = NULL;
    TESS_TRY(tess_strf(&path, w->env, "%s/pipeline.json", w->directory));
    bool is_taken = access(path, F_OK) == 0;
    free(path);
    TESS_TRY(file_path(&path, w, "", ""));
    if (is_taken)
        errno = EEXIST;
    bool failed = is_taken || mkdir(path, 0777) != 0;
    free(path);
    if (failed && errno == EEXIST)
        return tess_fail(w->env, TESS_ERR_WRITE, "cannot write %s: a model is there",
                         w->directory);
    return failed ? fail_write(w) : TESS_OK;
}

static enum tess_status make_directories(struct writer *w)
{
    w->is_new = mkdir(w->directory, 0777) == 0;
    if (!w->is_new && errno != EEXIST)
        return fail_write(w);
    enum tess_status status = check_space(w);
    if (!status)
        status = make_ckpts(w);
    if (status && w->is_new)
        rmdir(w->directory);
    return status;
}

// ---- files ----

static enum tess_status make_values(void *user, void *dst,
                                    const struct tess_file_tensor *tensor, size_t first,
                                    size_t count)
{
    struct writer *w = user;
    TESS_TRY(tess_env_check(w->env));
    tess_synthetic_values(dst, w->sizes, tensor, first, count);
    w->done += count * tess_dtype_size(tensor->dtype);
    tess_progress_tell(w->env,
                       (struct tess_progress){.stage = "synthetic weights",
                                              .done = w->done,
                                              .total = w->total,
                                              .elapsed = tess_seconds_now() - w->start});
    return TESS_OK;
}

static enum tess_status write_text(const struct writer *w, const char *path,
                                   const char *text)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, w->env, path));
    tess_output_printf(output, "%s\n", text);
    return tess_output_commit(&output, w->env);
}

static enum tess_status write_network(struct writer *w,
                                      const struct tess_synthetic_network *network)
{
    char *weights = NULL, *config = NULL;
    enum tess_status status = file_path(&weights, w, network->name, ".safetensors");
    if (!status)
        status = file_path(&config, w, network->name, ".json");
    if (!status && network->config)
        status = write_text(w, config, network->config);
    if (!status)
        status = tess_safetensors_write_made(w->env, weights, network->tensors,
                                             network->count, make_values, w);
    free(weights);
    free(config);
    return status;
}

static void print_models(struct tess_output *output, const struct writer *w)
{
    const char *comma = "";
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        const struct tess_synthetic_network *network = &w->networks[i];
        if (!network->role)
            continue;
        tess_output_printf(output, "%s\n      \"%s\": \"ckpts/%s\"", comma, network->role,
                           network->name);
        comma = ",";
    }
}

static void print_sampler(struct tess_output *output, const char *name)
{
    tess_output_printf(output,
                       "    \"%s\": {\"name\": \"FlowEulerGuidanceIntervalSampler\",\n"
                       "      \"args\": {\"sigma_min\": 1e-05},\n"
                       "      \"params\": {\"steps\": 25, \"cfg_strength\": 5.0, "
                       "\"cfg_interval\": [0.5, 1.0], \"rescale_t\": 3.0}},\n",
                       name);
}

// Samplers and normalisation as published.
static enum tess_status write_pipeline(const struct writer *w)
{
    struct tess_output *output = NULL;
    char *path = NULL;
    TESS_TRY(tess_strf(&path, w->env, "%s/pipeline.json", w->directory));
    enum tess_status status = tess_output_open(&output, w->env, path);
    free(path);
    TESS_TRY(status);
    tess_output_printf(output, "{\"name\": \"TrellisImageTo3DPipeline\",\n"
                               "  \"args\": {\n    \"models\": {");
    print_models(output, w);
    tess_output_printf(output, "},\n");
    print_sampler(output, "sparse_structure_sampler");
    print_sampler(output, "slat_sampler");
    tess_output_printf(
        output,
        "    \"slat_normalization\": {\n"
        "      \"mean\": [-2.1687545776367188, -0.004347046371549368,\n"
        "        -0.13352349400520325, -0.08418072760105133, -0.5271206498146057,\n"
        "        0.7238689064979553, -1.1414450407028198, 1.2039363384246826],\n"
        "      \"std\": [2.377650737762451, 2.386378288269043, 2.124418020248413,\n"
        "        2.1748552322387695, 2.663944721221924, 2.371192216873169,\n"
        "        2.6217446327209473, 2.684523105621338]},\n"
        "    \"image_cond_model\": \"dinov2_vitl14_reg\"}}\n");
    return tess_output_commit(&output, w->env);
}

// ---- all ----

static void remove_file(const struct writer *w, const char *name, const char *suffix)
{
    char *path = NULL;
    if (!tess_strf(&path, w->env, "%s/ckpts/%s%s", w->directory, name, suffix))
        remove(path); // `ckpts` itself too
    free(path);
}

// What a failed call wrote; its message stays.
static void remove_written(const struct writer *w)
{
    char message[TESS_MESSAGE_MAX];
    memcpy(message, w->env->message, sizeof message);
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        remove_file(w, w->networks[i].name, ".json");
        remove_file(w, w->networks[i].name, ".safetensors");
    }
    remove_file(w, "", "");
    if (w->is_new)
        rmdir(w->directory);
    memcpy(w->env->message, message, sizeof message);
}

static enum tess_status write_files(struct writer *w)
{
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++)
        TESS_TRY(write_network(w, &w->networks[i]));
    return write_pipeline(w);
}

static enum tess_status make_model(struct writer *w)
{
    TESS_TRY(tess_synthetic_layout(w->networks, w->env, w->sizes));
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        uint64_t bytes;
        TESS_TRY(tess_safetensors_size(&bytes, w->env, w->networks[i].tensors,
                                       w->networks[i].count));
        w->total += bytes;
    }
    TESS_TRY(make_directories(w));
    enum tess_status status = write_files(w);
    if (status)
        remove_written(w);
    return status;
}

enum tess_status tess_model_synthesise(struct tess_context *ctx, const char *directory,
                                       enum tess_model_size size, uint64_t *bytes)
{
    tess_context_begin(ctx);
    struct writer writer = {
        .env = &ctx->env, .sizes = tess_synthetic_sizes(size), .directory = directory};
    writer.start = tess_seconds_now();
    enum tess_status status = make_model(&writer);
    if (!status && bytes)
        *bytes = writer.total;
    tess_synthetic_free(writer.networks);
    return status;
}
