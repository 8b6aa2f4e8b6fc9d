// Files of assets that become part of other files.
#ifndef TESS_ASSET_FILES_H
#define TESS_ASSET_FILES_H

#include "pipeline/context.h"

// Write what the asset has into `path`, whatever its suffix, as tess_asset_save() does
// for .glb and .spz; the file does not go into reports. Statuses as there.
enum tess_status tess_asset_write_glb(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path);
enum tess_status tess_asset_write_spz(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path);

#endif
