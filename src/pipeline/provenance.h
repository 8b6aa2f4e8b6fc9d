// Inside src/pipeline: what a context did, for reports: parameters, and the hashes of
// files that it read and wrote.
#ifndef TESS_PROVENANCE_H
#define TESS_PROVENANCE_H

#include "pipeline/generation.h"

enum tess_file_role { TESS_FILE_INPUT, TESS_FILE_OUTPUT };

// A file was read or written whole: a thread takes the SHA-256 of what it is now. Nothing
// happens in contexts that make no report, and for what is no regular file.
enum tess_status tess_provenance_file(struct tess_context *ctx, enum tess_file_role role,
                                      const char *path);

// A generation starts: its parameters.
enum tess_status tess_provenance_generation(const struct tess_generation *g);

// Add "generations", "inputs" and "outputs" to a report. TESS_ERR_FILE if one of the
// files could not be read again.
struct cJSON;
enum tess_status tess_provenance_add(struct cJSON *report, struct tess_context *ctx);
void tess_provenance_clear(struct tess_context *ctx);

#endif
