// Golden data against this device: DIR/io/NAME.safetensors against DIR/model.
//
// A file's name says which network made it. Agreement is ||out - ref|| / ||ref||, at most
// 1e-5 for one pass of a network; meshes have the same counts, every vertex within 1e-5
// of its counterpart, and the same faces up to their order and the rotation of their
// corners.
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "geom/flexicubes.h"
#include "geom/mesh_compare.h"
#include "io/safetensors.h"
#include "pipeline/verify.h"

#define BOUND TESS_VERIFY_PASS_BOUND
// Of the quads whose two diagonals are equal to rounding, this share of all faces may
// differ.
#define OTHER_DIAGONAL_SHARE 0.002
#define CUBES                64

void tess_verify_tell(struct tess_verifier *v, const char *tensor, const char *shape,
                      double error, double bound, bool pass, const char *note)
{
    v->checks++;
    v->failures += !pass;
    if (v->report)
        v->report(v->user, &(struct tess_check){.file = v->file,
                                                .tensor = tensor,
                                                .shape = shape,
                                                .note = note,
                                                .error = error,
                                                .bound = bound,
                                                .pass = pass});
}

// ---- arrays of a golden file ----

enum tess_status tess_verify_floats(float **out, size_t *rows, struct tess_verifier *v,
                                    const char *name, int dims, const size_t *shape)
{
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_safetensors_require(&tensor, v->golden, &v->ctx->env, name,
                                      1u << TESS_F32, dims, shape));
    TESS_TRY(
        tess_alloc(out, &v->ctx->env, tensor->elements, sizeof(float), "golden data"));
    tess_file_tensor_floats(*out, tensor);
    if (rows)
        *rows = tensor->shape[0];
    return TESS_OK;
}

enum tess_status tess_verify_ints(int32_t **out, size_t *rows, struct tess_verifier *v,
                                  const char *name, size_t columns)
{
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_safetensors_require(&tensor, v->golden, &v->ctx->env, name,
                                      1u << TESS_I32, columns ? 2 : 1,
                                      (const size_t[]){0, columns}));
    TESS_TRY(
        tess_alloc(out, &v->ctx->env, tensor->elements, sizeof(int32_t), "golden data"));
    memcpy(*out, tensor->data, tensor->bytes);
    *rows = tensor->shape[0];
    return TESS_OK;
}

// `coords` without the column of the batch, which has to be 0.
enum tess_status tess_verify_coords(int32_t **out, size_t *rows, struct tess_verifier *v,
                                    const char *name)
{
    TESS_TRY(tess_verify_ints(out, rows, v, name, 4));
    for (size_t i = 0; i < *rows; i++) {
        int32_t *row = *out + 4 * i;
        if (row[0] != 0)
            return tess_fail(&v->ctx->env, TESS_ERR_FILE,
                             "%s: tensor %s, row %zu is of batch item %d, expected 0",
                             tess_safetensors_path(v->golden), name, i, (int)row[0]);
        memmove(*out + 3 * i, row + 1, 3 * sizeof *row);
    }
    return TESS_OK;
}

static enum tess_status read_latent(struct tess_latent **out, struct tess_verifier *v)
{
    struct tess_latent *latent = NULL;
    size_t rows;
    TESS_TRY(tess_alloc(&latent, &v->ctx->env, 1, sizeof *latent, "a latent"));
    enum tess_status status =
        tess_strdup(&latent->path, &v->ctx->env, tess_safetensors_path(v->golden));
    if (!status)
        status = tess_verify_coords(&latent->coords, &latent->voxels, v, "coords");
    if (!status)
        status = tess_verify_floats(&latent->feats, &rows, v, "slat", 2,
                                    (const size_t[]){latent->voxels, 0});
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    latent->channels = tess_safetensors_find(v->golden, "slat")->shape[1];
    *out = latent;
    return TESS_OK;
}

enum tess_status tess_verify_noise(float **out, struct tess_verifier *v, const char *name,
                                   size_t count)
{
    uint64_t seed = tess_hash(TESS_HASH_START, name, strlen(name));
    float *values = NULL;
    TESS_TRY(
        tess_alloc(&values, &v->ctx->env, count, sizeof *values, "synthetic inputs"));
    for (size_t i = 0; i < count; i++) {
        uint64_t z = seed + i + 0x9E3779B97F4A7C15ull;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ z >> 27) * 0x94D049BB133111EBull;
        z ^= z >> 31;
        values[i] = ((float)(z >> 40) / 8388608.0f - 1.0f) * (float)sqrt(3);
    }
    *out = values;
    return TESS_OK;
}

// Noise at the coordinates of the latent flow model's golden file.
static enum tess_status synthetic_latent(struct tess_latent *latent,
                                         struct tess_verifier *v)
{
    struct tess_safetensors *own = v->golden, *other = NULL;
    char *path = NULL;
    TESS_TRY(
        tess_strf(&path, &v->ctx->env, "%s/io/slat_flow_step.safetensors", v->directory));
    enum tess_status status = tess_safetensors_open(&other, &v->ctx->env, path);
    free(path);
    TESS_TRY(status);
    v->golden = other;
    status = tess_verify_coords(&latent->coords, &latent->voxels, v, "coords");
    v->golden = own;
    tess_safetensors_close(&other);
    return status ? status
                  : tess_verify_noise(&latent->feats, v, "full.slat_x",
                                      latent->voxels * latent->channels);
}

enum tess_status tess_verify_latent(struct tess_latent **out, struct tess_verifier *v,
                                    size_t channels)
{
    if (tess_safetensors_find(v->golden, "slat"))
        return read_latent(out, v);
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_alloc(&latent, &v->ctx->env, 1, sizeof *latent, "a latent"));
    latent->channels = channels;
    enum tess_status status = tess_strdup(&latent->path, &v->ctx->env, v->file);
    if (!status)
        status = synthetic_latent(latent, v);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}

static void shape_text(char *text, size_t size, const struct tess_file_tensor *tensor)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < tensor->dims && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "," : "",
                                 tensor->shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

// Compare `count` values with the whole of a golden tensor of any shape.
enum tess_status tess_verify_compare(struct tess_verifier *v, const char *name,
                                     const float *values, size_t count, double bound)
{
    const struct tess_file_tensor *tensor = tess_safetensors_find(v->golden, name);
    char shape[96];
    if (!tensor) {
        tess_verify_tell(v, name, "", NAN, bound, false,
                         "the golden file has no such tensor");
        return TESS_OK;
    }
    shape_text(shape, sizeof shape, tensor);
    if (tensor->dtype != TESS_F32 || tensor->elements != count) {
        tess_verify_tell(v, name, shape, NAN, bound, false,
                         "another number of values than the result has");
        return TESS_OK;
    }
    float *reference = NULL;
    TESS_TRY(
        tess_alloc(&reference, &v->ctx->env, count, sizeof *reference, "golden data"));
    tess_file_tensor_floats(reference, tensor);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)values[i] - reference[i];
        difference += d * d;
        norm += (double)reference[i] * reference[i];
    }
    free(reference);
    double error = norm > 0 ? sqrt(difference / norm) : sqrt(difference);
    tess_verify_tell(v, name, shape, error, bound, error <= bound, "");
    return TESS_OK;
}

// ---- what the files hold ----

enum tess_status tess_verify_model(struct tess_model **out, struct tess_verifier *v)
{
    if (!v->model) {
        char *path = NULL;
        TESS_TRY(tess_strf(&path, &v->ctx->env, "%s/model", v->directory));
        enum tess_status status = tess_model_open(&v->model, v->ctx, path);
        free(path);
        TESS_TRY(status);
    }
    *out = v->model;
    return TESS_OK;
}

static enum tess_status open_decoder(const struct tess_slat_decoder **out,
                                     struct tess_verifier *v, enum tess_decoder decoder)
{
    struct tess_model *model;
    TESS_TRY(tess_verify_model(&model, v));
    return tess_model_decoder(out, model, v->ctx, decoder);
}

// The output layer's rows before any activation.
struct raw_sink {
    const uint32_t *source;
    float *rows;
    size_t columns;
};

static enum tess_status keep_raw(void *user, size_t row0, size_t rows, const void *data)
{
    const struct raw_sink *sink = user;
    for (size_t i = 0; i < rows; i++)
        memcpy(sink->rows + sink->source[row0 + i] * sink->columns,
               (const float *)data + i * sink->columns, sink->columns * sizeof(float));
    return TESS_OK;
}

static enum tess_status ignore_rows(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    (void)user, (void)row0, (void)rows, (void)data;
    return TESS_OK;
}

static enum tess_status verify_raw_gaussians(struct tess_verifier *v,
                                             const struct tess_slat_decoder *decoder,
                                             const struct tess_latent *latent)
{
    struct raw_sink sink = {
        .columns = 14 * tess_slat_decoder_config(decoder)->gaussian.gaussians};
    struct tess_slat_job *job = NULL;
    TESS_TRY(
        tess_slat_job_create(&job, v->ctx->device, decoder, latent, ignore_rows, &sink));
    tess_slat_job_want_raw(job, keep_raw);
    sink.source = tess_slat_job_source(job);
    enum tess_status status = tess_alloc(&sink.rows, &v->ctx->env, latent->voxels,
                                         sink.columns * sizeof(float), "raw Gaussians");
    if (!status)
        status = tess_context_run(v->ctx, tess_slat_stage_name(decoder),
                                  tess_slat_decode_stage, job);
    if (!status)
        status = tess_verify_rows(v, "out", sink.rows, latent->voxels, sink.columns);
    tess_slat_job_destroy(&job);
    free(sink.rows);
    return status;
}

static enum tess_status verify_gaussians(struct tess_verifier *v)
{
    const struct tess_slat_decoder *decoder;
    struct tess_latent *latent = NULL;
    struct tess_splats splats = {0};
    TESS_TRY(open_decoder(&decoder, v, TESS_DECODER_GAUSSIAN));
    TESS_TRY(tess_verify_latent(&latent, v,
                                tess_slat_decoder_config(decoder)->latent_channels));
    if (tess_safetensors_find(v->golden, "out")) {
        enum tess_status raw = verify_raw_gaussians(v, decoder, latent);
        tess_latent_free(&latent);
        return raw;
    }
    enum tess_status status = tess_decode_splats(&splats, v->ctx, decoder, latent);
    if (!status)
        status = tess_verify_compare(v, "xyz", splats.positions, 3 * splats.count, BOUND);
    if (!status)
        status =
            tess_verify_compare(v, "scaling", splats.scales, 3 * splats.count, BOUND);
    if (!status)
        status =
            tess_verify_compare(v, "rotation", splats.rotations, 4 * splats.count, BOUND);
    if (!status)
        status = tess_verify_compare(v, "opacity", splats.opacities, splats.count, BOUND);
    if (!status)
        status = tess_verify_compare(v,
                                     tess_safetensors_find(v->golden, "features_dc")
                                         ? "features_dc"
                                         : "raw_features_dc",
                                     splats.colours, 3 * splats.count, BOUND);
    tess_splats_clear(&splats);
    tess_latent_free(&latent);
    return status;
}

enum tess_status tess_verify_rows(struct tess_verifier *v, const char *name,
                                  const float *values, size_t value_rows, size_t columns)
{
    int32_t *rows = NULL;
    float *chosen = NULL;
    size_t count;
    TESS_TRY(tess_verify_ints(&rows, &count, v, "rows", 0));
    enum tess_status status =
        tess_alloc(&chosen, &v->ctx->env, count, columns * sizeof *chosen, "golden data");
    for (size_t i = 0; i < count && !status; i++) {
        if (rows[i] < 0 || (size_t)rows[i] >= value_rows)
            status = tess_fail(&v->ctx->env, TESS_ERR_FILE,
                               "%s: tensor rows, row %zu is %d, expected 0..%zu",
                               tess_safetensors_path(v->golden), i, (int)rows[i],
                               value_rows - 1);
        else
            memcpy(chosen + i * columns, values + (size_t)rows[i] * columns,
                   columns * sizeof *chosen);
    }
    if (!status)
        status = tess_verify_compare(v, name, chosen, count * columns, BOUND);
    free(rows);
    free(chosen);
    return status;
}

// Features [64 N][columns] in the order of the latent's voxels; the golden file has all
// of them as `feats`, or as `feats` or `out` those that its tensor `rows` names.
static enum tess_status compare_feats(struct tess_verifier *v, const float *feats,
                                      size_t voxels, size_t columns)
{
    if (!tess_safetensors_find(v->golden, "rows"))
        return tess_verify_compare(v, "feats", feats, CUBES * voxels * columns, BOUND);
    return tess_verify_rows(v, tess_safetensors_find(v->golden, "out") ? "out" : "feats",
                            feats, CUBES * voxels, columns);
}

static void judge_mesh(struct tess_verifier *v, const struct tess_mesh_difference *d,
                       const struct tess_mesh_reference *reference)
{
    char shape[64], note[160] = "";
    snprintf(shape, sizeof shape, "[%zu,3]", reference->vertices);
    if (d->vertices_wrong || d->vertices_missing)
        snprintf(note, sizeof note, "%zu vertices out of place, %zu missing",
                 d->vertices_wrong, d->vertices_missing);
    tess_verify_tell(v, "vertices", shape, d->max_vertex_distance, BOUND,
                     !d->vertices_wrong && !d->vertices_missing &&
                         d->max_vertex_distance <= BOUND,
                     *note ? note : "largest distance");
    snprintf(shape, sizeof shape, "[%zu,3]", reference->faces);
    snprintf(note, sizeof note, "%zu wrong, %zu missing, %zu along the other diagonal",
             d->faces_wrong, d->faces_missing, d->faces_other_diagonal);
    double other = reference->faces ? (double)(d->faces_wrong + d->faces_other_diagonal) /
                                          (double)reference->faces
                                    : (double)d->faces_wrong;
    tess_verify_tell(
        v, "faces", shape, other, OTHER_DIAGONAL_SHARE,
        !d->faces_wrong && !d->faces_missing && other <= OTHER_DIAGONAL_SHARE, note);
    if (reference->attributes) {
        snprintf(shape, sizeof shape, "[%zu,6]", reference->vertices);
        tess_verify_tell(v, "vertex_attrs", shape, d->attribute_error, BOUND,
                         d->attribute_error <= BOUND, "");
    }
}

static enum tess_status compare_mesh(struct tess_verifier *v,
                                     const struct tess_mesh *mesh)
{
    float *positions = NULL, *attributes = NULL;
    int32_t *indices = NULL;
    struct tess_mesh_reference reference = {0};
    enum tess_status status = tess_verify_floats(&positions, &reference.vertices, v,
                                                 "vertices", 2, (const size_t[]){0, 3});
    if (!status)
        status = tess_verify_ints(&indices, &reference.faces, v, "faces", 3);
    if (!status && tess_safetensors_find(v->golden, "vertex_attrs"))
        status = tess_verify_floats(&attributes, NULL, v, "vertex_attrs", 2,
                                    (const size_t[]){reference.vertices, 6});
    reference.positions = positions;
    reference.attributes = attributes;
    reference.indices = indices;
    struct tess_mesh_difference difference;
    if (!status)
        status = tess_mesh_compare(&difference, &v->ctx->env, mesh, &reference, NULL);
    if (!status)
        judge_mesh(v, &difference, &reference);
    free(positions);
    free(attributes);
    free(indices);
    return status;
}

static enum tess_status verify_mesh(struct tess_verifier *v)
{
    const struct tess_slat_decoder *decoder;
    struct tess_latent *latent = NULL;
    struct tess_mesh mesh = {0};
    float *feats = NULL;
    TESS_TRY(open_decoder(&decoder, v, TESS_DECODER_MESH));
    TESS_TRY(tess_verify_latent(&latent, v,
                                tess_slat_decoder_config(decoder)->latent_channels));
    bool has_feats = tess_safetensors_find(v->golden, "feats") != NULL ||
                     tess_safetensors_find(v->golden, "out") != NULL;
    enum tess_status status =
        tess_decode_mesh(&mesh, has_feats ? &feats : NULL, v->ctx, decoder, latent);
    if (!status && has_feats)
        status = compare_feats(v, feats, latent->voxels,
                               tess_slat_decoder_config(decoder)->use_color ? 101 : 53);
    if (!status && tess_safetensors_find(v->golden, "vertices"))
        status = compare_mesh(v, &mesh);
    free(feats);
    tess_mesh_clear(&mesh);
    tess_latent_free(&latent);
    return status;
}

// Centres of voxels in [0, 1].
static enum tess_status compare_centres(struct tess_verifier *v,
                                        const struct tess_latent *latent,
                                        uint32_t resolution)
{
    size_t count = 3 * latent->voxels;
    float *centres = NULL;
    TESS_TRY(tess_alloc(&centres, &v->ctx->env, count, sizeof *centres, "centres"));
    for (size_t i = 0; i < count; i++)
        centres[i] = ((float)latent->coords[i] + 0.5f) / (float)resolution;
    enum tess_status status = tess_verify_compare(v, "position", centres, count, BOUND);
    free(centres);
    return status;
}

static enum tess_status verify_radiance(struct tess_verifier *v)
{
    const struct tess_slat_decoder *decoder;
    struct tess_latent *latent = NULL;
    struct tess_radiance field = {0};
    TESS_TRY(open_decoder(&decoder, v, TESS_DECODER_RADIANCE));
    const struct tess_slat_decoder_config *config = tess_slat_decoder_config(decoder);
    TESS_TRY(tess_verify_latent(&latent, v, config->latent_channels));
    enum tess_status status = tess_decode_radiance(&field, v->ctx, decoder, latent);
    size_t rows = field.voxels * field.rank;
    if (!status)
        status =
            tess_verify_compare(v, "trivec", field.vectors, rows * 3 * field.dim, BOUND);
    if (!status)
        status = tess_verify_compare(v, "density", field.densities, rows, BOUND);
    if (!status)
        status = tess_verify_compare(v, "features_dc", field.colours, 3 * rows, BOUND);
    if (!status)
        status = compare_centres(v, latent, config->resolution);
    tess_radiance_clear(&field);
    tess_latent_free(&latent);
    return status;
}

static enum tess_status read_resolution(uint32_t *out, struct tess_verifier *v)
{
    const char *text = tess_safetensors_metadata(v->golden, "resolution");
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || value < 1 ||
        value > TESS_FLEXICUBES_MAX_RESOLUTION)
        return tess_fail(&v->ctx->env, TESS_ERR_FILE,
                         "%s: __metadata__ field resolution is '%s', expected 1..%d",
                         tess_safetensors_path(v->golden), text ? text : "",
                         TESS_FLEXICUBES_MAX_RESOLUTION);
    *out = (uint32_t)value;
    return TESS_OK;
}

static enum tess_status verify_extraction(struct tess_verifier *v)
{
    struct tess_flexicubes_params params = {.use_colour = true};
    struct tess_flexicubes *cubes = NULL;
    struct tess_mesh mesh = {0};
    int32_t *coords = NULL;
    float *feats = NULL;
    size_t count;
    TESS_TRY(read_resolution(&params.resolution, v));
    enum tess_status status = tess_verify_coords(&coords, &count, v, "coords");
    if (!status)
        status =
            tess_verify_floats(&feats, NULL, v, "feats", 2,
                               (const size_t[]){count, TESS_FLEXICUBES_COLOUR_COLUMNS});
    if (!status)
        status = tess_flexicubes_create(&cubes, &v->ctx->env, &params, coords, count);
    if (!status)
        status = tess_flexicubes_add(cubes, 0, count, feats);
    if (!status)
        status = tess_flexicubes_extract(&mesh, cubes);
    if (!status)
        status = compare_mesh(v, &mesh);
    tess_flexicubes_destroy(&cubes);
    tess_mesh_clear(&mesh);
    free(coords);
    free(feats);
    return status;
}

// ---- the directory ----

static const struct {
    const char *name; // one that ends in _ stands for all that start with it
    enum tess_status (*verify)(struct tess_verifier *v);
} known_files[] = {
    {"slat_dec_gs", verify_gaussians},         {"slat_dec_mesh", verify_mesh},
    {"slat_dec_rf", verify_radiance},          {"flexicubes_", verify_extraction},
    {"dinov2", tess_verify_encoder},           {"ss_flow_step", tess_verify_flow_step},
    {"slat_flow_step", tess_verify_flow_step}, {"ss_sampler", tess_verify_sampler},
    {"slat_sampler", tess_verify_sampler},     {"ss_dec", tess_verify_structure},
};

static bool is_called(const char *file, const char *name)
{
    size_t length = strlen(name);
    return name[length - 1] == '_' ? strncmp(file, name, length) == 0
                                   : strcmp(file, name) == 0;
}

// A file that cannot be used is a failed check; what is wrong with the device ends the
// run.
static enum tess_status verify_file(struct tess_verifier *v, const char *path)
{
    struct tess_context *ctx = v->ctx;
    for (size_t i = 0; i < sizeof known_files / sizeof *known_files; i++) {
        if (!is_called(v->file, known_files[i].name))
            continue;
        enum tess_status status = tess_safetensors_open(&v->golden, &ctx->env, path);
        if (!status)
            status = known_files[i].verify(v);
        tess_safetensors_close(&v->golden);
        if (status == TESS_ERR_FILE) {
            tess_verify_tell(v, "", "", NAN, BOUND, false, ctx->env.message);
            return TESS_OK;
        }
        return status;
    }
    tess_verify_tell(v, "", "", NAN, BOUND, false,
                     "no network of this version is known by this name");
    return TESS_OK;
}

static int keep_tensor_files(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum tess_status verify_entry(struct tess_verifier *v, const char *name)
{
    static const char suffix[] = ".safetensors";
    char *path = NULL, *file = NULL;
    TESS_TRY(tess_strf(&path, &v->ctx->env, "%s/io/%s", v->directory, name));
    enum tess_status status = tess_strdup(&file, &v->ctx->env, name);
    if (!status) {
        size_t length = strlen(file), end = sizeof suffix - 1;
        v->file = file;
        if (length > end && strcmp(file + length - end, suffix) == 0) {
            file[length - end] = '\0';
            status = verify_file(v, path);
        } else {
            tess_verify_tell(v, "", "", NAN, BOUND, false, "not a .safetensors file");
        }
    }
    free(path);
    free(file);
    return status;
}

enum tess_status tess_verify(struct tess_context *ctx, const char *directory,
                             tess_check_fn *report, void *user)
{
    tess_context_begin(ctx);
    struct tess_verifier v = {
        .ctx = ctx, .directory = directory, .report = report, .user = user};
    struct dirent **entries = NULL;
    char *path = NULL;
    TESS_TRY(tess_strf(&path, &ctx->env, "%s/io", directory));
    int count = scandir(path, &entries, keep_tensor_files, alphasort);
    if (count <= 0) {
        enum tess_status status =
            tess_fail(&ctx->env, TESS_ERR_FILE,
                      "%s: %s; expected a directory with golden "
                      "data, *.safetensors",
                      path, count < 0 ? strerror(errno) : "is empty");
        free(entries);
        free(path);
        return status;
    }
    free(path);
    enum tess_status status = TESS_OK;
    for (int i = 0; i < count; i++) {
        if (!status)
            status = verify_entry(&v, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    tess_model_destroy(&v.model);
    if (!status && v.failures)
        status = tess_fail(&ctx->env, TESS_ERR_MISMATCH, "%zu of %zu checks failed",
                           v.failures, v.checks);
    return status;
}
