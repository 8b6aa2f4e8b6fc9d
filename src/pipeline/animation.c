// Animated pictures.
#include <stdlib.h>

#include "base/alloc.h"
#include "io/apng.h"
#include "pipeline/provenance.h"

#define DEFAULT_FPS 12

struct tess_animation {
    struct tess_apng *apng;
    char *path;
};

enum tess_status tess_animation_open(struct tess_animation **out,
                                     struct tess_context *ctx, const char *path,
                                     uint32_t frames, uint32_t fps)
{
    tess_context_begin(ctx);
    struct tess_animation *animation = NULL;
    TESS_TRY(tess_alloc(&animation, &ctx->env, 1, sizeof *animation, "an animation"));
    enum tess_status status = tess_strdup(&animation->path, &ctx->env, path);
    if (!status)
        status = tess_apng_open(&animation->apng, &ctx->env, path, frames,
                                fps ? fps : DEFAULT_FPS);
    if (status) {
        tess_animation_destroy(&animation);
        return status;
    }
    *out = animation;
    return TESS_OK;
}

enum tess_status tess_animation_add(struct tess_animation *animation,
                                    struct tess_context *ctx,
                                    const struct tess_image *image)
{
    tess_context_begin(ctx);
    return tess_apng_add(animation->apng, &ctx->env, &image->picture);
}

enum tess_status tess_animation_finish(struct tess_animation **out,
                                       struct tess_context *ctx)
{
    tess_context_begin(ctx);
    enum tess_status status = tess_apng_finish(&(*out)->apng, &ctx->env);
    if (!status)
        status = tess_provenance_file(ctx, TESS_FILE_OUTPUT, (*out)->path);
    tess_animation_destroy(out);
    return status;
}

void tess_animation_destroy(struct tess_animation **animation)
{
    if (!*animation)
        return;
    tess_apng_destroy(&(*animation)->apng);
    free((*animation)->path);
    free(*animation);
    *animation = NULL;
}
