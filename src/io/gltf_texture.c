// Textures of binary glTF files: pictures in buffer views.
#include "io/gltf_texture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/image.h"

// A picture that cannot be read leaves no message: the mesh is read without it.
static void read_picture(struct tess_picture *out, const struct tess_glb *glb,
                         struct tess_json_at image)
{
    const uint8_t *data;
    size_t bytes;
    if (tess_glb_view(&data, &bytes, glb, image, "bufferView") ||
        tess_image_decode(out, glb->env, glb->path, data, bytes))
        glb->env->message[0] = 0;
}

static enum tess_status find_picture(const struct tess_picture **out,
                                     struct tess_gltf_textures *textures,
                                     const struct tess_glb *glb, struct tess_json_at info)
{
    struct tess_json_at texture, image;
    size_t index;
    TESS_TRY(tess_glb_follow(&texture, info, "index", &glb->textures));
    if (!tess_json_present(tess_json_member(texture, "source")) || !glb->images.count)
        return TESS_OK; // of an extension
    TESS_TRY(tess_json_size(&index, texture, "source", 0, glb->images.count - 1));
    TESS_TRY(tess_json_object(&image, glb->images.items[index], NULL));
    if (!textures->pictures) {
        TESS_TRY(tess_alloc(&textures->tried, glb->env, glb->images.count,
                            sizeof *textures->tried, "textures"));
        TESS_TRY(tess_alloc(&textures->pictures, glb->env, glb->images.count,
                            sizeof *textures->pictures, "textures"));
        textures->count = glb->images.count;
    }
    if (!textures->tried[index])
        read_picture(&textures->pictures[index], glb, image);
    textures->tried[index] = true;
    if (textures->pictures[index].pixels)
        *out = &textures->pictures[index];
    return TESS_OK;
}

enum tess_status tess_gltf_texture_find(struct tess_gltf_texture *out,
                                        struct tess_gltf_textures *textures,
                                        const struct tess_glb *glb,
                                        struct tess_json_at pbr,
                                        struct tess_json_at attributes, size_t vertices)
{
    struct tess_json_at info;
    uint32_t set;
    char key[32];
    *out = (struct tess_gltf_texture){0};
    TESS_TRY(tess_json_object(&info, pbr, "baseColorTexture"));
    TESS_TRY(tess_json_uint_or(&set, info, "texCoord", 0, 1000, 0));
    snprintf(key, sizeof key, "TEXCOORD_%u", (unsigned)set);
    if (!tess_json_present(tess_json_member(attributes, key)))
        return TESS_OK;
    TESS_TRY(tess_glb_accessor(&out->uvs, glb, attributes, key));
    if (out->uvs.components != 2 || out->uvs.count != vertices ||
        (out->uvs.type != TESS_GLB_FLOAT && !out->uvs.normalized))
        return tess_json_fail(attributes, key,
                              "an accessor of %zu VEC2, float or normalized", vertices);
    return find_picture(&out->picture, textures, glb, info);
}

// The texel at or before a place in texels, in a picture that repeats.
static size_t wrap(double x, uint32_t size)
{
    double turned = fmod(x, size);
    turned = turned < 0 ? turned + size : turned;
    return turned < size ? (size_t)turned : 0;
}

void tess_gltf_texture_sample(float rgb[3], const struct tess_gltf_texture *texture,
                              size_t vertex)
{
    const struct tess_picture *picture = texture->picture;
    float uv[4];
    tess_glb_floats(uv, &texture->uvs, vertex);
    double x = uv[0] * (double)picture->width - 0.5,
           y = uv[1] * (double)picture->height - 0.5;
    memset(rgb, 0, 3 * sizeof *rgb);
    if (!isfinite(x) || !isfinite(y))
        return;
    double right = x - floor(x), low = y - floor(y);
    for (int tap = 0; tap < 4; tap++) {
        size_t column = wrap(floor(x) + tap % 2, picture->width),
               row = wrap(floor(y) + tap / 2, picture->height);
        double weight = (tap % 2 ? right : 1 - right) * (tap / 2 ? low : 1 - low);
        const uint8_t *pixel = picture->pixels + 4 * (row * picture->width + column);
        for (size_t k = 0; k < 3; k++)
            rgb[k] += (float)(weight * pixel[k] / 255);
    }
}

void tess_gltf_textures_clear(struct tess_gltf_textures *textures)
{
    for (size_t i = 0; i < textures->count; i++)
        tess_picture_clear(&textures->pictures[i]);
    free(textures->pictures);
    free(textures->tried);
    memset(textures, 0, sizeof *textures);
}
