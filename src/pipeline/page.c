// Pages: the files that a page holds are written into a folder beside it, by the writers
// that serve -o too, and go from there into the page.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/html.h"
#include "pipeline/asset_files.h"
#include "pipeline/provenance.h"

enum { FILES_MAX = 2 };
#define SUFFIX ".html"

struct page {
    char *title; // the path without folder and suffix
    char *folder;
    char *names[FILES_MAX], *sources[FILES_MAX];
    struct tess_html_file files[FILES_MAX];
    size_t count;
};

typedef enum tess_status (*save_function)(const struct tess_asset *asset,
                                          struct tess_context *ctx, const char *path);

static enum tess_status make_title(char **out, struct tess_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t length = strlen(base), end = sizeof SUFFIX - 1;
    return tess_strf(out, &ctx->env, "%.*s", (int)(length > end ? length - end : length),
                     base);
}

static enum tess_status make_folder(char **out, struct tess_context *ctx,
                                    const char *path)
{
    char *folder = NULL;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    // The name is cut so that the longest file names still work.
    TESS_TRY(tess_strf(&folder, &ctx->env, "%.*s%.200s.XXXXXX", (int)(base - path), path,
                       base));
    if (!mkdtemp(folder)) {
        int error = errno;
        free(folder);
        return tess_fail(&ctx->env, TESS_ERR_WRITE, "cannot write %s: %s", path,
                         strerror(error));
    }
    *out = folder;
    return TESS_OK;
}

static enum tess_status add_file(struct page *page, struct tess_context *ctx,
                                 const struct tess_asset *asset, const char *kind,
                                 save_function save)
{
    size_t i = page->count++;
    TESS_TRY(tess_strf(&page->names[i], &ctx->env, "%s.%s", page->title, kind));
    TESS_TRY(tess_strf(&page->sources[i], &ctx->env, "%s/%s", page->folder, kind));
    page->files[i] = (struct tess_html_file){kind, page->names[i], page->sources[i]};
    return save(asset, ctx, page->sources[i]);
}

static void clear(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (page->sources[i])
            unlink(page->sources[i]);
        free(page->names[i]);
        free(page->sources[i]);
    }
    if (page->folder)
        rmdir(page->folder);
    free(page->folder);
    free(page->title);
}

static enum tess_status write_page(struct page *page, struct tess_context *ctx,
                                   const struct tess_asset *mesh,
                                   const struct tess_asset *splats, const char *path,
                                   bool unlit)
{
    TESS_TRY(make_title(&page->title, ctx, path));
    TESS_TRY(make_folder(&page->folder, ctx, path));
    if (mesh) {
        struct tess_asset written = *mesh;
        written.unlit = unlit;
        TESS_TRY(add_file(page, ctx, &written, "glb", tess_asset_write_glb));
    }
    if (splats)
        TESS_TRY(add_file(page, ctx, splats, "spz", tess_asset_write_spz));
    return tess_html_write(&ctx->env, path, page->title, page->files, page->count);
}

enum tess_status tess_asset_save_page(const struct tess_asset *mesh,
                                      const struct tess_asset *splats,
                                      struct tess_context *ctx, const char *path,
                                      const struct tess_save_params *params)
{
    tess_context_begin(ctx);
    struct page page = {0};
    if (mesh && !mesh->has_mesh)
        mesh = NULL;
    if (splats && !splats->has_splats)
        splats = NULL;
    if (!mesh && !splats)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "%s: a page shows a mesh or Gaussian splats, and there is "
                         "neither",
                         path);
    enum tess_status status =
        write_page(&page, ctx, mesh, splats, path, params && params->unlit);
    clear(&page);
    return status ? status : tess_provenance_file(ctx, TESS_FILE_OUTPUT, path);
}
