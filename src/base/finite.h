// Whether numbers are numbers.
#ifndef TESS_FINITE_H
#define TESS_FINITE_H

#include <stdbool.h>
#include <stddef.h>

// Whether none of values[count] is NaN or infinite. As fast as memory is.
bool tess_all_finite(const float *values, size_t count);

#endif
