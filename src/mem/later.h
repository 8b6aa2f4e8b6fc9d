// Inside src/mem only: rows that are delivered while the device goes on.
#ifndef TESS_LATER_H
#define TESS_LATER_H

#include "mem/stage.h"

#define TESS_LATER_ROWS 4 // deliveries under way: so far is the device ahead

struct tess_later {
    struct tess_later_rows {
        struct tess_read *read;
        void *data;
        size_t capacity; // of `data`, in bytes
        size_t row0, rows;
        tess_rows_fn *fn;
        void *user;
    } rows[TESS_LATER_ROWS];
    size_t first, count; // under way, in a ring
};

struct tess_later *tess_stage_later(struct tess_stage *stage);

// Wait for what is under way, deliver none of it, and free the memory.
void tess_later_clear(struct tess_later *later);

#endif
