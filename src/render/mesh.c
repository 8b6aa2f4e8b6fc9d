// Meshes: corners, clipping and boxes on the host, in double; coverage, depth and colours
// on the device.
//
// Corners become whole numbers of 1/256 samples, so that edge functions are exact. They
// must not get too large for that: what is more than half a picture beyond the picture's
// border, or nearer than NEAR, is clipped away. New corners are made from the inner end
// of an edge to the outer one, so both faces at an edge get the same.
#include "render/mesh.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"

#define NEAR       0.01
#define SUBSAMPLES 256
#define GREY       0.8f
// As in cl/raster.cl.
#define RECORD      36
#define WORD_RECORD 12
enum { PLANES = 6, LEAST = 15, MOST = 16, COLOURS = 18, NORMALS = 27 };
enum { WORD_PLANE = 6, WORD_LEAST = 9, WORD_MOST = 10, WORD_NUMBER = 11 };

#define CLIP_PLANES 5
#define POLYGON_MAX (3 + CLIP_PLANES)
#define UNCLIPPED   UINT32_MAX

// In view coordinates, with the weights of the face's vertices.
struct point {
    double at[3], weights[3];
};

// On the picture.
struct corner {
    int32_t x, y; // 1/256 samples
    float inverse_z;
    float weights[2]; // of the face's second and third vertex
};

struct vertex {
    int32_t x, y;
    float inverse_z; // 0: out of bounds
};

struct triangle {
    uint32_t face;
    uint32_t clipped; // where its corners are, or UNCLIPPED
};

struct triangles {
    struct triangle *triangles;
    struct tess_tile_box *boxes;
    size_t count, triangle_capacity, box_capacity;
};

struct job {
    const struct tess_mesh *mesh;
    enum tess_channel channel;
    struct tess_view view;
    double samples; // across the picture
    struct vertex *vertices;
    // Those that face the camera, which are drawn first: in most tiles nothing behind
    // them is seen. Then the others, which are kept apart until all are there.
    struct triangles drawn, backs;
    struct corner (*clipped)[3];
    size_t clipped_count, clipped_capacity;
};

// ---- corners ----

static inline struct point view_point(const struct job *job, uint32_t vertex)
{
    const float *p = job->mesh->positions + 3 * (size_t)vertex;
    struct point point = {{0}, {0}};
    for (int i = 0; i < 3; i++) {
        const double *axis = job->view.rotation[i];
        point.at[i] =
            axis[0] * p[0] + axis[1] * p[1] + axis[2] * p[2] + job->view.translation[i];
    }
    return point;
}

// Signed distances, positive inside: nearest depth, then right, left, lower and upper
// bound.
static double distance(const struct job *job, const struct point *point, int plane)
{
    double z = point->at[2], bound = 2 * job->view.tangent * z;
    switch (plane) {
    case 0:
        return z - NEAR;
    case 1:
        return bound - point->at[0];
    case 2:
        return bound + point->at[0];
    case 3:
        return bound - point->at[1];
    default:
        return bound + point->at[1];
    }
}

// Whether no distance is below 0; not a number is out of bounds.
static bool in_bounds(const struct job *job, const struct point *point)
{
    double z = point->at[2], bound = 2 * job->view.tangent * z;
    return z >= NEAR && bound >= fabs(point->at[0]) && bound >= fabs(point->at[1]);
}

static inline struct corner project(const struct job *job, const struct point *point)
{
    double scale = job->view.focal * job->samples / point->at[2];
    double middle = job->samples / 2 - 0.5;
    return (struct corner){
        .x = (int32_t)lrint((scale * point->at[0] + middle) * SUBSAMPLES),
        .y = (int32_t)lrint((scale * point->at[1] + middle) * SUBSAMPLES),
        .inverse_z = (float)(1 / point->at[2]),
        .weights = {(float)point->weights[1], (float)point->weights[2]},
    };
}

static enum tess_status project_vertices(struct job *job, struct tess_env *env)
{
    if (!job->vertices)
        TESS_TRY(tess_alloc(&job->vertices, env, job->mesh->vertices,
                            sizeof *job->vertices, "projected vertices"));
    for (size_t i = 0; i < job->mesh->vertices; i++) {
        struct point point = view_point(job, (uint32_t)i);
        struct vertex vertex = {0, 0, 0};
        if (in_bounds(job, &point)) {
            struct corner corner = project(job, &point);
            vertex = (struct vertex){corner.x, corner.y, corner.inverse_z};
        }
        job->vertices[i] = vertex;
    }
    return TESS_OK;
}

static void load_corners(struct corner out[3], const struct job *job, size_t index)
{
    struct triangle triangle = job->drawn.triangles[index];
    const uint32_t *face = job->mesh->indices + 3 * (size_t)triangle.face;
    for (int i = 0; i < 3; i++)
        if (triangle.clipped == UNCLIPPED) {
            const struct vertex *v = &job->vertices[face[i]];
            out[i] = (struct corner){v->x, v->y, v->inverse_z, {i == 1, i == 2}};
        } else {
            out[i] = job->clipped[triangle.clipped][i];
        }
}

// Twice the signed area; positive where edge functions are positive inside, which is the
// back of a face because y points down.
static int64_t doubled_area(const int32_t x[3], const int32_t y[3])
{
    return (int64_t)(x[1] - x[0]) * (y[2] - y[0]) -
           (int64_t)(y[1] - y[0]) * (x[2] - x[0]);
}

// ---- triangles ----

struct range {
    int32_t first, end;
};

// The tiles that samples from the least to the largest of x, in 1/256 samples, are in.
static inline struct range tile_range(const int32_t x[3], int32_t last)
{
    int32_t low = x[0] < x[1] ? x[0] : x[1], high = x[0] < x[1] ? x[1] : x[0];
    low = x[2] < low ? x[2] : low;
    high = x[2] > high ? x[2] : high;
    low = low <= 0 ? 0 : (low + SUBSAMPLES - 1) / SUBSAMPLES;
    high = high < 0 ? -1 : high / SUBSAMPLES;
    high = high > last ? last : high;
    if (low > high)
        return (struct range){0, 0};
    return (struct range){low / TESS_TILE, high / TESS_TILE + 1};
}

// Have room for so many more.
static enum tess_status grow_list(struct triangles *list, struct tess_env *env,
                                  size_t more)
{
    TESS_TRY(tess_grow(&list->triangles, &list->triangle_capacity, env,
                       list->count + more, sizeof *list->triangles, "triangles"));
    return tess_grow(&list->boxes, &list->box_capacity, env, list->count + more,
                     sizeof *list->boxes, "triangles");
}

// The same, whichever way they face.
static enum tess_status make_room(struct job *job, struct tess_env *env, size_t more)
{
    TESS_TRY(grow_list(&job->drawn, env, more));
    return grow_list(&job->backs, env, more);
}

// Add a triangle if a sample may be inside it. There is room.
static void add_triangle(struct job *job, struct triangle triangle, const int32_t x[3],
                         const int32_t y[3])
{
    int32_t last = (int32_t)job->samples - 1;
    struct range cols = tile_range(x, last), rows = tile_range(y, last);
    int64_t area = doubled_area(x, y);
    if (cols.first == cols.end || rows.first == rows.end || area == 0)
        return;
    struct triangles *list = area < 0 ? &job->drawn : &job->backs;
    list->triangles[list->count] = triangle;
    list->boxes[list->count] =
        (struct tess_tile_box){(uint16_t)cols.first, (uint16_t)rows.first,
                               (uint16_t)cols.end, (uint16_t)rows.end};
    list->count++;
}

static enum tess_status append_backs(struct job *job, struct tess_env *env)
{
    struct triangles *to = &job->drawn, *from = &job->backs;
    TESS_TRY(grow_list(to, env, from->count));
    if (from->count) {
        memcpy(to->triangles + to->count, from->triangles,
               from->count * sizeof *to->triangles);
        memcpy(to->boxes + to->count, from->boxes, from->count * sizeof *to->boxes);
    }
    to->count += from->count;
    return TESS_OK;
}

// Where the edge from inside to outside meets the plane.
static struct point cross_plane(const struct point *inside, const struct point *outside,
                                double d_inside, double d_outside)
{
    double t = d_inside / (d_inside - d_outside);
    struct point point;
    for (int i = 0; i < 3; i++) {
        point.at[i] = inside->at[i] + t * (outside->at[i] - inside->at[i]);
        point.weights[i] =
            inside->weights[i] + t * (outside->weights[i] - inside->weights[i]);
    }
    return point;
}

// Cut a polygon by one plane (Sutherland and Hodgman). Returns its new number of points.
static size_t cut_polygon(const struct job *job, struct point out[POLYGON_MAX],
                          const struct point in[POLYGON_MAX], size_t count, int plane)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct point *a = &in[i], *b = &in[(i + 1) % count];
        double da = distance(job, a, plane), db = distance(job, b, plane);
        if (da >= 0)
            out[kept++] = *a;
        if ((da >= 0) != (db >= 0))
            out[kept++] = da >= 0 ? cross_plane(a, b, da, db) : cross_plane(b, a, db, da);
    }
    return kept;
}

static enum tess_status add_clipped(struct job *job, struct tess_env *env, uint32_t face)
{
    struct point polygon[2][POLYGON_MAX];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t vertex = job->mesh->indices[3 * (size_t)face + i];
        polygon[0][i] = view_point(job, vertex);
        polygon[0][i].weights[i] = 1;
        for (int k = 0; k < 3; k++)
            if (!isfinite(polygon[0][i].at[k]))
                return TESS_OK;
    }
    size_t count = 3;
    int current = 0;
    for (int plane = 0; plane < CLIP_PLANES && count >= 3; plane++, current = !current)
        count = cut_polygon(job, polygon[!current], polygon[current], count, plane);
    TESS_TRY(make_room(job, env, job->mesh->faces - face + POLYGON_MAX));
    TESS_TRY(tess_grow(&job->clipped, &job->clipped_capacity, env,
                       job->clipped_count + POLYGON_MAX, sizeof *job->clipped,
                       "clipped triangles"));
    for (size_t i = 2; i < count; i++) {
        struct corner *c = job->clipped[job->clipped_count];
        c[0] = project(job, &polygon[current][0]);
        c[1] = project(job, &polygon[current][i - 1]);
        c[2] = project(job, &polygon[current][i]);
        add_triangle(job, (struct triangle){face, (uint32_t)job->clipped_count++},
                     (int32_t[]){c[0].x, c[1].x, c[2].x},
                     (int32_t[]){c[0].y, c[1].y, c[2].y});
    }
    return TESS_OK;
}

static enum tess_status add_faces(struct job *job, struct tess_env *env)
{
    const struct tess_mesh *mesh = job->mesh;
    TESS_TRY(make_room(job, env, mesh->faces));
    for (size_t f = 0; f < mesh->faces; f++) {
        const uint32_t *face = mesh->indices + 3 * f;
        assert(face[0] < mesh->vertices && face[1] < mesh->vertices &&
               face[2] < mesh->vertices);
        const struct vertex *a = &job->vertices[face[0]], *b = &job->vertices[face[1]],
                            *c = &job->vertices[face[2]];
        if (a->inverse_z > 0 && b->inverse_z > 0 && c->inverse_z > 0)
            add_triangle(job, (struct triangle){(uint32_t)f, UNCLIPPED},
                         (int32_t[]){a->x, b->x, c->x}, (int32_t[]){a->y, b->y, c->y});
        else
            TESS_TRY(add_clipped(job, env, (uint32_t)f));
    }
    return append_backs(job, env);
}

// ---- records ----

// A plane through the values at the corners: at corner 0, and slopes per sample.
static inline void set_plane(union tess_word *out, const int32_t x[3], const int32_t y[3],
                             double area, const double q[3])
{
    double x1 = x[1] - x[0], y1 = y[1] - y[0];
    double x2 = x[2] - x[0], y2 = y[2] - y[0];
    double scale = SUBSAMPLES / area, d1 = q[1] - q[0], d2 = q[2] - q[0];
    out[0].f32 = (float)q[0];
    out[1].f32 = (float)((d1 * y2 - d2 * y1) * scale);
    out[2].f32 = (float)((d2 * x1 - d1 * x2) * scale);
}

// Corners, the plane of 1/z, and its least and largest value.
static inline void set_corners(union tess_word *out, union tess_word *plane,
                               union tess_word *least, union tess_word *most,
                               const int32_t x[3], const int32_t y[3], const float z[3],
                               double area)
{
    for (int i = 0; i < 3; i++) {
        out[i].i32 = x[i];
        out[3 + i].i32 = y[i];
    }
    float low = z[0] < z[1] ? z[0] : z[1], high = z[0] < z[1] ? z[1] : z[0];
    least->f32 = z[2] < low ? z[2] : low;
    most->f32 = z[2] > high ? z[2] : high;
    set_plane(plane, x, y, area, (double[]){z[0], z[1], z[2]});
}

static void set_vertices(union tess_word *out, const struct job *job,
                         const uint32_t *face, bool back)
{
    const struct tess_mesh *mesh = job->mesh;
    float sign = back && job->channel == TESS_CHANNEL_COLOUR ? -1 : 1, flat[3];
    if (!mesh->normals)
        tess_triangle_unit_normal(flat, mesh->positions + 3 * (size_t)face[0],
                                  mesh->positions + 3 * (size_t)face[1],
                                  mesh->positions + 3 * (size_t)face[2]);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            out[COLOURS + 3 * i + k].f32 =
                mesh->attributes ? mesh->attributes[6 * (size_t)face[i] + k] : GREY;
            out[NORMALS + 3 * i + k].f32 =
                sign * (mesh->normals ? mesh->normals[3 * (size_t)face[i] + k] : flat[k]);
        }
}

static void record(void *user, size_t index, union tess_word *out)
{
    const struct job *job = user;
    struct corner c[3];
    load_corners(c, job, index);
    bool back = doubled_area((int32_t[]){c[0].x, c[1].x, c[2].x},
                             (int32_t[]){c[0].y, c[1].y, c[2].y}) > 0;
    if (!back) {
        struct corner swap = c[1];
        c[1] = c[2];
        c[2] = swap;
    }
    const int32_t x[3] = {c[0].x, c[1].x, c[2].x}, y[3] = {c[0].y, c[1].y, c[2].y};
    const float z[3] = {c[0].inverse_z, c[1].inverse_z, c[2].inverse_z};
    double area = (double)doubled_area(x, y), weights[2][3];
    set_corners(out, out + PLANES, out + LEAST, out + MOST, x, y, z, area);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++)
            weights[k][i] = (double)c[i].weights[k] * z[i];
        set_plane(out + PLANES + 3 + 3 * k, x, y, area, weights[k]);
    }
    set_vertices(out, job,
                 job->mesh->indices + 3 * (size_t)job->drawn.triangles[index].face, back);
}

static void word_record(void *user, size_t index, union tess_word *out)
{
    const struct job *job = user;
    struct triangle triangle = job->drawn.triangles[index];
    const uint32_t *face = job->mesh->indices + 3 * (size_t)triangle.face;
    struct vertex v[3];
    for (int i = 0; i < 3; i++) {
        v[i] = job->vertices[face[i]];
        if (triangle.clipped != UNCLIPPED) {
            const struct corner *c = &job->clipped[triangle.clipped][i];
            v[i] = (struct vertex){c->x, c->y, c->inverse_z};
        }
    }
    int64_t area = doubled_area((int32_t[]){v[0].x, v[1].x, v[2].x},
                                (int32_t[]){v[0].y, v[1].y, v[2].y});
    // Turned round if need be, without a branch: which way round is hard to predict.
    size_t second = area > 0 ? 1 : 2;
    struct vertex b = v[second], c = v[3 - second];
    set_corners(out, out + WORD_PLANE, out + WORD_LEAST, out + WORD_MOST,
                (int32_t[]){v[0].x, b.x, c.x}, (int32_t[]){v[0].y, b.y, c.y},
                (float[]){v[0].inverse_z, b.inverse_z, c.inverse_z},
                (double)(area > 0 ? area : -area));
    out[WORD_NUMBER].i32 = (int32_t)triangle.face;
}

static struct tess_tiles describe(struct job *job, uint32_t size, uint32_t supersampling)
{
    struct tess_tiles tiles = {.name = "mesh drawing",
                               .file = "raster",
                               .raster = "draw_triangles",
                               .resolve = "resolve_triangles",
                               .flop = 24,
                               .size = size,
                               .supersampling = supersampling,
                               .record_words = RECORD,
                               .count = job->drawn.count,
                               .boxes = job->drawn.boxes,
                               .record = record,
                               .user = job};
    // From the upper left, and from the camera.
    const double from_view[2][3] = {{-0.45, -0.70, -0.60}, {0, 0, -1}};
    for (size_t light = 0; light < 2; light++)
        for (size_t i = 0; i < 3; i++) {
            const double *l = from_view[light];
            double length = sqrt(l[0] * l[0] + l[1] * l[1] + l[2] * l[2]), sum = 0;
            for (int axis = 0; axis < 3; axis++)
                sum += l[axis] / length * job->view.rotation[axis][i];
            tiles.extra[3 * light + i] = (struct tess_arg)TESS_F32ARG((float)sum);
        }
    if (job->channel == TESS_CHANNEL_DEPTH) {
        double front, slope;
        tess_camera_depth(&front, &slope, &job->view);
        tiles.extra[0] = (struct tess_arg)TESS_F32ARG((float)front);
        tiles.extra[1] = (struct tess_arg)TESS_F32ARG((float)slope);
    }
    tiles.extra[6] = (struct tess_arg)TESS_U32ARG(job->channel);
    return tiles;
}

static void clear_job(struct job *job)
{
    free(job->vertices);
    free(job->drawn.triangles);
    free(job->drawn.boxes);
    free(job->backs.triangles);
    free(job->backs.boxes);
    free(job->clipped);
}

// What the camera sees; job->samples is known.
static enum tess_status look(struct job *job, struct tess_env *env,
                             const struct tess_camera *camera)
{
    job->drawn.count = job->backs.count = job->clipped_count = 0;
    tess_camera_view(&job->view, camera);
    TESS_TRY(project_vertices(job, env));
    return add_faces(job, env);
}

static enum tess_status draw(struct tess_picture *out, struct tess_stage_report *report,
                             struct tess_device *dev, struct tess_budget *budget,
                             struct job *job, const struct tess_camera *camera,
                             uint32_t size, uint32_t supersampling)
{
    struct tess_env *env = tess_device_env(dev);
    assert(job->mesh->faces < UINT32_MAX / 8); // also after clipping
    job->samples = size * supersampling;
    enum tess_status status = look(job, env, camera);
    if (!status) {
        struct tess_tiles tiles = describe(job, size, supersampling);
        status = tess_tiles_run(out, report, dev, budget, &tiles);
    }
    clear_job(job);
    return status;
}

enum tess_status tess_render_mesh(struct tess_picture *out,
                                  struct tess_stage_report *report,
                                  struct tess_device *dev, struct tess_budget *budget,
                                  const struct tess_mesh *mesh,
                                  const struct tess_camera *camera, uint32_t size,
                                  uint32_t supersampling, enum tess_channel channel)
{
    TESS_TRY(tess_tiles_check(&size, &supersampling, 4, tess_device_env(dev)));
    struct job job = {.mesh = mesh, .channel = channel};
    return draw(out, report, dev, budget, &job, camera, size, supersampling);
}

// ---- words ----

struct words_job {
    struct job job;
    struct tess_env *env;
    const struct tess_word_views *views;
};

static struct tess_tiles describe_words(struct words_job *words)
{
    const struct tess_word_views *views = words->views;
    struct tess_tiles tiles = describe(&words->job, views->size, 1);
    tiles.name = views->name;
    if (views->words == TESS_WORDS_COORDINATES) {
        tiles.resolve = "resolve_coordinates";
        return tiles;
    }
    const struct tess_mesh *mesh = words->job.mesh;
    tiles.raster = "draw_words";
    tiles.resolve = NULL;
    tiles.record_words = WORD_RECORD;
    tiles.record = word_record;
    tiles.numbers = views->mark ? (mesh->faces ? mesh->faces : 1) : 0;
    memset(tiles.extra, 0, sizeof tiles.extra);
    tiles.extra[0] = (struct tess_arg)TESS_U32ARG(views->words == TESS_WORDS_DEPTHS);
    return tiles;
}

static enum tess_status begin_words(void *user, struct tess_stage *stage, size_t view,
                                    struct tess_tiles *tiles)
{
    (void)stage;
    struct words_job *words = user;
    struct tess_camera camera = words->views->camera(words->views->user, view);
    TESS_TRY(look(&words->job, words->env, &camera));
    *tiles = describe_words(words);
    return TESS_OK;
}

static enum tess_status end_words(void *user, size_t view,
                                  const struct tess_picture *picture)
{
    const struct words_job *words = user;
    return words->views->see(words->views->user, view, picture->pixels);
}

static uint8_t *words_of(void *user, size_t view)
{
    const struct words_job *words = user;
    return words->views->words_of(words->views->user, view);
}

static enum tess_status mark_words(void *user, size_t view, const uint8_t *marks)
{
    const struct words_job *words = user;
    return words->views->mark(words->views->user, view, marks);
}

// Texture coordinates as red and green, for free().
static enum tess_status paint_coordinates(float **attributes, struct tess_env *env,
                                          const struct tess_mesh *mesh)
{
    TESS_TRY(tess_alloc(attributes, env, mesh->vertices, 6 * sizeof **attributes,
                        "texture coordinates"));
    for (size_t i = 0; i < mesh->vertices; i++)
        memcpy(*attributes + 6 * i, mesh->uvs + 2 * i, 2 * sizeof *mesh->uvs);
    return TESS_OK;
}

enum tess_status tess_render_words(struct tess_stage_report *report,
                                   struct tess_device *dev, struct tess_budget *budget,
                                   const struct tess_mesh *mesh,
                                   const struct tess_word_views *views)
{
    struct tess_env *env = tess_device_env(dev);
    struct tess_mesh painted = *mesh;
    bool coordinates = views->words == TESS_WORDS_COORDINATES;
    uint32_t size = views->size, supersampling = 1;
    TESS_TRY(tess_tiles_check(&size, &supersampling, 1, env));
    if (coordinates)
        TESS_TRY(paint_coordinates(&painted.attributes, env, mesh));
    struct words_job words = {
        .job = {.mesh = &painted, .channel = TESS_CHANNEL_FLAT, .samples = size},
        .env = env,
        .views = views};
    struct tess_tiles tiles = describe_words(&words);
    enum tess_status status = tess_tiles_run_views(
        report, dev, budget, &tiles,
        &(struct tess_tiles_views){.count = views->count,
                                   .begin = begin_words,
                                   .pixels = views->words_of ? words_of : NULL,
                                   .end = views->see ? end_words : NULL,
                                   .mark = mark_words,
                                   .user = &words});
    clear_job(&words.job);
    if (coordinates)
        free(painted.attributes);
    return status;
}

enum tess_status tess_render_words_plan(struct tess_stage_report *report,
                                        struct tess_device *dev,
                                        const struct tess_budget *budget,
                                        const struct tess_word_views *views)
{
    uint32_t size = views->size, supersampling = 1;
    TESS_TRY(tess_tiles_check(&size, &supersampling, 1, tess_device_env(dev)));
    struct words_job words = {.job = {.samples = size}, .views = views};
    struct tess_tiles tiles = describe_words(&words);
    return tess_tiles_plan_views(report, dev, budget, &tiles,
                                 &(struct tess_tiles_views){.count = views->count});
}

enum tess_status tess_render_mesh_plan(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget, uint32_t size,
                                       uint32_t supersampling)
{
    TESS_TRY(tess_tiles_check(&size, &supersampling, 4, tess_device_env(dev)));
    struct job job = {.mesh = NULL};
    struct tess_tiles tiles = describe(&job, size, supersampling);
    return tess_tiles_plan(report, dev, budget, &tiles);
}
