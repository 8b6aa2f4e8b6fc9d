// The voxels that a mesh's surface goes through: the structure of a variant of an
// existing shape.
#ifndef TESS_VOXELISE_H
#define TESS_VOXELISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"
#include "base/status.h"

#define TESS_VOXELISE_MAX_RESOLUTION 1024

// Put `mesh` into the unit cube around the origin, its bounding box (of all vertices) in
// the middle and the longest side 1, and cut the cube into resolution^3 voxels,
// resolution in 1..TESS_VOXELISE_MAX_RESOLUTION. *coords [*count][3], for free(), are the
// voxels x, y, z that triangles touch, distinct and sorted by x, then y, then z. A
// triangle that lies in the plane between two voxels touches the one above only.
// Triangles without area count as the line or point that they are. TESS_ERR_FILE: no
// faces, a vertex that is not finite, a face with vertices that are not there, a mesh of
// a single point; the message names no file. TESS_ERR_CANCELLED, TESS_ERR_MEMORY. Memory:
// resolution^3 bits, the result, and the vertices in double.
enum tess_status tess_voxelise(int32_t **coords, size_t *count, struct tess_env *env,
                               const struct tess_mesh *mesh, uint32_t resolution);

#endif
