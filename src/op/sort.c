// Launching cl/sort.cl: four passes, one for each digit of 8 bits, from one pair of
// arrays to another and back.
#include "op/sort.h"

#include <assert.h>

#define DIGIT_BITS 8
#define DIGITS     (1u << DIGIT_BITS)
#define KEY_BITS   32
#define BLOCK      4096 // keys whose digits are counted together; cl/sort.cl has it, too

static enum tess_status pass(struct tess_stage *stage, struct tess_mat counts,
                             const struct tess_mat to[2], const struct tess_mat from[2],
                             uint32_t shift)
{
    struct tess_device *dev = tess_stage_device(stage);
    size_t lanes = tess_device_variant(dev) == TESS_VARIANT_CPU ? 1 : DIGITS;
    size_t count = from[0].rows, blocks = counts.cols;
    struct tess_launch launch = {.file = "sort",
                                 .kernel = "count_digits",
                                 .global = {blocks * lanes},
                                 .local = {lanes, 1, 1},
                                 .flop = (double)count,
                                 .args = {TESS_SLICE(counts.data),
                                          TESS_SLICE(from[0].data), TESS_U32ARG(count),
                                          TESS_U32ARG(shift), TESS_U32ARG(blocks)}};
    TESS_TRY(tess_launch(dev, &launch));
    TESS_TRY(tess_launch(dev, &(struct tess_launch){.file = "sort",
                                                    .kernel = "sum_counts",
                                                    .global = {lanes},
                                                    .local = {lanes, 1, 1},
                                                    .flop = (double)(DIGITS * blocks),
                                                    .args = {TESS_SLICE(counts.data),
                                                             TESS_U32ARG(blocks)}}));
    return tess_launch(
        dev,
        &(struct tess_launch){.file = "sort",
                              .kernel = "move_keys",
                              .global = {blocks * lanes},
                              .local = {lanes, 1, 1},
                              .flop = (double)count,
                              .args = {TESS_SLICE(to[0].data), TESS_SLICE(to[1].data),
                                       TESS_SLICE(counts.data), TESS_SLICE(from[0].data),
                                       TESS_SLICE(from[1].data), TESS_U32ARG(count),
                                       TESS_U32ARG(shift), TESS_U32ARG(blocks)}});
}

enum tess_status tess_sort(struct tess_mat *places, struct tess_stage *stage,
                           struct tess_mat keys)
{
    static const char *const tag = "sorting";
    size_t blocks = (keys.rows + BLOCK - 1) / BLOCK;
    struct tess_mat pair[2] = {keys}, other[2], counts;
    assert(keys.cols == 1 && keys.rows < UINT32_MAX - BLOCK);
    TESS_TRY(tess_mat_take(&pair[1], stage, keys.rows, 1, TESS_U32, tag));
    TESS_TRY(tess_mat_take(&other[0], stage, keys.rows, 1, TESS_U32, tag));
    TESS_TRY(tess_mat_take(&other[1], stage, keys.rows, 1, TESS_U32, tag));
    TESS_TRY(tess_mat_take(&counts, stage, DIGITS, blocks, TESS_U32, tag));
    for (uint32_t shift = 0; shift < KEY_BITS; shift += 2 * DIGIT_BITS) {
        TESS_TRY(pass(stage, counts, other, pair, shift));
        TESS_TRY(pass(stage, counts, pair, other, shift + DIGIT_BITS));
    }
    *places = pair[1];
    return TESS_OK;
}
