// Weights on a slow disk: reading goes on while the device computes.
//
// The disk is simulated: weights lie in pages that cannot be read, and whoever touches
// one waits as long as a disk would take, one after the other, until the page can be.
#include "ops_common.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "base/fetch.h"
#include "op/matmul.h"

#define BLOCKS      32
#define SIDE        512 // a block is one matrix [SIDE][SIDE]
#define BLOCK_BYTES (SIDE * SIDE * sizeof(float))
#define PART_BYTES  ((size_t)64 << 10)
#define PART_NS     1000000 // 64 MB/s
#define ROWS        2048
#define PRODUCTS    4 // of a block
#define TRIES       5

static struct {
    pthread_mutex_t lock;
    unsigned char *data;
    size_t bytes, parts_read;
    bool present[BLOCKS * BLOCK_BYTES / PART_BYTES];
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void read_part(int number, siginfo_t *info, void *context)
{
    size_t at = (size_t)((unsigned char *)info->si_addr - disk.data);
    (void)context;
    if (at >= disk.bytes) { // not ours
        signal(number, SIG_DFL);
        return;
    }
    size_t part = at / PART_BYTES;
    pthread_mutex_lock(&disk.lock);
    if (!disk.present[part]) {
        nanosleep(&(struct timespec){.tv_nsec = PART_NS}, NULL);
        mprotect(disk.data + part * PART_BYTES, PART_BYTES, PROT_READ | PROT_WRITE);
        disk.present[part] = true;
        disk.parts_read++;
    }
    pthread_mutex_unlock(&disk.lock);
}

static void open_disk(void)
{
    disk.bytes = BLOCKS * BLOCK_BYTES;
    disk.data = mmap(NULL, disk.bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(disk.data != MAP_FAILED);
    float *values = ops_floats(SIDE * SIDE, 1);
    for (size_t i = 0; i < BLOCKS; i++)
        memcpy(disk.data + i * BLOCK_BYTES, values, BLOCK_BYTES);
    free(values);
    struct sigaction action = {.sa_sigaction = read_part, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
}

static void empty_cache(void)
{
    mprotect(disk.data, disk.bytes, PROT_NONE);
    memset(disk.present, 0, sizeof disk.present);
    disk.parts_read = 0;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static enum tess_status step(struct tess_stage *stage, void *user)
{
    const struct tess_weight_block *blocks = user;
    struct tess_mat in, out;
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_mat_take(&in, stage, ROWS, SIDE, TESS_F32, "test"));
    TESS_TRY(tess_mat_take(&out, stage, ROWS, SIDE, TESS_F32, "test"));
    TESS_TRY(tess_slice_fill(tess_stage_device(stage), in.data, 0));
    TESS_TRY(tess_weights_create(&weights, stage, blocks, BLOCKS, 1));
    for (size_t i = 0; i < BLOCKS; i++) {
        const struct tess_weight *items;
        TESS_TRY(tess_weights_use(&items, weights, i));
        for (int k = 0; k < PRODUCTS; k++)
            TESS_TRY(tess_matmul(
                stage, &(struct tess_matmul){
                           .out = out, .in = in, .rows = ROWS, .weight = &items[0]}));
    }
    enum tess_status status = TESS_OK;
    if (!tess_device_dry(tess_stage_device(stage)))
        status = tess_device_finish(tess_stage_device(stage));
    tess_weights_destroy(&weights);
    return status;
}

static double time_step(struct ops *ops, const struct tess_weight_block *blocks)
{
    double start = seconds_now();
    ops_run(ops, step, (void *)(uintptr_t)blocks);
    return seconds_now() - start;
}

static double time_reading(void)
{
    double start = seconds_now();
    empty_cache();
    for (size_t at = 0; at < disk.bytes; at += PART_BYTES)
        (void)*(volatile unsigned char *)(disk.data + at);
    return seconds_now() - start;
}

static void steps_from_a_slow_disk(void **state)
{
    static struct tess_weight_block blocks[BLOCKS];
    double best = 1e9;
    (void)state;
    open_disk();
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] =
            (struct tess_weight_block){.count = 1,
                                       .items[0] = {disk.data + i * BLOCK_BYTES, TESS_F32,
                                                    TESS_WEIGHT_MATRIX, SIDE, SIDE}};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    time_step(ops, blocks); // compiles
    // Other work on the machine makes a try worse, never better.
    for (int i = 0; i < TRIES && best > 1.15; i++) {
        double reading = time_reading(), computing = time_step(ops, blocks);
        empty_cache();
        double both = time_step(ops, blocks);
        assert_int_equal(disk.parts_read, disk.bytes / PART_BYTES);
        double ratio = both / (reading > computing ? reading : computing);
        printf("# reading %.3f s, computing %.3f s, both %.3f s: %.2f\n", reading,
               computing, both, ratio);
        best = ratio < best ? ratio : best;
    }
    assert_true(best <= 1.15);
    ops_close(ops);
    munmap(disk.data, disk.bytes);
}

// What is wanted is read without being used; the rest is not.
static void what_is_wanted_is_read(void **state)
{
    (void)state;
    open_disk();
    empty_cache();
    struct tess_fetch *fetch = tess_fetch_create();
    assert_non_null(fetch);
    tess_fetch_want(fetch, disk.data + PART_BYTES - 1, PART_BYTES + 2);
    tess_fetch_want(fetch, disk.data + 9 * PART_BYTES, 0);
    tess_fetch_want(fetch, disk.data + 7 * PART_BYTES + 5, 1);
    for (int ms = 0; ms < 20000 && !disk.present[7]; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    tess_fetch_destroy(&fetch);
    assert_null(fetch);
    for (size_t part = 0; part < 12; part++)
        assert_int_equal(disk.present[part], part < 3 || part == 7);
    // An end does not wait for what is wanted.
    fetch = tess_fetch_create();
    tess_fetch_want(fetch, disk.data, disk.bytes);
    tess_fetch_destroy(&fetch);
    assert_true(disk.parts_read < disk.bytes / PART_BYTES);
    tess_fetch_destroy(&fetch);
    tess_fetch_want(NULL, disk.data, 1);
    munmap(disk.data, disk.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wanted_is_read),
        cmocka_unit_test(steps_from_a_slow_disk),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
