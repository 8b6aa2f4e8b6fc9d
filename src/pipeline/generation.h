// Inside src/pipeline: variants of one object on their way from pictures to latents. The
// stages are one after the other in generate.c; each has a file.
#ifndef TESS_GENERATION_H
#define TESS_GENERATION_H

#include "io/safetensors.h"
#include "model/noise.h"
#include "model/sampler.h"
#include "pipeline/context.h"

#define TESS_VARIANTS_MAX TESS_SEQUENCES_MAX

// One seed, and what came of it so far.
struct tess_seed_run {
    uint64_t seed;
    struct tess_noise noise;    // where its stream stands
    float *structure;           // [R³][channels]: noise, then the structure's latents
    struct tess_latent *latent; // coordinates, then features
    enum tess_seed_state {
        TESS_VARIANT_NEW,
        TESS_VARIANT_PLACED, // has coordinates
        TESS_VARIANT_DONE,
        TESS_VARIANT_EMPTY // its structure has no voxel
    } state;
    // What made each result, as text: one starts with the one before. Names of kept
    // files.
    char structure_key[1024], latent_key[1536];
    char structure_name[64], latent_name[64];
};

struct tess_generation {
    struct tess_context *ctx;
    struct tess_model *model;
    const struct tess_generate_params *params;
    struct tess_image *const *images;
    const struct tess_image_encoder *encoder;
    const struct tess_flow *structure_flow, *latent_flow;
    const struct tess_structure_decoder *structure_decoder;
    struct tess_safetensors *noise_file; // or NULL
    float *conditions;                   // [condition_count][tokens][Cc]
    size_t condition_count, tokens;
    char condition_key[512];
    struct tess_seed_run variants[TESS_VARIANTS_MAX];
    size_t variant_count;
};

// ---- generate.c ----

// The networks, checked, and room for conditions. Close it whatever the outcome.
enum tess_status tess_generation_open(struct tess_generation *g);
void tess_generation_close(struct tess_generation *g);

// ---- made_by.c ----

// Fill the keys: whatever results depend on, but for the driver's version.
void tess_generation_describe(struct tess_generation *g);

// With params->keep_dir: keep tensors under a name, with what made them.
enum tess_status tess_generation_keep(struct tess_generation *g, const char *name,
                                      const char *key,
                                      const struct tess_file_tensor *tensors,
                                      size_t count);
enum tess_status tess_generation_keep_latent(struct tess_generation *g,
                                             const struct tess_latent *latent,
                                             const char *name, const char *key);
// With params->from_dir: the kept file if it is there and fits, else NULL.
enum tess_status tess_generation_look_for(struct tess_safetensors **out,
                                          struct tess_generation *g, const char *name,
                                          const char *key);
// The same for a latent, which may have no features.
enum tess_status tess_generation_take_latent(struct tess_latent **out,
                                             struct tess_generation *g, const char *name,
                                             const char *key);

// ---- condition.c ----

// Pictures to g->conditions, which are there: kept ones, those of the last call on this
// model if they fit, or new ones.
enum tess_status tess_generation_encode(struct tess_generation *g);

// ---- structure.c ----

// Draw or read the noise, sample and decode the structures of new variants: they are
// placed or empty then.
enum tess_status tess_generation_place(struct tess_generation *g);

// ---- features.c ----

// Sample the features of placed variants: they are done then.
enum tess_status tess_generation_finish(struct tess_generation *g);

// ---- sampling.c ----

struct tess_schedule tess_generation_schedule(const struct tess_sampler_config *config,
                                              const struct tess_sampling *asked);

// The sampler of structures, or of features.
enum tess_status tess_generation_sampler(struct tess_sampler **out,
                                         const struct tess_generation *g, bool features,
                                         const struct tess_flow_item *items,
                                         size_t count);

// Run a flow model on `count` items: together, or in groups of the size that moves the
// fewest bytes over the bus.
enum tess_status tess_generation_sample(struct tess_generation *g, bool features,
                                        const struct tess_flow_item *items, size_t count);

// ---- generate_plan.c ----

// Plan a flow model's stage for items together.
enum tess_status tess_generation_plan_flow(struct tess_stage_report *report,
                                           struct tess_generation *g, bool features,
                                           const struct tess_flow_item *items,
                                           size_t count, bool want_floor);

// Before anything runs, and when the voxels are known: TESS_ERR_BUDGET with the smallest
// budget that works for all that is to come and can be planned.
enum tess_status tess_generation_check_start(struct tess_generation *g);
enum tess_status tess_generation_check_voxels(struct tess_generation *g,
                                              const struct tess_latent *latent);

#endif
