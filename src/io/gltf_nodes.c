// The nodes of a glTF file's scene.
#include "io/gltf_nodes.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "io/json.h"

static struct tess_gltf_matrix multiply(const struct tess_gltf_matrix *a,
                                        const struct tess_gltf_matrix *b)
{
    struct tess_gltf_matrix product = {{0}};
    for (int c = 0; c < 4; c++) {
        for (int r = 0; r < 4; r++) {
            for (int k = 0; k < 4; k++)
                product.m[4 * c + r] += a->m[4 * k + r] * b->m[4 * c + k];
        }
    }
    return product;
}

static const struct tess_gltf_matrix IDENTITY = {
    {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}};

// Numbers of a transform stay well inside single precision.
static enum tess_status optional_floats(float *dst, struct tess_json_at node,
                                        const char *key, size_t count)
{
    if (!tess_json_present(tess_json_member(node, key)))
        return TESS_OK;
    return tess_json_floats(dst, node, key, count, -1e18, 1e18);
}

static enum tess_status node_transform(struct tess_gltf_matrix *out,
                                       struct tess_json_at node)
{
    float m[16], t[3] = {0, 0, 0}, q[4] = {0, 0, 0, 1}, s[3] = {1, 1, 1};
    if (tess_json_present(tess_json_member(node, "matrix"))) {
        TESS_TRY(optional_floats(m, node, "matrix", 16));
        for (int i = 0; i < 16; i++)
            out->m[i] = m[i];
        return TESS_OK;
    }
    TESS_TRY(optional_floats(t, node, "translation", 3));
    TESS_TRY(optional_floats(q, node, "rotation", 4));
    TESS_TRY(optional_floats(s, node, "scale", 3));
    double x = q[0], y = q[1], z = q[2], w = q[3];
    double length = x * x + y * y + z * z + w * w;
    double k = length > 0 ? 2 / length : 0;
    const double rotation[3][3] = {
        {1 - k * (y * y + z * z), k * (x * y - w * z), k * (x * z + w * y)},
        {k * (x * y + w * z), 1 - k * (x * x + z * z), k * (y * z - w * x)},
        {k * (x * z - w * y), k * (y * z + w * x), 1 - k * (x * x + y * y)},
    };
    *out = IDENTITY;
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++)
            out->m[4 * c + r] = rotation[r][c] * s[c];
        out->m[12 + r] = t[r];
    }
    return TESS_OK;
}

struct visit {
    size_t node;
    struct tess_gltf_matrix parent;
};

struct walk {
    const struct tess_glb *glb;
    tess_gltf_visit *visit;
    void *user;
    bool *visited;        // by node
    struct visit *visits; // to make, the next on top
    size_t count, room;
};

static enum tess_status visit_mesh(struct walk *walk, struct tess_json_at node,
                                   const struct tess_gltf_matrix *transform)
{
    struct tess_json_at mesh;
    struct tess_glb_list primitives = {0};
    if (!tess_json_present(tess_json_member(node, "mesh")))
        return TESS_OK;
    TESS_TRY(tess_glb_follow(&mesh, node, "mesh", &walk->glb->meshes));
    TESS_TRY(tess_glb_list(&primitives, mesh, "primitives"));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < primitives.count && !status; i++)
        status = walk->visit(walk->user, primitives.items[i], transform);
    free(primitives.items);
    return status;
}

static enum tess_status push(struct walk *walk, struct tess_json_at index,
                             const struct tess_gltf_matrix *parent)
{
    size_t node;
    if (walk->glb->nodes.count == 0)
        return tess_json_fail(index, NULL, "no index, as the file has no nodes");
    TESS_TRY(tess_json_size(&node, index, NULL, 0, walk->glb->nodes.count - 1));
    if (walk->visited[node])
        return tess_json_fail(index, NULL, "a node without another parent");
    walk->visited[node] = true;
    TESS_TRY(tess_grow(&walk->visits, &walk->room, walk->glb->env, walk->count + 1,
                       sizeof *walk->visits, "glTF nodes"));
    walk->visits[walk->count++] = (struct visit){node, *parent};
    return TESS_OK;
}

// Push the members of an array of node indices, the first one on top.
static enum tess_status push_all(struct walk *walk, struct tess_json_at object,
                                 const char *key, const struct tess_gltf_matrix *parent)
{
    struct tess_glb_list list = {0};
    TESS_TRY(tess_glb_list(&list, object, key));
    enum tess_status status = TESS_OK;
    for (size_t i = list.count; i > 0 && !status; i--)
        status = push(walk, list.items[i - 1], parent);
    free(list.items);
    return status;
}

static enum tess_status walk_scene(struct walk *walk, struct tess_json_at scene)
{
    TESS_TRY(push_all(walk, scene, "nodes", &IDENTITY));
    while (walk->count) {
        struct visit visit = walk->visits[--walk->count];
        struct tess_json_at node;
        struct tess_gltf_matrix own;
        TESS_TRY(tess_env_check(walk->glb->env));
        TESS_TRY(tess_json_object(&node, walk->glb->nodes.items[visit.node], NULL));
        TESS_TRY(node_transform(&own, node));
        struct tess_gltf_matrix transform = multiply(&visit.parent, &own);
        TESS_TRY(visit_mesh(walk, node, &transform));
        TESS_TRY(push_all(walk, node, "children", &transform));
    }
    return TESS_OK;
}

enum tess_status tess_gltf_walk(const struct tess_glb *glb, tess_gltf_visit *visit,
                                void *user)
{
    struct walk walk = {.glb = glb, .visit = visit, .user = user};
    struct tess_json_at root = tess_json_root(glb->json), scene;
    size_t index;
    if (glb->scenes.count == 0)
        return tess_json_fail(root, "scenes", "a scene to read");
    TESS_TRY(tess_json_size_or(&index, root, "scene", 0, glb->scenes.count - 1, 0));
    TESS_TRY(tess_json_object(&scene, glb->scenes.items[index], NULL));
    TESS_TRY(tess_alloc(&walk.visited, glb->env, glb->nodes.count, sizeof *walk.visited,
                        "glTF nodes"));
    enum tess_status status = walk_scene(&walk, scene);
    free(walk.visits);
    free(walk.visited);
    return status;
}
