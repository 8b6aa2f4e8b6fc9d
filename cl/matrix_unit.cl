// A product that a matrix unit is tried with before it is trusted.
// Defines: UNIT, as in matrix_unit.clh.
#include "common.clh"

#include "matrix_unit.clh"

// out[i][j] = left[i][0] right[i][j] + 2 sum over k of left[i][k] right[j][k], all 16 x
// 16. Work-items: UNIT_LANES.
kernel UNIT_ATTRIBUTE __attribute__((reqd_work_group_size(UNIT_LANES, 1, 1))) void
try_unit(global float *out, global const float *left, global const float *right)
{
    local u32 tile_a[UNIT_SIZE * UNIT_SIZE / 2], tile_b[UNIT_SIZE * UNIT_SIZE / 2];
    local float patch[UNIT_SIZE * UNIT_SIZE], factors[UNIT_SIZE];
    local u32 scratch[UNIT_SCRATCH];
    const u32 lane = get_local_id(0), stride = UNIT_SIZE / 2;
    for (u32 i = lane; i < UNIT_SIZE * UNIT_SIZE; i += UNIT_LANES) {
        vstore_half_rte(left[i], i, (local half *)tile_a);
        vstore_half_rte(right[i], i, (local half *)tile_b);
        patch[i] = right[i];
        if (i % UNIT_SIZE == 0)
            factors[i / UNIT_SIZE] = left[i];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const unit_factor a = unit_load_left(tile_a, stride, lane),
                      b = unit_load_right(tile_b, stride, lane);
    unit_sums sums;
    unit_load(&sums, patch, UNIT_SIZE, lane);
    unit_scale(&sums, factors, lane);
    unit_add(&sums, a, b, lane, scratch);
    unit_add(&sums, a, b, lane, scratch);
    barrier(CLK_LOCAL_MEM_FENCE);
    unit_store(patch, UNIT_SIZE, &sums, lane);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 i = lane; i < UNIT_SIZE * UNIT_SIZE; i += UNIT_LANES)
        out[i] = patch[i];
}
