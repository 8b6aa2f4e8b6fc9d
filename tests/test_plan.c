// Arena, stages and their plans, on a device that is only described: no OpenCL.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "mem/tensor.h"

struct fixture {
    struct tess_env env;
    struct tess_device *dev;
    struct tess_budget budget;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tess_device_info info = {.name = "described",
                                    .memory = 1 << 30,
                                    .max_buffer = 1 << 28,
                                    .alignment = 128,
                                    .compute_units = 1,
                                    .clock_mhz = 1000,
                                    .budget = 1 << 30};
    assert_int_equal(tess_device_open(&f->dev, &f->env,
                                      &(struct tess_device_params){.described = &info}),
                     TESS_OK);
    assert_int_equal(tess_budget_init(&f->budget, f->dev, 0, 0), TESS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tess_device_close(&f->dev);
    free(f);
    return 0;
}

// ---- budget ----

static void budgets_are_limits(void **state)
{
    struct fixture *f = *state;
    struct tess_budget budget;
    assert_int_equal(tess_budget_init(&budget, f->dev, 1 << 20, 1 << 18), TESS_OK);
    assert_int_equal(budget.device_bytes, 1 << 20);
    assert_int_equal(budget.max_buffer, 1 << 18);
    // More than there is: what there is.
    assert_int_equal(tess_budget_init(&budget, f->dev, (size_t)1 << 40, (size_t)1 << 40),
                     TESS_OK);
    assert_int_equal(budget.device_bytes, 1 << 30);
    assert_int_equal(budget.max_buffer, 1 << 28);
    assert_int_equal(tess_budget_init(&budget, f->dev, 1000, 100), TESS_ERR_BUDGET);
    assert_non_null(strstr(f->env.message, "--memory"));
}

// ---- arena ----

static void pieces_do_not_overlap(void **state)
{
    struct fixture *f = *state;
    struct tess_arena *arena = NULL;
    struct tess_budget budget = {1 << 20, 1 << 16, 128};
    assert_int_equal(tess_arena_create(&arena, f->dev, &budget), TESS_OK);
    enum { COUNT = 40 };
    struct tess_slice slices[COUNT];
    size_t ids[COUNT];
    bool live[COUNT] = {false};
    uint32_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        seed = seed * 1664525u + 1013904223u;
        size_t i = (seed >> 8) % COUNT;
        if (live[i]) {
            tess_arena_give(arena, ids[i]);
            live[i] = false;
            continue;
        }
        size_t bytes = 1 + (seed >> 16) % 5000;
        if (tess_arena_take(&slices[i], &ids[i], arena, bytes, "piece") != TESS_OK)
            continue;
        live[i] = true;
        assert_int_equal(slices[i].offset % 128, 0);
        assert_int_equal(slices[i].bytes, bytes);
        assert_true(slices[i].offset + bytes <= 1 << 16);
    }
    // Slices have no buffer here, so slabs cannot be told apart: the sum of what lives is
    // what counts.
    size_t sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += live[i] ? slices[i].bytes : 0;
    assert_true(tess_arena_peak(arena) >= sum);
    assert_true(tess_arena_peak(arena) <= budget.device_bytes);
    tess_arena_destroy(&arena);
}

static void pieces_of_one_slab_are_apart(void **state)
{
    struct fixture *f = *state;
    struct tess_arena *arena = NULL;
    struct tess_budget budget = {1 << 16, 1 << 16, 256};
    struct tess_slice a, b, c, d;
    size_t id_a, id_b;
    assert_int_equal(tess_arena_create(&arena, f->dev, &budget), TESS_OK);
    assert_int_equal(tess_arena_take(&a, &id_a, arena, 1000, "a"), TESS_OK);
    assert_int_equal(tess_arena_take(&b, &id_b, arena, 300, "b"), TESS_OK);
    assert_int_equal(a.offset, 0);
    assert_int_equal(b.offset, 1024);
    tess_arena_give(arena, id_a);
    // The first gap that is large enough.
    assert_int_equal(tess_arena_take(&c, NULL, arena, 1024, "c"), TESS_OK);
    assert_int_equal(c.offset, 0);
    size_t mark = tess_arena_mark(arena);
    assert_int_equal(tess_arena_take(&d, NULL, arena, 10, "d"), TESS_OK);
    assert_int_equal(d.offset, 1024 + 512);
    tess_arena_release(arena, mark);
    assert_int_equal(tess_arena_take(&d, NULL, arena, 1 << 16, "too much"),
                     TESS_ERR_BUDGET);
    assert_non_null(strstr(f->env.message, "too much"));
    assert_int_equal(tess_arena_peak(arena), 1024 + 512 + 256);
    tess_arena_destroy(&arena);
}

static void slabs_respect_the_largest_buffer(void **state)
{
    struct fixture *f = *state;
    struct tess_arena *arena = NULL;
    struct tess_budget budget = {10000, 4096, 128};
    struct tess_slice slice;
    assert_int_equal(tess_arena_create(&arena, f->dev, &budget), TESS_OK);
    assert_int_equal(tess_arena_take(&slice, NULL, arena, 4097, "large"),
                     TESS_ERR_BUDGET);
    assert_int_equal(tess_arena_take(&slice, NULL, arena, 4096, "one"), TESS_OK);
    assert_int_equal(tess_arena_take(&slice, NULL, arena, 4096, "two"), TESS_OK);
    assert_int_equal(tess_arena_take(&slice, NULL, arena, 4096, "three"),
                     TESS_ERR_BUDGET);
    assert_int_equal(tess_arena_take(&slice, NULL, arena, 1700, "rest"), TESS_OK);
    assert_int_equal(tess_arena_peak(arena), 4096 + 4096 + 1792);
    tess_arena_destroy(&arena);
}

// ---- stages ----

// Two tensors that may spill, some weights, and a span whose scratch grows with its rows.
struct work {
    size_t rows, align, row_bytes, comfortable;
    size_t big, small; // bytes of the tensors, 0: none
    size_t big_uses;   // how many of its rows are read; one of the small one's
    const uint32_t *cuts;
    size_t cut_count;
    size_t next;    // the row that the next tile has to start at
    size_t largest; // tile seen in the last run
    size_t whole;   // the same of the last run that saw all rows
    size_t calls;
};

static enum tess_status work_span(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct work *w = user;
    struct tess_mat mat;
    if (tile.row0 == 0)
        w->next = w->largest = 0;
    assert_int_equal(tile.row0, w->next);
    assert_true(tile.rows > 0 && tile.row0 + tile.rows <= w->rows);
    if (w->align && tile.row0 + tile.rows < w->rows)
        assert_int_equal(tile.rows % w->align, 0);
    w->next = tile.row0 + tile.rows;
    w->largest = tile.rows > w->largest ? tile.rows : w->largest;
    w->calls++;
    TESS_TRY(tess_mat_take(&mat, stage, tile.rows, w->row_bytes, TESS_U8, "scratch"));
    if (w->next == w->rows)
        w->whole = w->largest;
    return TESS_OK;
}

static enum tess_status work_stage(struct tess_stage *stage, void *user)
{
    struct work *w = user;
    struct tess_tensor *big = NULL, *small = NULL;
    enum tess_status status = TESS_OK;
    struct tess_mat row;
    struct tess_tensor_params params = {
        .cols = 32, .dtype = TESS_F32, .tag = "tensor", .may_spill = true};
    params.rows = w->big / 128;
    if (w->big)
        status = tess_tensor_create(&big, stage, &params);
    params.rows = w->small / 128;
    if (w->small && !status)
        status = tess_tensor_create(&small, stage, &params);
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    for (size_t i = 0; i < w->big_uses && big && !status; i++)
        status = tess_tensor_load(&row, stage, big, i, 1);
    if (small && !status)
        status = tess_tensor_load(&row, stage, small, 0, 1);
    tess_arena_release(tess_stage_arena(stage), mark);
    if (!status)
        status = tess_span_run(stage, &(struct tess_span){.name = "span",
                                                          .rows = w->rows,
                                                          .row_align = w->align,
                                                          .cuts = w->cuts,
                                                          .cut_count = w->cut_count,
                                                          .comfortable = w->comfortable,
                                                          .run = work_span,
                                                          .user = w});
    tess_tensor_destroy(&small);
    tess_tensor_destroy(&big);
    return status;
}

static enum tess_status plan(struct tess_stage_report *report, struct fixture *f,
                             struct work *w, size_t bytes)
{
    struct tess_budget budget = f->budget;
    budget.device_bytes = bytes;
    enum tess_status status =
        tess_stage_plan(report, f->dev, &budget, "stage", work_stage, w, true);
    if (status)
        return status;
    // A plan that fits saw all rows, each once.
    struct tess_stage_report again;
    w->whole = 0;
    assert_int_equal(
        tess_stage_plan(&again, f->dev, &budget, "stage", work_stage, w, false), TESS_OK);
    assert_true(w->whole > 0);
    assert_true(w->whole <= again.spans[0].tile || w->cuts);
    return TESS_OK;
}

static void everything_fits(void **state)
{
    struct work w = {.rows = 1000, .row_bytes = 256, .big = 1 << 20, .small = 1 << 18};
    struct tess_stage_report report;
    assert_int_equal(plan(&report, *state, &w, 1 << 28), TESS_OK);
    assert_int_equal(report.spilled_tensors, 0);
    assert_true(report.prefetch);
    assert_int_equal(report.span_count, 1);
    assert_int_equal(report.spans[0].tile, 1000);
    assert_int_equal(report.peak_bytes, (1 << 20) + (1 << 18) + 1000 * 256);
}

static void a_comfortable_tile_is_enough(void **state)
{
    struct work w = {.rows = 1000, .row_bytes = 256, .comfortable = 200};
    struct tess_stage_report report;
    assert_int_equal(plan(&report, *state, &w, 1 << 28), TESS_OK);
    assert_int_equal(report.spans[0].tile, 200);
    assert_int_equal(report.peak_bytes, 200 * 256);
}

static void tiles_shrink_before_tensors_spill(void **state)
{
    struct work w = {.rows = 1000, .row_bytes = 256, .big = 1 << 20, .small = 1 << 18};
    struct tess_stage_report report;
    size_t budget = (1 << 20) + (1 << 18) + 300 * 256;
    assert_int_equal(plan(&report, *state, &w, budget), TESS_OK);
    assert_int_equal(report.spilled_tensors, 0);
    assert_true(report.spans[0].tile >= 250 && report.spans[0].tile <= 300);
    assert_true(report.peak_bytes <= budget);
}

static void what_costs_least_traffic_spills_first(void **state)
{
    struct work w = {.rows = 1000, .row_bytes = 256, .big = 1 << 20, .small = 1 << 18};
    struct tess_stage_report report;
    w.big_uses = 3; // a quarter of four rows
    assert_int_equal(plan(&report, *state, &w, 1 << 20), TESS_OK);
    assert_int_equal(report.spilled_tensors, 1);
    assert_int_equal(report.spilled_bytes, 1 << 19); // the first half is kept
    w.big_uses = 5;
    assert_int_equal(plan(&report, *state, &w, (1 << 20) + (1 << 17)), TESS_OK);
    assert_int_equal(report.spilled_tensors, 1);
    assert_int_equal(report.spilled_bytes, 1 << 18);
    assert_int_equal(plan(&report, *state, &w, 1 << 18), TESS_OK);
    assert_int_equal(report.spilled_tensors, 2);
}

// Of what spills, as many sixteenths stay as fit beside the tile.
static void parts_of_spilled_tensors_are_kept(void **state)
{
    struct work w = {.rows = 100, .row_bytes = 256, .big = 1 << 20};
    struct tess_stage_report report;
    for (size_t kept = 0; kept < 16; kept++) {
        size_t device = (kept << 16) + 100 * 256;
        assert_int_equal(plan(&report, *state, &w, device + 100), TESS_OK);
        assert_int_equal(report.spilled_bytes, (16 - kept) << 16);
        assert_int_equal(report.peak_bytes, device);
        assert_int_equal(report.spans[0].tile, 100);
    }
}

static void alignment_and_cuts_hold(void **state)
{
    struct work w = {.rows = 1000, .row_bytes = 256, .align = 64};
    struct tess_stage_report report;
    assert_int_equal(plan(&report, *state, &w, 256 * 200), TESS_OK);
    assert_int_equal(report.spans[0].tile % 64, 0);
    assert_true(w.largest <= 192);
    // A window that is larger than the tile makes a tile of its own.
    static const uint32_t cuts[] = {10, 400, 410, 1000};
    struct work windows = {.rows = 1000, .row_bytes = 256, .cuts = cuts, .cut_count = 4};
    assert_int_equal(plan(&report, *state, &windows, 256 * 700), TESS_OK);
    assert_true(windows.largest == 590 || windows.largest == 600);
    assert_int_equal(plan(&report, *state, &windows, 256 * 500), TESS_ERR_BUDGET);
    assert_true(report.floor_bytes >= 256 * 590);
}

// The floor works, and nothing less.
static void floors_are_exact(void **state)
{
    struct work w = {.rows = 5000, .row_bytes = 3000, .align = 50, .big = 1 << 22};
    struct fixture *f = *state;
    struct tess_stage_report report;
    assert_int_equal(plan(&report, f, &w, 1 << 16), TESS_ERR_BUDGET);
    size_t floor = report.floor_bytes;
    char option[64];
    snprintf(option, sizeof option, "--memory %zuK", floor >> 10);
    assert_non_null(strstr(f->env.message, option));
    assert_int_equal(plan(&report, f, &w, floor), TESS_OK);
    assert_int_equal(report.floor_bytes, floor);
    assert_true(report.peak_bytes <= floor);
    assert_int_equal(plan(&report, f, &w, floor - (1 << 10)), TESS_ERR_BUDGET);
    // A roomy plan tells the same floor.
    assert_int_equal(plan(&report, f, &w, 1 << 28), TESS_OK);
    assert_int_equal(report.floor_bytes, floor);
}

static void no_budget_helps_a_small_largest_buffer(void **state)
{
    struct fixture *f = *state;
    struct work w = {.rows = 100, .row_bytes = 1 << 20, .align = 1};
    struct tess_budget budget = f->budget;
    struct tess_stage_report report;
    budget.max_buffer = 1 << 19;
    assert_int_equal(
        tess_stage_plan(&report, f->dev, &budget, "stage", work_stage, &w, true),
        TESS_ERR_BUDGET);
    assert_non_null(strstr(f->env.message, "--max-buffer 1024K"));
}

// Plans are the same whenever they are made, and bytes never pass the budget.
static void plans_are_pure(void **state)
{
    struct work w = {
        .rows = 3000, .row_bytes = 700, .align = 4, .big = 1 << 20, .small = 1 << 19};
    struct tess_stage_report first, second;
    for (size_t bytes = 1 << 16; bytes < 1 << 23; bytes += 77777) {
        enum tess_status a = plan(&first, *state, &w, bytes);
        enum tess_status b = plan(&second, *state, &w, bytes);
        assert_int_equal(a, b);
        if (a == TESS_OK) {
            assert_int_equal(first.spans[0].tile, second.spans[0].tile);
            assert_int_equal(first.peak_bytes, second.peak_bytes);
            assert_true(first.peak_bytes <= bytes);
        }
    }
}

// ---- host memory ----

// Whole pages within the range go; what lies around them stays.
static void forgotten_pages_go(void **state)
{
    struct fixture *f = *state;
    size_t bytes = 1 << 20, from = 5001, to = bytes - 5001, gone = 0;
    unsigned char *block;
    assert_int_equal(tess_alloc(&block, &f->env, bytes, 1, "a block"), TESS_OK);
    memset(block, 7, bytes);
    tess_forget(block, from, to);
    for (size_t i = 0; i < bytes; i++) {
        if (i < from || i >= to)
            assert_int_equal(block[i], 7);
        gone += block[i] == 0;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_true(gone % page == 0 && gone + 2 * page > to - from);
    tess_forget(block, from, from + 1); // no whole page
    assert_int_equal(block[from], 7);
    free(block);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_limits),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(pieces_of_one_slab_are_apart),
        cmocka_unit_test(slabs_respect_the_largest_buffer),
        cmocka_unit_test(everything_fits),
        cmocka_unit_test(a_comfortable_tile_is_enough),
        cmocka_unit_test(tiles_shrink_before_tensors_spill),
        cmocka_unit_test(what_costs_least_traffic_spills_first),
        cmocka_unit_test(parts_of_spilled_tensors_are_kept),
        cmocka_unit_test(alignment_and_cuts_hold),
        cmocka_unit_test(floors_are_exact),
        cmocka_unit_test(no_budget_helps_a_small_largest_buffer),
        cmocka_unit_test(plans_are_pure),
        cmocka_unit_test(forgotten_pages_go),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
