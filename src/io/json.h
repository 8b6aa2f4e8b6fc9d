// JSON files that others wrote: typed fields with ranges, and messages that name file and
// field: "ckpts/gs.json: field args.num_blocks is \"x\", expected an integer in 1..1024".
#ifndef TESS_JSON_H
#define TESS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define TESS_JSON_MAX_BYTES ((size_t)16 << 20)

struct cJSON;
struct tess_json;

// A value in a document; valid as long as the document. `item` is NULL for an absent
// value.
struct tess_json_at {
    const struct tess_json *json;
    const struct cJSON *item;
};

// Read a file of at most TESS_JSON_MAX_BYTES. The document keeps `env` for the messages
// of the getters below. TESS_ERR_FILE names file and line.
enum tess_status tess_json_read(struct tess_json **out, struct tess_env *env,
                                const char *path);

// The same from `bytes` bytes of text that need no terminating zero and are not kept.
// `name` takes the file's place in messages.
enum tess_status tess_json_parse(struct tess_json **out, struct tess_env *env,
                                 const char *name, const char *text, size_t bytes);
void tess_json_destroy(struct tess_json **json);

struct tess_json_at tess_json_root(const struct tess_json *json);

// The member `key` of an object; absent also if it is null.
struct tess_json_at tess_json_member(struct tess_json_at object, const char *key);
bool tess_json_present(struct tess_json_at value);

// The key of an object's member; "" for other values.
const char *tess_json_key(struct tess_json_at value);

// The number of elements of an array or members of an object; 0 for other values.
size_t tess_json_count(struct tess_json_at value);

// All elements of an array or members of an object, in order, as one array of
// tess_json_count() values for free().
enum tess_status tess_json_items(struct tess_json_at **out, struct tess_json_at value);

// Getters: member `key` of `object`, or `object` itself where `key` is NULL.
// TESS_ERR_FILE if it is absent, of another type or outside [min, max]; *out is untouched
// then.
enum tess_status tess_json_object(struct tess_json_at *out, struct tess_json_at object,
                                  const char *key);
enum tess_status tess_json_array(struct tess_json_at *out, struct tess_json_at object,
                                 const char *key, size_t min_count, size_t max_count);
enum tess_status tess_json_size(size_t *out, struct tess_json_at object, const char *key,
                                size_t min, size_t max);
enum tess_status tess_json_uint(uint32_t *out, struct tess_json_at object,
                                const char *key, uint32_t min, uint32_t max);
enum tess_status tess_json_double(double *out, struct tess_json_at object,
                                  const char *key, double min, double max);
enum tess_status tess_json_float(float *out, struct tess_json_at object, const char *key,
                                 double min, double max);
enum tess_status tess_json_bool(bool *out, struct tess_json_at object, const char *key);
// *out belongs to the document.
enum tess_status tess_json_string(const char **out, struct tess_json_at object,
                                  const char *key);
// An array of exactly `count` numbers in [min, max] into dst[count].
enum tess_status tess_json_floats(float *dst, struct tess_json_at object, const char *key,
                                  size_t count, double min, double max);
enum tess_status tess_json_doubles(double *dst, struct tess_json_at object,
                                   const char *key, size_t count, double min, double max);

// The same, but *out becomes `fallback` if the member is absent.
enum tess_status tess_json_size_or(size_t *out, struct tess_json_at object,
                                   const char *key, size_t min, size_t max,
                                   size_t fallback);
enum tess_status tess_json_uint_or(uint32_t *out, struct tess_json_at object,
                                   const char *key, uint32_t min, uint32_t max,
                                   uint32_t fallback);
enum tess_status tess_json_double_or(double *out, struct tess_json_at object,
                                     const char *key, double min, double max,
                                     double fallback);
enum tess_status tess_json_float_or(float *out, struct tess_json_at object,
                                    const char *key, double min, double max,
                                    float fallback);
enum tess_status tess_json_bool_or(bool *out, struct tess_json_at object, const char *key,
                                   bool fallback);
enum tess_status tess_json_string_or(const char **out, struct tess_json_at object,
                                     const char *key, const char *fallback);

// TESS_ERR_FILE: "FILE: field PATH is VALUE, expected ...", for checks of the caller's
// own.
__attribute__((format(printf, 3, 4))) enum tess_status
tess_json_fail(struct tess_json_at object, const char *key, const char *expected, ...);

#endif
