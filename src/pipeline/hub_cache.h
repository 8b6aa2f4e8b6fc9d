// Inside src/pipeline: the caches that other programs have downloaded models into. They
// are read only, and nothing is downloaded.
#ifndef TESS_HUB_CACHE_H
#define TESS_HUB_CACHE_H

#include "base/status.h"

// Where torch-hub keeps checkpoints: hub/checkpoints in $TORCH_HOME, else in torch in the
// user's cache ($XDG_CACHE_HOME, else ~/.cache). For free(), as all paths here.
enum tess_status tess_torch_checkpoints(char **out, struct tess_env *env);

// Where Hugging Face keeps repositories: $HF_HUB_CACHE, else $HF_HOME/hub, else
// huggingface/hub in the user's cache.
enum tess_status tess_hugging_face_folder(char **out, struct tess_env *env);

// Whether `name` reads OWNER/NAME.
bool tess_hugging_face_is_name(const char *name);

// The files of OWNER/NAME: the snapshot of the revision that refs/main names, or without
// refs/main the only one. *out becomes NULL if the cache has nothing of that repository.
// TESS_ERR_FILE if what it has cannot be used: a revision without its snapshot, no
// snapshot, several and no word which; the message says where.
enum tess_status tess_hugging_face_snapshot(char **out, struct tess_env *env,
                                            const char *name);

#endif
