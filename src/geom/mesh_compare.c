// Pair vertices, then look our faces up in a hash table of the reference's.
#include "geom/mesh_compare.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NONE UINT32_MAX

// Chains of items by the hash of a key; the items themselves are compared by the caller.
struct table {
    uint32_t *heads; // [mask + 1]
    uint32_t *next;  // [items]
    size_t mask;
};

struct comparison {
    struct tess_env *env;
    const struct tess_mesh *mesh;
    const struct tess_mesh_reference *reference;
    double vertex_tolerance, margin_tolerance;
    uint32_t *partner;      // [mesh->vertices] in the reference, or NONE
    uint8_t *vertex_taken;  // [reference->vertices]
    uint8_t *face_taken;    // [reference->faces]
    uint8_t *face_found;    // [mesh->faces]
    struct table positions; // reference vertices by cell
    struct table faces;     // reference faces by their corners
};

static enum tess_status create_table(struct table *table, struct tess_env *env,
                                     size_t items)
{
    size_t size = 16;
    while (size < items)
        size *= 2;
    TESS_TRY(
        tess_alloc(&table->heads, env, size, sizeof *table->heads, "mesh comparison"));
    TESS_TRY(
        tess_alloc(&table->next, env, items, sizeof *table->next, "mesh comparison"));
    memset(table->heads, 0xff, size * sizeof *table->heads); // NONE
    table->mask = size - 1;
    return TESS_OK;
}

static size_t hash(const struct table *table, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t mixed = a * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 29 ^ b) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 29 ^ c) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(mixed ^ mixed >> 32) & table->mask;
}

static void put(struct table *table, size_t slot, uint32_t item)
{
    table->next[item] = table->heads[slot];
    table->heads[slot] = item;
}

// ---------------------------------------------------------------------------------------------
// Vertices
// ---------------------------------------------------------------------------------------------

static double distance(const float *a, const float *b)
{
    double x = (double)a[0] - b[0], y = (double)a[1] - b[1], z = (double)a[2] - b[2];
    return sqrt(x * x + y * y + z * z);
}

// The cell of edge `size` that holds a position; false if there is none that a number can
// name.
static bool cell_of(int64_t cell[3], const float *position, double size)
{
    for (int i = 0; i < 3; i++) {
        double c = floor(position[i] / size);
        if (!(fabs(c) < 0x1p62)) // NaN too
            return false;
        cell[i] = (int64_t)c;
    }
    return true;
}

static enum tess_status fill_positions(struct comparison *c)
{
    TESS_TRY(create_table(&c->positions, c->env, c->reference->vertices));
    // From the last to the first, so that chains ascend and ties go to the lower index.
    for (size_t v = c->reference->vertices; v-- > 0;) {
        int64_t cell[3];
        if (cell_of(cell, c->reference->positions + 3 * v, c->vertex_tolerance))
            put(&c->positions,
                hash(&c->positions, (uint64_t)cell[0], (uint64_t)cell[1],
                     (uint64_t)cell[2]),
                (uint32_t)v);
    }
    return TESS_OK;
}

// The nearest free reference vertex within the tolerance, or NONE.
static uint32_t nearest(const struct comparison *c, const float *position)
{
    int64_t cell[3];
    uint32_t best = NONE;
    double best_distance = 0;
    if (!cell_of(cell, position, c->vertex_tolerance))
        return NONE;
    for (int i = 0; i < 27; i++) {
        size_t slot =
            hash(&c->positions, (uint64_t)(cell[0] + i / 9 - 1),
                 (uint64_t)(cell[1] + i / 3 % 3 - 1), (uint64_t)(cell[2] + i % 3 - 1));
        for (uint32_t v = c->positions.heads[slot]; v != NONE; v = c->positions.next[v]) {
            double d = distance(position, c->reference->positions + 3 * (size_t)v);
            if (!c->vertex_taken[v] && d <= c->vertex_tolerance &&
                (best == NONE || d < best_distance))
            {
                best = v;
                best_distance = d;
            }
        }
    }
    return best;
}

// How many vertices are not within the tolerance of the one with the same index.
static size_t count_out_of_order(const struct comparison *c)
{
    size_t common = c->mesh->vertices, wrong = 0;
    if (common > c->reference->vertices)
        common = c->reference->vertices;
    for (size_t v = 0; v < common; v++)
        wrong += !(distance(c->mesh->positions + 3 * v,
                            c->reference->positions + 3 * v) <= c->vertex_tolerance);
    return wrong + c->mesh->vertices - common;
}

static enum tess_status pair_vertices(struct comparison *c,
                                      struct tess_mesh_difference *out)
{
    size_t ours = c->mesh->vertices, theirs = c->reference->vertices;
    size_t wrong = count_out_of_order(c), without = 0;
    bool by_index = wrong == 0;
    if (!by_index) {
        TESS_TRY(fill_positions(c));
        for (size_t v = 0; v < ours; v++) {
            uint32_t partner = nearest(c, c->mesh->positions + 3 * v);
            c->partner[v] = partner;
            if (partner == NONE)
                without++;
            else
                c->vertex_taken[partner] = true;
        }
        by_index = ours == theirs && wrong <= without;
    }
    if (by_index)
        for (size_t v = 0; v < ours; v++)
            c->partner[v] = (uint32_t)v;
    out->vertices_wrong = by_index ? wrong : without;
    out->vertices_missing = theirs - (ours - out->vertices_wrong);
    return TESS_OK;
}

static void measure_pairs(const struct comparison *c, struct tess_mesh_difference *out)
{
    double squares = 0, reference_squares = 0;
    bool attributes = c->mesh->attributes && c->reference->attributes;
    for (size_t v = 0; v < c->mesh->vertices; v++) {
        if (c->partner[v] == NONE)
            continue;
        size_t r = c->partner[v];
        double d = distance(c->mesh->positions + 3 * v, c->reference->positions + 3 * r);
        if (d > out->max_vertex_distance || isnan(d)) // once NaN, it stays
            out->max_vertex_distance = d;
        for (size_t i = 0; attributes && i < 6; i++) {
            double theirs = c->reference->attributes[6 * r + i];
            double difference = c->mesh->attributes[6 * v + i] - theirs;
            squares += difference * difference;
            reference_squares += theirs * theirs;
        }
    }
    if (squares != 0)
        out->attribute_error = sqrt(squares / reference_squares);
}

// ---------------------------------------------------------------------------------------------
// Faces
// ---------------------------------------------------------------------------------------------

// The corners with the smallest first and the same orientation.
static void rotate(uint32_t out[3], uint32_t a, uint32_t b, uint32_t c)
{
    if (a <= b && a <= c)
        memcpy(out, (uint32_t[]){a, b, c}, 3 * sizeof *out);
    else if (b <= a && b <= c)
        memcpy(out, (uint32_t[]){b, c, a}, 3 * sizeof *out);
    else
        memcpy(out, (uint32_t[]){c, a, b}, 3 * sizeof *out);
}

static void reference_face(uint32_t out[3], const struct comparison *c, size_t face)
{
    const int32_t *corner = c->reference->indices + 3 * face;
    rotate(out, (uint32_t)corner[0], (uint32_t)corner[1], (uint32_t)corner[2]);
}

static enum tess_status fill_faces(struct comparison *c)
{
    TESS_TRY(create_table(&c->faces, c->env, c->reference->faces));
    for (size_t face = 0; face < c->reference->faces; face++) {
        uint32_t f[3];
        for (size_t i = 0; i < 3; i++) {
            int32_t v = c->reference->indices[3 * face + i];
            if (v < 0 || (size_t)v >= c->reference->vertices)
                return tess_fail(c->env, TESS_ERR_FILE,
                                 "face %zu of the reference has vertex %d of %zu", face,
                                 v, c->reference->vertices);
        }
        reference_face(f, c, face);
        put(&c->faces, hash(&c->faces, f[0], f[1], f[2]), (uint32_t)face);
    }
    return TESS_OK;
}

// A reference face with these corners that is free, or NONE; `except` does not count as
// free.
static uint32_t find_face(const struct comparison *c, uint32_t a, uint32_t b, uint32_t d,
                          uint32_t except)
{
    uint32_t wanted[3], f[3];
    if (a == NONE || b == NONE || d == NONE)
        return NONE;
    rotate(wanted, a, b, d);
    uint32_t face = c->faces.heads[hash(&c->faces, wanted[0], wanted[1], wanted[2])];
    for (; face != NONE; face = c->faces.next[face]) {
        reference_face(f, c, face);
        if (!c->face_taken[face] && face != except && !memcmp(f, wanted, sizeof f))
            return face;
    }
    return NONE;
}

static void match_faces(struct comparison *c)
{
    for (size_t face = 0; face < c->mesh->faces; face++) {
        const uint32_t *v = c->mesh->indices + 3 * face;
        uint32_t found =
            find_face(c, c->partner[v[0]], c->partner[v[1]], c->partner[v[2]], NONE);
        c->face_found[face] = found != NONE;
        if (found != NONE)
            c->face_taken[found] = true;
    }
}

// Corners of the quad that two triangles make, going round, so that they meet at q[0] and
// q[2]. False if they do not share an edge.
static bool quad_of(uint32_t q[4], const uint32_t first[3], const uint32_t second[3])
{
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            uint32_t from = first[i], to = first[(i + 1) % 3];
            if (second[k] != to || second[(k + 1) % 3] != from)
                continue;
            q[0] = to;
            q[1] = first[(i + 2) % 3];
            q[2] = from;
            q[3] = second[(k + 2) % 3];
            return true;
        }
    }
    return false;
}

static void match_diagonals(struct comparison *c, struct tess_mesh_difference *out)
{
    for (size_t quad = 0; quad < c->mesh->faces / 2; quad++) {
        const uint32_t *v = c->mesh->indices + 6 * quad;
        uint32_t first[3], second[3], q[4];
        if (c->face_found[2 * quad] || c->face_found[2 * quad + 1])
            continue;
        for (int i = 0; i < 3; i++) {
            first[i] = c->partner[v[i]];
            second[i] = c->partner[v[3 + i]];
        }
        if (!quad_of(q, first, second))
            continue;
        uint32_t a = find_face(c, q[0], q[1], q[3], NONE);
        uint32_t b = find_face(c, q[1], q[2], q[3], a);
        if (a == NONE || b == NONE)
            continue;
        double margin = c->mesh->split_margins[quad];
        out->max_other_margin = fmax(out->max_other_margin, margin);
        if (!(margin <= c->margin_tolerance))
            continue;
        c->face_taken[a] = c->face_taken[b] = true;
        c->face_found[2 * quad] = c->face_found[2 * quad + 1] = true;
        out->faces_other_diagonal += 2;
    }
}

// ---------------------------------------------------------------------------------------------
// Public function
// ---------------------------------------------------------------------------------------------

static enum tess_status compare(struct comparison *c, struct tess_mesh_difference *out)
{
    const struct tess_mesh *mesh = c->mesh;
    const char *what = "mesh comparison";
    if (c->reference->vertices >= NONE || c->reference->faces >= NONE)
        return tess_fail(c->env, TESS_ERR_FILE,
                         "a reference of %zu vertices and %zu faces",
                         c->reference->vertices, c->reference->faces);
    TESS_TRY(tess_alloc(&c->partner, c->env, mesh->vertices, sizeof *c->partner, what));
    TESS_TRY(tess_alloc(&c->vertex_taken, c->env, c->reference->vertices, 1, what));
    TESS_TRY(tess_alloc(&c->face_taken, c->env, c->reference->faces, 1, what));
    TESS_TRY(tess_alloc(&c->face_found, c->env, mesh->faces, 1, what));
    TESS_TRY(pair_vertices(c, out));
    measure_pairs(c, out);
    TESS_TRY(fill_faces(c));
    match_faces(c);
    if (mesh->split_margins)
        match_diagonals(c, out);
    for (size_t face = 0; face < mesh->faces; face++)
        out->faces_wrong += !c->face_found[face];
    for (size_t face = 0; face < c->reference->faces; face++)
        out->faces_missing += !c->face_taken[face];
    return TESS_OK;
}

enum tess_status tess_mesh_compare(struct tess_mesh_difference *out, struct tess_env *env,
                                   const struct tess_mesh *mesh,
                                   const struct tess_mesh_reference *reference,
                                   const struct tess_mesh_compare_params *params)
{
    struct comparison c = {.env = env,
                           .mesh = mesh,
                           .reference = reference,
                           .vertex_tolerance = params ? params->vertex_tolerance : 0,
                           .margin_tolerance = params ? params->margin_tolerance : 0};
    if (c.vertex_tolerance == 0)
        c.vertex_tolerance = 1e-5;
    if (c.margin_tolerance == 0)
        c.margin_tolerance = 1e-5;
    assert(c.vertex_tolerance > 0 && c.margin_tolerance > 0);
    struct tess_mesh_difference difference = {0};
    enum tess_status status = compare(&c, &difference);
    if (!status)
        *out = difference;
    free(c.partner);
    free(c.vertex_taken);
    free(c.face_taken);
    free(c.face_found);
    free(c.positions.heads);
    free(c.positions.next);
    free(c.faces.heads);
    free(c.faces.next);
    return status;
}
