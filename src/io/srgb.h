// sRGB's transfer function (IEC 61966-2-1), for values in 0..1.
#ifndef TESS_SRGB_H
#define TESS_SRGB_H

double tess_srgb_to_linear(double value);
double tess_srgb_from_linear(double value);

#endif
