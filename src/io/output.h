// Output files that appear whole or not at all: bytes go to a hidden file beside the
// final one, which takes the final name when everything is written. A crash leaves at
// worst ".NAME.*.tmp".
#ifndef TESS_OUTPUT_H
#define TESS_OUTPUT_H

#include <stddef.h>

#include "base/status.h"

struct tess_output;

// What formats with room for it tell about how a file was made: model, seed, ...
struct tess_metadata {
    const char *key, *value; // neither is NULL
};

// Start to write `path`. Links are followed; what is there already stays until the
// commit. Devices and pipes (/dev/stdout) are written in place. Permissions follow the
// umask. TESS_ERR_WRITE with the path and the system's reason. Ends with a commit or a
// discard.
enum tess_status tess_output_open(struct tess_output **out, struct tess_env *env,
                                  const char *path);

// Append. Errors are kept and reported by the commit; after one, nothing more is written.
void tess_output_write(struct tess_output *output, const void *data, size_t bytes);
__attribute__((format(printf, 2, 3))) void tess_output_printf(struct tess_output *output,
                                                              const char *format, ...);

// Append `count` numbers as text that reads back as the same floats, each after a space.
// The decimal point is a point in every locale. For use instead of "%g".
void tess_output_floats(struct tess_output *output, const float *values, size_t count);

// Finish, give the file its name, free *output and set it to NULL, also on failure. Then
// there is no file, or the one that was there before. TESS_ERR_WRITE; TESS_ERR_CANCELLED.
enum tess_status tess_output_commit(struct tess_output **output, struct tess_env *env);

// The same for several files that belong together: all get their names, or none does.
// Should a name be refused after others were given, those files are removed. At most
// TESS_OUTPUTS_MAX; outputs[count] become NULL.
#define TESS_OUTPUTS_MAX 8
enum tess_status tess_output_commit_all(struct tess_output **outputs, size_t count,
                                        struct tess_env *env);

// Remove what was written. Accepts a pointer to NULL; sets it to NULL.
void tess_output_discard(struct tess_output **output);

#endif
