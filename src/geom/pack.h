// Flat charts side by side in a square.
#ifndef TESS_PACK_H
#define TESS_PACK_H

#include "geom/charts.h"

// Where the charts lie in a square of `cells` x `cells` cells.
struct tess_packing {
    double scale; // cells a unit of the charts
    struct tess_place {
        uint32_t x, y; // of the chart's lower left corner, in cells
        bool turned;   // by 90 degrees to the left
    } * places;        // [charts]
};

// The largest scale that is found at which charts have no cell in common, and a free cell
// between each other, also across the square's borders, where textures repeat. A chart
// has all cells that its faces touch. Larger charts are placed first, each as far down
// and then left as it goes, the better way round. *found: false if they do not fit at any
// scale, because there are too many of them. Clear with tess_packing_clear().
// TESS_ERR_MEMORY.
enum tess_status tess_charts_pack(struct tess_packing *out, bool *found,
                                  struct tess_env *env, const struct tess_charts *charts,
                                  size_t faces, uint32_t cells);
void tess_packing_clear(struct tess_packing *packing);

#endif
