// Inside src/pipeline: what is published for the parts of a model, and where.
#ifndef TESS_PUBLISHED_H
#define TESS_PUBLISHED_H

#include "tessella.h"

#define TESS_ENCODER_ROLE "image_cond_model"

// The files that are published for a role of pipeline.json, a constant array of *count;
// NULL and 0 for other roles.
const struct tess_part_source *tess_published(size_t *count, const char *role);

#endif
