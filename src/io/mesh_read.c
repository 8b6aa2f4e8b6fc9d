// Triangle meshes from files.
#include "io/mesh_read.h"

#include <string.h>
#include <strings.h>

#include "io/gltf.h"
#include "io/input.h"
#include "io/obj.h"
#include "io/ply.h"
#include "io/stl.h"

typedef enum tess_status mesh_reader(struct tess_mesh *out, struct tess_env *env,
                                     const char *path);

static const struct {
    const char *suffix;
    const char *magic; // NULL: none that is certain
    mesh_reader *read;
} FORMATS[] = {
    {".glb", "glTF", tess_gltf_read},
    {".obj", NULL, tess_obj_read},
    {".ply", "ply", tess_ply_read_mesh},
    {".stl", "solid", tess_stl_read},
};

enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

enum tess_status tess_mesh_read(struct tess_mesh *out, struct tess_env *env,
                                const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < FORMAT_COUNT; i++) {
        size_t suffix = strlen(FORMATS[i].suffix);
        if (length > suffix && strcasecmp(path + length - suffix, FORMATS[i].suffix) == 0)
            return FORMATS[i].read(out, env, path);
    }
    struct tess_input input = {0};
    mesh_reader *found = NULL;
    TESS_TRY(tess_input_map(&input, env, path));
    for (int i = 0; i < FORMAT_COUNT && !found; i++) {
        const char *magic = FORMATS[i].magic;
        if (magic && input.bytes >= strlen(magic) &&
            memcmp(input.data, magic, strlen(magic)) == 0)
            found = FORMATS[i].read;
    }
    tess_input_close(&input);
    if (!found)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: expected a mesh, .glb, .obj, .ply or .stl", path);
    return found(out, env, path);
}
