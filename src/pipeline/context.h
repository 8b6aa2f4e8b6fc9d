// Inside src/pipeline: what the public handles hold.
#ifndef TESS_CONTEXT_H
#define TESS_CONTEXT_H

#include "base/mesh.h"
#include "io/latent.h"
#include "mem/stage.h"
#include "model/config.h"
#include "model/flow.h"
#include "model/image_encoder.h"
#include "model/slat_decoder.h"
#include "model/structure_decoder.h"

struct tess_context {
    struct tess_env env;
    struct tess_device *device;
    struct tess_budget budget;
    enum tess_precision precision; // as asked for
    bool unit_chosen;
    // One for each stage that ran.
    struct tess_stage_report *stages;
    size_t stage_count, stage_capacity;
    // For reports: whether files are hashed, what is known (see provenance.h), and the
    // files in it whose digests are still to come.
    bool hash_files;
    struct cJSON *provenance, **hashed;
    size_t hashed_count, hashed_capacity;
    struct tess_file_hashes *hashes;
};

enum tess_decoder {
    TESS_DECODER_GAUSSIAN,
    TESS_DECODER_MESH,
    TESS_DECODER_RADIANCE,
    TESS_DECODER_COUNT
};

// What the image encoder made last, and of what.
struct tess_condition_memory {
    float *values;
    char key[512];
};

// Of a checkpoint's contents.
struct tess_fingerprint {
    const struct tess_checkpoint *file;
    uint64_t value;
};
#define TESS_FINGERPRINTS 4 // networks from a picture to a latent

struct tess_model {
    char *directory;
    const char *place;  // where it was found
    char *encoder_path; // given or found; NULL before that
    const char *encoder_place;
    struct tess_pipeline_config config;
    struct tess_slat_decoder *decoders[TESS_DECODER_COUNT]; // opened when first needed
    struct tess_image_encoder *encoder;
    struct tess_flow *flows[2]; // of the structure, of latents
    struct tess_structure_decoder *structure_decoder;
    struct tess_model_part *parts; // made when first asked for: the config's, the encoder
    struct tess_condition_memory condition;
    struct tess_fingerprint fingerprints[TESS_FINGERPRINTS];
};

struct tess_asset {
    bool has_mesh, has_splats, has_radiance;
    struct tess_mesh mesh;       // with normals
    struct tess_picture texture; // of the mesh, which has coordinates; else empty
    enum tess_texture_format texture_format;
    struct tess_splats splats;
    struct tess_radiance radiance;
    char *model; // "" if not from one
    bool has_seed;
    uint64_t seed;
    bool unlit; // for tess_asset_save_as(): how the copy is to be written
};

struct tess_image {
    struct tess_picture picture;
    char *path; // NULL: not from a file
};

// Start a public call: forget the last message.
void tess_context_begin(struct tess_context *ctx);

// Before anything multiplies: have the device's matrix unit used. Trying one takes device
// memory and, the first time, a compiler's seconds, which other work need not wait for.
enum tess_status tess_context_choose_unit(struct tess_context *ctx);

// Run a stage in the context and keep its report.
enum tess_status tess_context_run(struct tess_context *ctx, const char *name,
                                  tess_stage_fn *fn, void *user);
enum tess_status tess_context_keep(struct tess_context *ctx,
                                   const struct tess_stage_report *report);

// One of the model's decoders. TESS_ERR_FILE if pipeline.json names none, or
// its files are missing or bad.
enum tess_status tess_model_decoder(const struct tess_slat_decoder **out,
                                    struct tess_model *model, struct tess_context *ctx,
                                    enum tess_decoder decoder);
// The other networks, opened when first needed. TESS_ERR_FILE as above.
enum tess_status tess_model_encoder(const struct tess_image_encoder **out,
                                    struct tess_model *model, struct tess_context *ctx);
enum tess_status tess_model_flow(const struct tess_flow **out, struct tess_model *model,
                                 struct tess_context *ctx, bool sparse);
enum tess_status tess_model_structure_decoder(const struct tess_structure_decoder **out,
                                              struct tess_model *model,
                                              struct tess_context *ctx);
// Of tess_model_parts().
void tess_model_forget_parts(struct tess_model *model);
// Whether pipeline.json names one.
bool tess_model_has(const struct tess_model *model, enum tess_decoder decoder);

// Decoding by hand, for tess_decode() and tess_verify().
enum tess_status tess_decode_splats(struct tess_splats *out, struct tess_context *ctx,
                                    const struct tess_slat_decoder *decoder,
                                    const struct tess_latent *latent);
enum tess_status tess_decode_radiance(struct tess_radiance *out, struct tess_context *ctx,
                                      const struct tess_slat_decoder *decoder,
                                      const struct tess_latent *latent);
// *feats (may be NULL: not wanted) becomes [64 N][columns] in the latent's order, for
// free().
enum tess_status tess_decode_mesh(struct tess_mesh *out, float **feats,
                                  struct tess_context *ctx,
                                  const struct tess_slat_decoder *decoder,
                                  const struct tess_latent *latent);

// Plan the stages of tess_decode() and of `finish` (or NULL) after it: at most
// TESS_DECODE_STAGES reports. Statuses as tess_floors_note() (floors.h); the verdict is
// the caller's.
#define TESS_DECODE_STAGES (TESS_DECODER_COUNT + 8)
struct tess_floors;
enum tess_status tess_decode_plan(struct tess_stage_report *reports, size_t *count,
                                  struct tess_floors *floors, struct tess_model *model,
                                  const struct tess_latent *latent,
                                  unsigned representations,
                                  const struct tess_finish *finish, bool want_floor);
// Open the decoders of the representations, so that a file that is missing or wrong is
// told before anything runs.
enum tess_status tess_decode_open(struct tess_context *ctx, struct tess_model *model,
                                  unsigned representations);
// The representations that are asked for, or mesh and splats, if the model has them.
unsigned tess_decode_choose(const struct tess_model *model,
                            const struct tess_decode_params *params);

#endif
