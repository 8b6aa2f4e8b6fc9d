// Binary STL files: 80 bytes of text, a count, and 50 bytes a triangle, little-endian.
#include "io/stl.h"

#include <stdio.h>
#include <string.h>

#include "io/output.h"

enum { HEADER_BYTES = 80, TRIANGLE_BYTES = 50 };

enum tess_status tess_stl_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path)
{
    if (mesh->faces > UINT32_MAX)
        return tess_fail(env, TESS_ERR_WRITE,
                         "cannot write %s: %zu triangles, STL has %u", path, mesh->faces,
                         UINT32_MAX);
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    char header[HEADER_BYTES] = {0}; // must not start with "solid", which is for text
    snprintf(header, sizeof header, "Tessella %s, binary STL, z up", TESS_VERSION);
    uint32_t faces = (uint32_t)mesh->faces;
    tess_output_write(output, header, sizeof header);
    tess_output_write(output, &faces, sizeof faces);
    for (size_t i = 0; i < mesh->faces; i++) {
        float corners[4][3]; // the normal first, zero without area, as STL wants it
        uint8_t bytes[TRIANGLE_BYTES] = {0};
        for (int j = 0; j < 3; j++)
            memcpy(corners[j + 1], mesh->positions + 3 * (size_t)mesh->indices[3 * i + j],
                   sizeof corners[0]);
        tess_triangle_unit_normal(corners[0], corners[1], corners[2], corners[3]);
        memcpy(bytes, corners, sizeof corners);
        tess_output_write(output, bytes, sizeof bytes);
    }
    return tess_output_commit(&output, env);
}
