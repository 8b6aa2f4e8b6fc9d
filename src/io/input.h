// Whole input files as bytes in memory, read or mapped.
#ifndef TESS_INPUT_H
#define TESS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct tess_input {
    const uint8_t *data; // never NULL while open; followed by a zero byte if it was read
    size_t bytes;
    bool mapped;
};

// Read all of `path`, at most `max_bytes`. TESS_ERR_FILE with the path and the reason.
enum tess_status tess_input_read(struct tess_input *out, struct tess_env *env,
                                 const char *path, size_t max_bytes);

// Map `path` for reading; only what is touched is read. It must be a regular file that
// stays as it is: if it is made shorter while it is mapped, touching the lost part kills
// the process (SIGBUS). Replacing or deleting it is harmless. TESS_ERR_FILE with the path
// and the reason.
enum tess_status tess_input_map(struct tess_input *out, struct tess_env *env,
                                const char *path);

// Accepts a zeroed struct, and zeroes it.
void tess_input_close(struct tess_input *input);

#endif
