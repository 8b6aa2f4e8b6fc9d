// The page that shows an asset in a browser, without the asset: made by embed.py from the
// files in this folder.
#ifndef TESS_PAGE_H
#define TESS_PAGE_H

// The page is these texts (UTF-8) with something between them: the title, which is text
// in HTML; the title again; the files, each as io/html.h writes it.
enum { TESS_PAGE_TEXTS = 4 };
extern const char *const tess_page_texts[TESS_PAGE_TEXTS];

#endif
