// Consistent winding.
#ifndef TESS_WIND_H
#define TESS_WIND_H

#include "base/mesh.h"

// Turn faces round so that two faces at an edge run along it in opposite directions,
// where that is possible. In each component the direction of most faces stays.
// *turned is the number of faces turned. TESS_ERR_MEMORY.
enum tess_status tess_mesh_wind(struct tess_mesh *mesh, size_t *turned,
                                struct tess_env *env);

#endif
