// Results as a picture: a group of bars for each operator, one bar for each result, as
// long as its share of the result's own roof, which is the line at the right. Operators
// without a roof have pale bars among several results, as long as their share of the
// fastest. Below that the stages of an asset, each bar as long as its share of the
// slowest.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "bench/canvas.h"

#define WIDTH      1480
#define MARGIN     30
#define TEXT       2  // scale of letters
#define LINE       24 // from one line of text to the next
#define BAR_LEFT   620
#define BAR_WIDTH  560 // of a whole roof
#define BAR_HEIGHT 20
#define BAR_STEP   24
#define GROUP_GAP  14
#define SHARE_MAX  1.1 // what is longer is cut
#define RATE_LEFT  1250

#define WHITE 0xffffff
#define BLACK 0x202020
#define GREY  0x707070
#define LIGHT 0xe4e4e4
#define ROOF  0xb03030

// Told apart by people who do not see all colours, too (Okabe and Ito 2008).
static const uint32_t colours[TESS_BENCH_MAX] = {0x0072b2, 0xe69f00, 0x009e73, 0xcc79a7,
                                                 0x56b4e9, 0xd55e00, 0x999900, 0x444444};

struct chart {
    struct tess_picture *picture; // NULL: only the height is wanted
    const struct tess_bench *const *benches;
    size_t count;
    int y;
};

static void text(const struct chart *chart, int x, int y, uint32_t colour,
                 const char *words)
{
    if (chart->picture)
        tess_canvas_text(chart->picture, x, y, TEXT, colour, words);
}

static void rect(const struct chart *chart, int x, int y, int width, int height,
                 uint32_t colour)
{
    if (chart->picture)
        tess_canvas_rect(chart->picture, x, y, width, height, colour);
}

// Half way to white.
static uint32_t pale(uint32_t colour)
{
    return ((colour >> 1) & 0x7f7f7f) + 0x7f7f7f;
}

static void cut_text(char *out, size_t size, const char *words, int width)
{
    snprintf(out, size, "%s", words);
    while (*out && tess_canvas_text_width(TEXT, out) > width)
        out[strlen(out) - 1] = '\0';
}

// ---- the head ----

static void draw_device(struct chart *chart, size_t index)
{
    const struct tess_bench_result *result = &chart->benches[index]->result;
    char line[400], cut[400], bandwidth[48], fma[48];
    tess_bench_rate_text(bandwidth, sizeof bandwidth, result->bandwidth, "B");
    tess_bench_rate_text(fma, sizeof fma, result->fma, "FLOP");
    rect(chart, MARGIN, chart->y, 16, 16, colours[index]);
    cut_text(cut, sizeof cut, result->device.name, WIDTH - 2 * MARGIN - 28);
    text(chart, MARGIN + 28, chart->y, BLACK, cut);
    chart->y += LINE;
    snprintf(line, sizeof line, "%s, driver %s: bandwidth %s, multiply-add %s",
             result->device.platform, result->device.driver, bandwidth, fma);
    cut_text(cut, sizeof cut, line, WIDTH - 2 * MARGIN - 28);
    text(chart, MARGIN + 28, chart->y, GREY, cut);
    chart->y += LINE + 6;
}

static void draw_head(struct chart *chart)
{
    char line[100];
    const struct tess_bench_result *first = &chart->benches[0]->result;
    snprintf(line, sizeof line, "%s: operators against the device's measured best",
             first->generator);
    chart->y = MARGIN;
    text(chart, MARGIN, chart->y, BLACK, line);
    chart->y += LINE + 10;
    for (size_t i = 0; i < chart->count; i++)
        draw_device(chart, i);
    chart->y += 10;
    for (int quarter = 0; quarter <= 4; quarter++) {
        char share[16];
        snprintf(share, sizeof share, "%d %%", 25 * quarter);
        int x = BAR_LEFT + BAR_WIDTH * quarter / 4;
        text(chart, x - tess_canvas_text_width(TEXT, share) / 2, chart->y,
             quarter == 4 ? ROOF : GREY, share);
    }
    text(chart, MARGIN, chart->y, GREY,
         chart->count > 1 ? "share of the roof; pale: of the fastest"
                          : "share of the roof");
    chart->y += LINE;
}

// ---- bars ----

static int group_height(const struct chart *chart)
{
    int bars = (int)chart->count * BAR_STEP;
    return (bars > 2 * LINE ? bars : 2 * LINE) + GROUP_GAP;
}

static void draw_grid(const struct chart *chart, int height, bool roofed)
{
    for (int quarter = 0; quarter <= 4; quarter++) {
        bool line = quarter == 4 && roofed;
        rect(chart, BAR_LEFT + BAR_WIDTH * quarter / 4 - line, chart->y, line ? 3 : 1,
             height, line ? ROOF : LIGHT);
    }
}

// The rate, and its share to the right of it.
static void label_bar(const struct chart *chart, const struct tess_bench_rate *rate,
                      int y)
{
    char speed[48], share[16];
    int right = WIDTH - MARGIN;
    if (*rate->note) {
        text(chart, RATE_LEFT, y, GREY, "not measured");
        return;
    }
    text(chart, RATE_LEFT, y, BLACK,
         tess_bench_rate_text(speed, sizeof speed, rate->rate, rate->unit));
    if (rate->roof == TESS_ROOF_NONE)
        return;
    snprintf(share, sizeof share, "%.0f %%", 100 * rate->share);
    text(chart, right - tess_canvas_text_width(TEXT, share), y, BLACK, share);
}

static void draw_bar(const struct chart *chart, const struct tess_bench_row *row,
                     size_t index, int y)
{
    const struct tess_bench_rate *rate = row->cells[index];
    if (!rate)
        return;
    bool roofed = rate->roof != TESS_ROOF_NONE;
    double share = roofed                                 ? rate->share
                   : row->fastest > 0 && chart->count > 1 ? rate->rate / row->fastest
                                                          : 0;
    share = share > SHARE_MAX ? SHARE_MAX : share;
    rect(chart, BAR_LEFT, y, (int)(BAR_WIDTH * share), BAR_HEIGHT,
         roofed ? colours[index] : pale(colours[index]));
    label_bar(chart, rate, y + 3);
}

static void draw_group(struct chart *chart, const struct tess_bench_row *row)
{
    int height = group_height(chart), bars = (int)chart->count * BAR_STEP;
    int middle = chart->y + (height - GROUP_GAP) / 2;
    char cut[100];
    bool roofed = row->first->roof != TESS_ROOF_NONE;
    if (roofed || chart->count > 1)
        draw_grid(chart, height, roofed);
    cut_text(cut, sizeof cut, row->first->name, BAR_LEFT - 2 * MARGIN);
    text(chart, MARGIN, middle - LINE + 3, BLACK, cut);
    cut_text(cut, sizeof cut, row->first->size, BAR_LEFT - 2 * MARGIN);
    text(chart, MARGIN, middle + 3, GREY, cut);
    for (size_t i = 0; i < chart->count; i++)
        draw_bar(chart, row, i, middle - bars / 2 + (int)i * BAR_STEP + 2);
    chart->y += height;
}

// ---- stages ----

static double slowest_stage(const struct tess_bench_stage_row *rows, size_t row_count,
                            size_t count)
{
    double slowest = 0;
    for (size_t i = 0; i < row_count; i++)
        for (size_t b = 0; b < count; b++)
            if (rows[i].cells[b] && rows[i].cells[b]->seconds > slowest)
                slowest = rows[i].cells[b]->seconds;
    return slowest;
}

static void draw_assets(struct chart *chart)
{
    chart->y += GROUP_GAP;
    text(chart, MARGIN, chart->y, BLACK, "seconds for one asset, stage by stage");
    chart->y += LINE + 6;
    for (size_t i = 0; i < chart->count; i++) {
        const struct tess_bench_asset *asset = &chart->benches[i]->result.asset;
        char line[200];
        if (!*asset->model)
            continue;
        snprintf(line, sizeof line, "%s, %llu voxels, %u and %u steps: %.4g s, %.0f MiB",
                 asset->model, (unsigned long long)asset->voxels, asset->structure_steps,
                 asset->latent_steps, asset->seconds,
                 (double)asset->peak_bytes / (1 << 20));
        rect(chart, MARGIN, chart->y, 16, 16, colours[i]);
        text(chart, MARGIN + 28, chart->y, GREY, line);
        chart->y += LINE;
    }
    chart->y += GROUP_GAP;
}

static void draw_stage(struct chart *chart, const struct tess_bench_stage_row *row,
                       double slowest)
{
    int bars = (int)chart->count * BAR_STEP;
    text(chart, MARGIN, chart->y + bars / 2 - 10, BLACK, row->name);
    for (size_t i = 0; i < chart->count; i++, chart->y += BAR_STEP) {
        char seconds[32];
        if (!row->cells[i])
            continue;
        double share = slowest > 0 ? row->cells[i]->seconds / slowest : 0;
        rect(chart, BAR_LEFT, chart->y + 2, (int)(BAR_WIDTH * share), BAR_HEIGHT,
             colours[i]);
        snprintf(seconds, sizeof seconds, "%.3g s", row->cells[i]->seconds);
        text(chart, RATE_LEFT, chart->y + 5, BLACK, seconds);
    }
    chart->y += GROUP_GAP;
}

static void draw_stages(struct chart *chart)
{
    struct tess_bench_stage_row rows[TESS_BENCH_STAGES];
    size_t count = tess_bench_stage_rows(rows, chart->benches, chart->count);
    if (!count)
        return;
    double slowest = slowest_stage(rows, count, chart->count);
    draw_assets(chart);
    for (size_t i = 0; i < count; i++)
        draw_stage(chart, &rows[i], slowest);
}

static void draw_chart(struct chart *chart, const struct tess_bench_row *rows,
                       size_t row_count)
{
    draw_head(chart);
    for (size_t i = 0; i < row_count; i++)
        draw_group(chart, &rows[i]);
    draw_stages(chart);
    chart->y += MARGIN;
}

static enum tess_status make_picture(struct tess_picture *out, struct tess_env *env,
                                     struct chart *chart,
                                     const struct tess_bench_row *rows, size_t row_count)
{
    draw_chart(chart, rows, row_count);
    TESS_TRY(tess_picture_create(out, env, WIDTH, (uint32_t)chart->y));
    tess_canvas_rect(out, 0, 0, WIDTH, chart->y, WHITE);
    chart->picture = out;
    draw_chart(chart, rows, row_count);
    return TESS_OK;
}

enum tess_status tess_bench_picture(struct tess_image **out, struct tess_context *ctx,
                                    const struct tess_bench *const *benches, size_t count)
{
    tess_context_begin(ctx);
    struct tess_bench_row *rows = NULL;
    struct tess_image *image = NULL;
    size_t row_count = 0;
    TESS_TRY(tess_bench_rows(&rows, &row_count, &ctx->env, benches, count));
    enum tess_status status =
        tess_alloc(&image, &ctx->env, 1, sizeof *image, "a picture");
    if (!status)
        status = make_picture(&image->picture, &ctx->env,
                              &(struct chart){.benches = benches, .count = count}, rows,
                              row_count);
    free(rows);
    if (status) {
        free(image);
        return status;
    }
    *out = image;
    return TESS_OK;
}
