// Where models and image encoders lie: given files, model directories, and the caches of
// torch-hub and Hugging Face, in which nothing is changed.
#ifndef TESS_PLACES_H
#define TESS_PLACES_H

#include "base/status.h"

// The image encoder's file for a model directory, for free(). TESS_ERR_FILE if there is
// none: the message says which file to put where.
enum tess_status tess_places_encoder(char **out, struct tess_env *env,
                                     const char *directory);

// The directory of a model: `name`, or where that is no directory and reads OWNER/NAME,
// its snapshot in the cache of Hugging Face, or else `name` again. For free().
enum tess_status tess_places_model(char **out, struct tess_env *env, const char *name);

#endif
