// Contact sheets.
#include "render/sheet.h"

#include <string.h>

enum tess_status tess_sheet_create(struct tess_picture *out, struct tess_env *env,
                                   const struct tess_picture *const *pictures,
                                   size_t count, size_t columns)
{
    if (count == 0)
        return tess_fail(env, TESS_ERR_ARG, "a sheet needs at least one picture");
    uint32_t width = pictures[0]->width, height = pictures[0]->height;
    for (size_t i = 1; i < count; i++)
        if (pictures[i]->width != width || pictures[i]->height != height)
            return tess_fail(
                env, TESS_ERR_ARG,
                "picture %zu of a sheet has %u x %u pixels, the first %u x %u", i,
                (unsigned)pictures[i]->width, (unsigned)pictures[i]->height,
                (unsigned)width, (unsigned)height);
    if (columns == 0 || columns > count)
        columns = count;
    size_t rows = (count + columns - 1) / columns;
    if (columns * width > UINT32_MAX || rows * height > UINT32_MAX)
        return tess_fail(env, TESS_ERR_ARG, "a sheet of %zu x %zu pictures is too large",
                         columns, rows);
    struct tess_picture sheet;
    TESS_TRY(tess_picture_create(&sheet, env, (uint32_t)(columns * width),
                                 (uint32_t)(rows * height)));
    size_t row_bytes = (size_t)width * 4;
    for (size_t i = 0; i < count; i++)
        for (size_t y = 0; y < height; y++) {
            size_t row = i / columns * height + y;
            memcpy(sheet.pixels + (row * columns + i % columns) * row_bytes,
                   pictures[i]->pixels + y * row_bytes, row_bytes);
        }
    *out = sheet;
    return TESS_OK;
}
