// The voxels of a latent in the order in which networks work on them, and their windows.
//
// Networks see voxels along a Morton curve, so that tiles of consecutive voxels are
// compact and have few neighbours outside. Results are put back into the latent's order
// where they leave.
#ifndef TESS_VOXELS_H
#define TESS_VOXELS_H

#include "op/attention.h"

struct tess_voxels {
    size_t count;
    int32_t *coords;      // [count][3] along the Morton curve
    uint32_t *source;     // [count]: the row of the latent
    uint32_t *neighbours; // [count][27] rows, see op/neighbour.h; NULL until asked for
};

// `coords` [count][3], each in 0..1023, distinct.
enum tess_status tess_voxels_create(struct tess_voxels *out, struct tess_env *env,
                                    const int32_t *coords, size_t count);
enum tess_status tess_voxels_find_neighbours(struct tess_voxels *voxels,
                                             struct tess_env *env);
void tess_voxels_clear(struct tess_voxels *voxels);

// Windows of attention: voxels with the same floor((coord + shift) / size) on all axes.
struct tess_windows {
    size_t count, windows, unit_count;
    uint32_t *order;                   // [count]: voxel rows, window by window
    uint32_t *cuts;                    // [windows]: where each window ends in `order`
    uint32_t *unit_end;                // [windows]: where its units end
    struct tess_attention_unit *units; // places in `order`
};

// `size` 0: one window of all voxels. A unit has at most `queries` queries.
enum tess_status tess_windows_create(struct tess_windows *out, struct tess_env *env,
                                     const struct tess_voxels *voxels, uint32_t size,
                                     uint32_t shift, uint32_t queries);
void tess_windows_clear(struct tess_windows *windows);

// The units of the windows that make up places [row0, row0 + rows), and the pairs of
// queries and keys in them.
void tess_windows_units(size_t *unit0, size_t *units, double *pairs,
                        const struct tess_windows *windows, size_t row0, size_t rows);

// A tile of voxels with those around it: ids[0 .. rows) are the tile's, the others
// follow.
struct tess_halo {
    uint32_t *ids;   // [count]
    uint32_t *table; // [rows][27]: places in `ids`, TESS_NO_ROW where there is no voxel
    size_t rows, count;
    double density; // the share of the table's places that have a voxel
};

// The voxels must know their neighbours.
enum tess_status tess_halo_create(struct tess_halo *out, struct tess_env *env,
                                  const struct tess_voxels *voxels, size_t row0,
                                  size_t rows);
void tess_halo_clear(struct tess_halo *halo);

// Those of tiles that were seen, since plans and all spans go through the same tiles.
// Some megabytes at most: then they are forgotten. {0} is empty.
struct tess_halos {
    struct tess_seen_halo {
        size_t row0;
        struct tess_halo halo;
    } * seen;
    size_t count, capacity, bytes;
};

// *out stays until the next call.
enum tess_status tess_halos_find(const struct tess_halo **out, struct tess_halos *halos,
                                 struct tess_env *env, const struct tess_voxels *voxels,
                                 size_t row0, size_t rows);
void tess_halos_clear(struct tess_halos *halos);

#endif
