// Plain containers that cross layers: triangle meshes, Gaussian splats, radiance fields,
// pictures. Host memory.
#ifndef TESS_MESH_H
#define TESS_MESH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Triangles in world space (right-handed, z up), counter-clockwise seen from outside.
struct tess_mesh {
    size_t vertices, faces;
    float *positions;  // [vertices][3]
    float *normals;    // [vertices][3], unit length; NULL until tess_mesh_normals()
    float *attributes; // [vertices][6]: RGB as displayed (sRGB) and normal map, 0..1; or
                       // NULL
    float *uvs;        // [vertices][2]: of a texture, from its upper left corner; or NULL
    uint32_t *indices; // [faces][3]
    float *split_margins; // [faces / 2] or NULL: how clearly each quad chose its diagonal
};

// Degree 0 of the spherical harmonics, 1 / (2 sqrt(pi)): a colour is 0.5 + TESS_SH_DC *
// c.
#define TESS_SH_DC 0.28209479177387814

// Gaussians with their activations applied, except for the opacity.
struct tess_splats {
    size_t count;
    float *positions; // [count][3], world
    float *scales;    // [count][3], standard deviations, world units
    float *rotations; // [count][4], unit quaternions w, x, y, z
    float *opacities; // [count], 0..1
    float *colours;   // [count][3], degree 0 spherical harmonics
};

// A radiance field in voxels of the unit cube around the origin (Gao et al. 2023,
// "Strivec"). In voxel (x, y, z), whose lower corner is (x, y, z) / resolution - 0.5,
// with p = 0..1 along each axis: V[r][a] is the vector's value at p[a], linear between
// its elements, of which the i-th is at (i + 0.5) / dim, and beyond the outer ones; B[r]
// is the product of V[r][a] over a. Then
//   density = softplus(sum of densities[r] B[r]), per unit of length in the world
//   colour  = sigmoid(sum of C0 colours[r] B[r]), C0 = 1 / (2 sqrt(pi))
// Other voxels are empty.
struct tess_radiance {
    size_t voxels;
    uint32_t resolution; // voxels along an axis
    uint32_t rank;       // R, at most TESS_RADIANCE_MAX_RANK
    uint32_t dim;        // D, 2 to TESS_RADIANCE_MAX_DIM
    int32_t *coords;     // [voxels][3], each in 0..resolution - 1; no voxel twice
    float *vectors;      // [voxels][R][3][D]
    float *densities;    // [voxels][R]
    float *colours;      // [voxels][R][3]
};
#define TESS_RADIANCE_MAX_RANK 1024
#define TESS_RADIANCE_MAX_DIM  1024

// 8-bit RGBA, row 0 at the top, alpha not premultiplied.
struct tess_picture {
    uint32_t width, height;
    uint8_t *pixels; // [height][width][4]
};

// Allocate arrays for so many elements; all zero. `normals`, `uvs` and `split_margins`
// stay NULL.
enum tess_status tess_mesh_create(struct tess_mesh *out, struct tess_env *env,
                                  size_t vertices, size_t faces, bool attributes);
enum tess_status tess_splats_create(struct tess_splats *out, struct tess_env *env,
                                    size_t count);
enum tess_status tess_radiance_create(struct tess_radiance *out, struct tess_env *env,
                                      size_t voxels, uint32_t resolution, uint32_t rank,
                                      uint32_t dim);
enum tess_status tess_picture_create(struct tess_picture *out, struct tess_env *env,
                                     uint32_t width, uint32_t height);

// Free the arrays and zero the struct; the struct itself is the caller's.
void tess_mesh_clear(struct tess_mesh *mesh);
void tess_splats_clear(struct tess_splats *splats);
void tess_radiance_clear(struct tess_radiance *field);
void tess_picture_clear(struct tess_picture *picture);

// The normal of a triangle, (b - a) x (c - a) in double: as long as twice its area.
// Returns that length, which is not a number where a position is none.
double tess_triangle_normal(double out[3], const float a[3], const float b[3],
                            const float c[3]);

// The same, of unit length; zero without area.
void tess_triangle_unit_normal(float out[3], const float a[3], const float b[3],
                               const float c[3]);

// Smooth vertex normals: the mean of the adjacent faces' normals weighted by area, summed
// in double in face order. Vertices without area get (0, 0, 1). Replaces what was there.
enum tess_status tess_mesh_normals(struct tess_mesh *mesh, struct tess_env *env);

#endif
