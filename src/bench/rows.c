// Rows of tables and charts. They are told apart by name and size: other sizes are other
// work.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"

static struct tess_bench_row *find_row(struct tess_bench_row *rows, size_t count,
                                       const struct tess_bench_rate *rate)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].first->name, rate->name) == 0 &&
            strcmp(rows[i].first->size, rate->size) == 0)
            return &rows[i];
    return NULL;
}

enum tess_status tess_bench_rows(struct tess_bench_row **rows, size_t *row_count,
                                 struct tess_env *env,
                                 const struct tess_bench *const *benches, size_t count)
{
    struct tess_bench_row *made = NULL;
    size_t made_count = 0;
    if (count == 0 || count > TESS_BENCH_MAX)
        return tess_fail(env, TESS_ERR_ARG, "%zu results to compare, expected 1..%d",
                         count, TESS_BENCH_MAX);
    TESS_TRY(tess_alloc(&made, env, count * TESS_BENCH_RATES, sizeof *made, "a table"));
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; i < benches[b]->result.rate_count; i++) {
            const struct tess_bench_rate *rate = &benches[b]->result.rates[i];
            struct tess_bench_row *row = find_row(made, made_count, rate);
            if (!row) {
                row = &made[made_count++];
                row->first = rate;
            }
            row->cells[b] = rate;
            row->fastest = rate->rate > row->fastest ? rate->rate : row->fastest;
        }
    *rows = made;
    *row_count = made_count;
    return TESS_OK;
}

size_t tess_bench_stage_rows(struct tess_bench_stage_row *rows,
                             const struct tess_bench *const *benches, size_t count)
{
    size_t made = 0;
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; i < benches[b]->result.asset.stage_count; i++) {
            const struct tess_bench_stage *stage = &benches[b]->result.asset.stages[i];
            size_t r = 0;
            while (r < made && strcmp(rows[r].name, stage->name) != 0)
                r++;
            if (r == TESS_BENCH_STAGES)
                continue;
            if (r == made)
                rows[made++] = (struct tess_bench_stage_row){.name = stage->name};
            rows[r].cells[b] = stage;
        }
    return made;
}

char *tess_bench_rate_text(char *text, size_t size, double rate, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    size_t prefix = 0;
    while (rate >= 999.5 && prefix < 5) {
        rate /= 1000;
        prefix++;
    }
    bool symbol = unit[0] >= 'A' && unit[0] <= 'Z'; // "GFLOP", but "M faces"
    snprintf(text, size, "%.3g %s%s%s/s", rate, prefixes[prefix],
             symbol || !prefix ? "" : " ", unit);
    return text;
}
