// Values of options: bytes, counts, numbers.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/options.h"

bool cli_parse_bytes(size_t *out, const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || errno || value == 0 || strchr(text, '-'))
        return false;
    unsigned shift = 0;
    for (unsigned i = 0; units[i]; i++)
        if (*end && strncasecmp(end, &units[i], 1) == 0)
            shift = 10 * (i + 1);
    if (shift) {
        end++;
        if (strcasecmp(end, "iB") == 0 || strcasecmp(end, "B") == 0)
            end = "";
    }
    if (*end || value > SIZE_MAX >> shift)
        return false;
    *out = (size_t)value << shift;
    return true;
}

bool cli_parse_count(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-') || value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool cli_parse_number(float *out, const char *text, float min, float max)
{
    char *end;
    float value = strtof(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        return false;
    *out = value;
    return true;
}

bool cli_parse_double(double *out, const char *text, const char **end, double min,
                      double max)
{
    char *stop;
    double value = strtod(text, &stop);
    *end = stop;
    if (stop == text || !(value >= min && value <= max))
        return false;
    *out = value;
    return true;
}

float cli_radians(float degrees)
{
    return degrees * (float)(M_PI / 180);
}
