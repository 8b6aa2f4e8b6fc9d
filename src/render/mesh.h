// Triangle meshes to pictures.
#ifndef TESS_RENDER_MESH_H
#define TESS_RENDER_MESH_H

#include "base/mesh.h"
#include "render/tiles.h"

// Render in perspective with a z-buffer, both sides of faces, from 0.01 in front of the
// eye on.
//
// Coverage is exact for corners rounded to 1/256 of a sample: faces that share an edge
// neither leave a gap nor overlap. Of faces at the same depth one whose front is to the
// camera is seen, and of those the first.
// Faces without area or with a position that is not finite are left out. Indices must be
// below mesh->vertices.
//
// Colours are mesh->attributes 0 to 2 (light grey without), normals are mesh->normals
// (each face's own without). TESS_CHANNEL_COLOUR lights them from above and from the
// camera, in sRGB as it is, with normals of back faces turned round; TESS_CHANNEL_FLAT
// does not; TESS_CHANNEL_NORMAL shows (n + 1) / 2, TESS_CHANNEL_DEPTH what
// tess_camera_depth() says.
//
// size 0: 512; supersampling 0: 4; both per axis. A pixel's colour is the mean of its
// covered samples and alpha their share, both rounded to 8 bits; the background is
// transparent. Clear *out with tess_picture_clear(). TESS_ERR_ARG: a size or
// supersampling beyond the largest; TESS_ERR_BUDGET with the smallest budget that works.
enum tess_status tess_render_mesh(struct tess_picture *out,
                                  struct tess_stage_report *report,
                                  struct tess_device *dev, struct tess_budget *budget,
                                  const struct tess_mesh *mesh,
                                  const struct tess_camera *camera, uint32_t size,
                                  uint32_t supersampling, enum tess_channel channel);

// What a pixel's centre shows, in 4 bytes.
enum tess_words {
    TESS_WORDS_FACES,  // uint32_t, the number of the face, or TESS_NO_WORD
    TESS_WORDS_DEPTHS, // float, 1 / depth along the view of the nearest face, or 0
    // uint32_t, where it lies on the texture: u + 65536 v in 1/65536 of its side, or
    // TESS_NO_WORD. The mesh has texture coordinates.
    TESS_WORDS_COORDINATES,
};

// Views of one size.
struct tess_word_views {
    const char *name; // of the stage
    enum tess_words words;
    size_t count;
    uint32_t size; // pixels, both axes, not 0
    struct tess_camera (*camera)(void *user, size_t view);
    // Where words [size][size] of a view come to, row 0 at the top; NULL: they are only
    // passed to see(), which else may be NULL. Not for marks.
    void *(*words_of)(void *user, size_t view);
    enum tess_status (*see)(void *user, size_t view, const void *words);
    // Instead of TESS_WORDS_FACES, if not NULL: 1 for each face that has a pixel, else 0.
    enum tess_status (*mark)(void *user, size_t view, const uint8_t *faces);
    void *user;
};

// Draw all views in one stage, and call back view by view. Rules and statuses of
// tess_render_mesh().
enum tess_status tess_render_words(struct tess_stage_report *report,
                                   struct tess_device *dev, struct tess_budget *budget,
                                   const struct tess_mesh *mesh,
                                   const struct tess_word_views *views);

// What these would need, with the smallest budget. That depends on the pictures, not on
// the mesh. Of `views` name, words, count and size are read.
enum tess_status tess_render_words_plan(struct tess_stage_report *report,
                                        struct tess_device *dev,
                                        const struct tess_budget *budget,
                                        const struct tess_word_views *views);
enum tess_status tess_render_mesh_plan(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget, uint32_t size,
                                       uint32_t supersampling);

#endif
