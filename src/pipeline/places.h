// Inside src/pipeline: where models and image encoders lie: given files, model
// directories, and the caches of torch-hub and Hugging Face.
#ifndef TESS_PLACES_H
#define TESS_PLACES_H

#include "base/status.h"

struct tess_place {
    char *path;       // for free()
    const char *name; // "model directory", "torch-hub cache", "Hugging Face cache"
};

// The image encoder's file for a model directory, from the first place that has one: the
// directory itself, the cache of torch-hub, that of Hugging Face. TESS_ERR_FILE if there
// is none, or if Hugging Face's cache is asked and broken: the message says which file to
// put where.
enum tess_status tess_places_encoder(struct tess_place *out, struct tess_env *env,
                                     const char *directory);

// The directory of a model: `name`, or where that is no directory and reads OWNER/NAME,
// its snapshot in the cache of Hugging Face. TESS_ERR_FILE if the cache has none.
enum tess_status tess_places_model(struct tess_place *out, struct tess_env *env,
                                   const char *name);

#endif
