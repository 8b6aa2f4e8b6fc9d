// Shapes of kernels that change how fast they are and never what they make: tile sizes,
// groups. Where they come from: the program's own table by family of devices, a table
// that `tessella bench --tune` left in the cache directory, or a file that was given.
#ifndef TESS_RT_TUNING_H
#define TESS_RT_TUNING_H

#include "rt/device.h"

// Only what leaves the order of every sum alone may be here.
enum tess_tuned {
    TESS_TUNED_ELEMENT_COLUMNS, // of groups of kernels that make single elements
    TESS_TUNED_PRODUCT_ROWS,    // results of a work-item (CPU) or a group (GPU)
    TESS_TUNED_PRODUCT_PANELS,  // the same along columns, in panels of 32
    TESS_TUNED_PRODUCT_DEPTH,   // values along k that are brought at a time
    TESS_TUNED_CONVOLUTION_ROWS,
    TESS_TUNED_CONVOLUTION_PANELS,
    TESS_TUNED_CONVOLUTION_DEPTH,
    TESS_TUNED_ATTENTION_QUERIES, // of a work-item (CPU) or a group (GPU)
    TESS_TUNED_ATTENTION_DEPTH,   // terms of sums that are brought at a time (GPU)
    TESS_TUNED_COUNT
};

struct tess_tuning {
    uint32_t values[TESS_TUNED_COUNT]; // 0: not of this variant
};

// A row of the program's own table.
struct tess_tuned_parameter {
    const char *name;            // in files
    uint32_t cpu[8], gpu[8];     // what it may be, up to the first 0; none: no parameter
                                 // of the variant, and 0 by default
    struct tess_tuned_defaults { // of families of devices
        uint32_t cpu, other, intel, amd, nvidia;
    } defaults;
};
extern const struct tess_tuned_parameter tess_tuned_parameters[TESS_TUNED_COUNT];

// Values that a variant may have, up to the first 0.
const uint32_t *tess_tuned_values(enum tess_tuned parameter, enum tess_variant variant);
struct tess_tuning tess_tuning_default(const struct tess_device_info *info,
                                       enum tess_variant variant);
// Bytes of local memory that the largest group takes with these shapes.
size_t tess_tuning_local_bytes(const struct tess_tuning *tuning,
                               enum tess_variant variant);

// The defines of cl/matmul.cl that say them, into text[size]: of convolutions or of
// linear layers.
void tess_tuning_product_defines(char *text, size_t size,
                                 const struct tess_tuning *tuning, bool convolution);
// Those of cl/attention.cl; `queries`: tess_tuning_attention_queries().
void tess_tuning_attention_defines(char *text, size_t size,
                                   const struct tess_tuning *tuning,
                                   enum tess_variant variant, uint32_t queries);
// How many queries are taken together, of many short runs or of one.
uint32_t tess_tuning_attention_queries(const struct tess_tuning *tuning,
                                       enum tess_variant variant, bool many_runs);

// ---- tables as text ----

// The table, with a comment behind each parameter (NULL, or "" : none). Free *out with
// free().
enum tess_status tess_tuning_print(char **out, struct tess_env *env,
                                   const struct tess_tuning *tuning,
                                   const struct tess_device_info *info,
                                   enum tess_variant variant,
                                   const char *const comments[TESS_TUNED_COUNT]);
// Read a table. `own`: refuse one of another device or driver. TESS_ERR_FILE names file,
// field and what was expected.
enum tess_status tess_tuning_read(struct tess_tuning *out, struct tess_env *env,
                                  const char *path, const struct tess_device_info *info,
                                  enum tess_variant variant, bool own);

// Where the table of a device is stored, into path[size].
void tess_tuning_path(char *path, size_t size, const char *cache_dir,
                      const struct tess_device_info *info, enum tess_variant variant);
// The stored table's path if there is a sound one, else "". NULL: the user's cache
// directory.
enum tess_tuning_source tess_tuning_find(char *path, size_t size, const char *cache_dir,
                                         const struct tess_device_info *info);
// Put a table there, whole or not at all; nothing happens without a cache directory.
// TESS_ERR_WRITE.
enum tess_status tess_tuning_store(struct tess_device *dev, const char *text);

// What a device opens with: NULL, the stored table, else the program's; "none", the
// program's; else a file. A stored table that is damaged or of another device is left
// out, with a warning.
enum tess_status tess_tuning_choose(struct tess_device *dev, const char *selector);

#endif
