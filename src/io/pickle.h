// Python pickles of state dicts, as torch.save() writes them: dicts, lists, tuples, text,
// numbers, and a few names of Python that stand for dicts and tensors. Nothing is
// executed: calls of the known names are kept as values, all others are refused.
#ifndef TESS_PICKLE_H
#define TESS_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"

enum tess_pickle_kind {
    TESS_PICKLE_NONE,
    TESS_PICKLE_BOOL,       // integer
    TESS_PICKLE_INTEGER,    // integer
    TESS_PICKLE_NUMBER,     // number
    TESS_PICKLE_TEXT,       // text[count], no zero after it
    TESS_PICKLE_TUPLE,      // cells, their keys unused
    TESS_PICKLE_LIST,       // cells, their keys unused
    TESS_PICKLE_DICT,       // cells; a key may be there more than once, the last counts
    TESS_PICKLE_GLOBAL,     // global
    TESS_PICKLE_CALL,       // global, and its arguments: cells, their keys unused
    TESS_PICKLE_PERSISTENT, // what stands for an object outside: cells of a tuple
    TESS_PICKLE_KINDS
};

enum tess_pickle_global {
    TESS_PICKLE_ORDERED_DICT,      // collections.OrderedDict; called, it is a dict
    TESS_PICKLE_REBUILD_TENSOR,    // torch._utils._rebuild_tensor_v2
    TESS_PICKLE_REBUILD_PARAMETER, // torch._utils._rebuild_parameter
    TESS_PICKLE_STORAGE,           // torch.FloatStorage and the like: this + dtype
};

#define TESS_PICKLE_END UINT32_MAX // after the last cell

// Values and cells are named by their index. A list or dict may contain itself.
struct tess_pickle_value {
    enum tess_pickle_kind kind;
    uint32_t count;       // cells, or bytes of text
    uint32_t first, last; // cells, in order; TESS_PICKLE_END if there are none
    union {
        int64_t integer;
        double number;
        const char *text; // in the pickle's bytes
        uint32_t global;  // enum tess_pickle_global
    };
};

struct tess_pickle_cell {
    uint32_t key, value, next;
};

// Fields are read-only outside pickle.c.
struct tess_pickle {
    struct tess_pickle_value *values;
    struct tess_pickle_cell *cells;
    size_t value_count, value_capacity, cell_count, cell_capacity;
    uint32_t root;
};

// Read data[bytes], protocols 2 to 5; the bytes must stay while the values are used.
// `name` names the pickle in messages. TESS_ERR_FILE names opcode or global and its byte:
// what is not known, damaged, nested or repeated beyond sane bounds. Free with
// tess_pickle_clear(), after a failure too.
enum tess_status tess_pickle_parse(struct tess_pickle *out, struct tess_env *env,
                                   const char *name, const uint8_t *data, size_t bytes);
void tess_pickle_clear(struct tess_pickle *pickle);

// "a dict", "text" and the like, for messages.
const char *tess_pickle_kind_name(enum tess_pickle_kind kind);

#endif
