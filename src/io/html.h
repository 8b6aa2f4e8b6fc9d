// Pages (.html) that show a mesh and splats in a browser and hold them as files. The page
// itself is src/page; each file is in it as
//   <script type="text/plain" id="KIND" data-name="NAME">BASE64</script>
// Nothing is loaded from elsewhere.
#ifndef TESS_HTML_H
#define TESS_HTML_H

#include <stddef.h>

#include "base/status.h"

struct tess_html_file {
    const char *kind;   // as src/page/main.js asks for it: "glb" or "spz"
    const char *name;   // under which the page offers it
    const char *source; // where it is now
};

// Write a page with a title (UTF-8 text) and `count` files, none of them NULL. The files
// are mapped and pass in small parts. TESS_ERR_FILE if one cannot be read; else statuses
// as tess_output_commit().
enum tess_status tess_html_write(struct tess_env *env, const char *path,
                                 const char *title, const struct tess_html_file *files,
                                 size_t count);

#endif
