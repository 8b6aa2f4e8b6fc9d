// Our world into the axes of files and back.
#include "io/turn.h"

#include <math.h>
#include <string.h>

void tess_turn_down(float *out, const float *in)
{
    float x = in[0], y = in[1], z = in[2];
    out[0] = x;
    out[1] = -z;
    out[2] = y;
}

void tess_turn_up(float *out, const float *in)
{
    float x = in[0], y = in[1], z = in[2];
    out[0] = x;
    out[1] = z;
    out[2] = -y;
}

// (cos 45°, sin 45°, 0, 0) times q, or for `sign` -1 the inverse of the first times q.
static bool turn(float *out, const float *q, double sign)
{
    double w = q[0], x = q[1], y = q[2], z = q[3];
    double length = sqrt(2 * (w * w + x * x + y * y + z * z));
    if (!(length > 0)) {
        memcpy(out, (const float[]){1, 0, 0, 0}, 4 * sizeof(float));
        return false;
    }
    out[0] = (float)((w - sign * x) / length);
    out[1] = (float)((x + sign * w) / length);
    out[2] = (float)((y - sign * z) / length);
    out[3] = (float)((z + sign * y) / length);
    return true;
}

bool tess_turn_rotation_down(float *out, const float *q)
{
    return turn(out, q, 1);
}

bool tess_turn_rotation_up(float *out, const float *q)
{
    return turn(out, q, -1);
}
