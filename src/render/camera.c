// The look-at camera.
//
// With d = -eye and up = z the axes are X = normalize(-up x d), Y = normalize(d x X) and
// Z = normalize(d). Written out for spherical coordinates X is (-cos yaw, sin yaw, 0),
// with the sign of cos pitch: so it is also defined straight above and below.
#include "render/camera.h"

#include <math.h>

#define PI             3.14159265358979323846
#define SPHERE         0.86602540378443865 // half the diagonal of the unit cube
#define DEFAULT_RADIUS 2.0
#define DEFAULT_FOV    (40.0f * (float)(PI / 180.0)) // as who asks for 40 degrees gets it

void tess_camera_view(struct tess_view *out, const struct tess_camera *camera)
{
    double yaw = camera->yaw, pitch = camera->pitch;
    double radius = camera->radius != 0 ? camera->radius : DEFAULT_RADIUS;
    double fov = camera->fov != 0 ? camera->fov : DEFAULT_FOV;
    double back[3] = {sin(yaw) * cos(pitch), cos(yaw) * cos(pitch), sin(pitch)};
    double side = cos(pitch) < 0 ? -1 : 1;
    double x[3] = {-side * cos(yaw), side * sin(yaw), 0};
    double z[3] = {-back[0], -back[1], -back[2]};
    double y[3] = {z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2],
                   z[0] * x[1] - z[1] * x[0]};
    for (int i = 0; i < 3; i++) {
        out->eye[i] = radius * back[i];
        out->rotation[0][i] = x[i];
        out->rotation[1][i] = y[i];
        out->rotation[2][i] = z[i];
    }
    // The eye is on the z axis of the view: only that component is not zero.
    out->translation[0] = out->translation[1] = 0;
    out->translation[2] = radius;
    out->tangent = tan(fov / 2);
    out->focal = 0.5 / out->tangent;
}

void tess_camera_depth(double *front, double *slope, const struct tess_view *view)
{
    double middle = view->translation[2];
    double near = fmax(middle - SPHERE, 0), far = middle + SPHERE;
    *slope = 1 / (far - near);
    *front = far * *slope;
}

float tess_turntable_yaw(size_t frame, size_t frames)
{
    return (float)(2 * PI * (double)frame / (double)(frames ? frames : 1));
}
