// Running kernels. A kernel is named by its file in cl/, its name and its defines;
// programs are built at their first use and cached on disk.
#ifndef TESS_RT_LAUNCH_H
#define TESS_RT_LAUNCH_H

#include "rt/buffer.h"

#define TESS_LAUNCH_ARGS 28

// Work-items in groups of kernels that make elements of a matrix: x along columns, y
// along rows, as the device's tuning shapes them.
#define TESS_GRID_ITEMS 256

enum tess_arg_kind { TESS_ARG_NONE, TESS_ARG_SLICE, TESS_ARG_U32, TESS_ARG_F32 };

struct tess_arg {
    enum tess_arg_kind kind;
    union {
        struct tess_slice slice;
        uint32_t u32;
        float f32;
    };
};

#define TESS_SLICE(s)                                                                    \
    {                                                                                    \
        .kind = TESS_ARG_SLICE, .slice = (s)                                             \
    }
#define TESS_U32ARG(x)                                                                   \
    {                                                                                    \
        .kind = TESS_ARG_U32, .u32 = (uint32_t)(x)                                       \
    }
#define TESS_F32ARG(x)                                                                   \
    {                                                                                    \
        .kind = TESS_ARG_F32, .f32 = (x)                                                 \
    }

struct tess_launch {
    const char *file;    // "matmul" for cl/matmul.cl
    const char *kernel;  // "matmul"
    const char *defines; // "-DWEIGHT_F16=1 -DTAPS=27"; NULL: none
    size_t global[3];    // work-items; zeros count as ones
    size_t local[3];     // work-items a group; divides `global`. All zeros: groups of
                         // TESS_GRID_ITEMS, and `global` is rounded up to them: the
                         // kernel has to check its place against what it was meant for
    bool whole_rows; // on CPUs a work-item has all of dimension 0, in groups of one; work
                     // is counted as elsewhere. `local` is all zeros
    double flop; // arithmetic of the whole launch, for counting and for cutting it; 0: it
                 // moves data
    unsigned cut; // the dimension along which a long launch is cut
    struct tess_arg args[TESS_LAUNCH_ARGS]; // up to the first of kind TESS_ARG_NONE
};

// Queue a launch. One that would take too long is cut along dimension `cut`, so a kernel
// must find its place there by get_global_id(), not by get_group_id(). May wait for the
// first pieces of a kernel whose speed is not known. Checks for cancellation.
enum tess_status tess_launch(struct tess_device *dev, const struct tess_launch *launch);

// From now on, what dry launches name is going to run: its programs are taken from the
// cache meanwhile.
void tess_device_build_ahead(struct tess_device *dev);

#endif
