// Our world into the axes of files and back: a quarter turn around x.
#ifndef TESS_TURN_H
#define TESS_TURN_H

#include <stdbool.h>

// To the axes that viewers of Gaussian splats expect, y down, as TRELLIS turns them:
// (x, y, z) becomes (x, -z, y). These are the axes of .ply and .splat. Positions with y
// up, those of glTF and .spz, turn to our world the same way.
void tess_turn_down(float *out, const float *in);

// The other way: (x, y, z) becomes (x, z, -y). To y up, or from .ply and .splat to ours.
void tess_turn_up(float *out, const float *in);

// The same for a quaternion w, x, y, z, which comes out with unit length. False, and
// *out no rotation, if it has no length.
bool tess_turn_rotation_down(float *out, const float *q);
bool tess_turn_rotation_up(float *out, const float *q);

#endif
