// Cameras that look at the origin.
#ifndef TESS_CAMERA_H
#define TESS_CAMERA_H

#include <stddef.h>

#include "tessella.h"

// World to view is rotation * p + translation: x right, y down, z forward.
struct tess_view {
    double eye[3];
    double rotation[3][3]; // rows are the view's axes in the world
    double translation[3];
    double tangent; // of half the field of view
    double focal;   // of a picture of width 1
};

// A point in view coordinates appears in a picture of W pixels at focal * W * x / z + W /
// 2 - 0.5 (y alike, downwards), where pixel i has its centre at i.
void tess_camera_view(struct tess_view *out, const struct tess_camera *camera);

// How TESS_CHANNEL_DEPTH shows view depth z: as *front - *slope * z, 0..1 inside the
// sphere around the unit cube. Nearer than the eye, that ends at the eye.
void tess_camera_depth(double *front, double *slope, const struct tess_view *view);

// The yaw in radians of picture `frame` of `frames` around the object, in even steps.
float tess_turntable_yaw(size_t frame, size_t frames);

#endif
