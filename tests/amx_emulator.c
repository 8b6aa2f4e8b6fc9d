// Intel's AMX-BF16 on CPUs of x86-64 that lack it, so that kernels that use it run
// anywhere: instructions that the CPU refuses are done here, as "Intel Architecture
// Instruction Set Extensions Programming Reference", chapter 3, defines them. Knows what
// cl/amx.clh uses of them; any other refused instruction ends the process as before.
//
// Linked with --wrap=tess_matrix_unit_expected, which is what says that there is AMX.
#include "amx_emulator.h"

#if defined __x86_64__ && defined __linux__
#include <assert.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "rt/matrix_unit.h"

#define TILES    8
#define ROWS     16
#define ROW_SIZE 64

struct tile {
    uint8_t rows[ROWS][ROW_SIZE];
};

// Of a thread, as registers are.
static _Thread_local struct {
    bool configured;
    struct tile tiles[TILES];
} unit;

// A refused instruction: VEX prefix of three bytes, opcode, and what it works on.
struct instruction {
    unsigned prefix;  // pp of VEX: 0 none, 2 F3, 3 F2
    unsigned opcode;  // of map 0F 38
    unsigned reg, rm; // of ModRM; rm where it is a register
    unsigned third;   // vvvv of VEX
    bool memory;
    uint8_t *address;
    int64_t stride; // of rows, where there is an index
    unsigned length;
};

static int64_t register_value(const greg_t *regs, unsigned number)
{
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
    return regs[places[number]];
}

static int64_t displacement(const uint8_t **at, unsigned mod)
{
    int32_t wide = 0;
    if (mod == 1)
        return (int8_t) * (*at)++;
    if (mod == 2) {
        memcpy(&wide, *at, 4);
        *at += 4;
    }
    return wide;
}

// ModRM with a base, and perhaps an index: all that tiles are loaded and stored by.
static bool decode_memory(struct instruction *in, const uint8_t **at, const greg_t *regs,
                          unsigned vex, unsigned modrm)
{
    unsigned mod = modrm >> 6, base = modrm & 7, index = 4;
    if (base == 4) {
        uint8_t sib = *(*at)++;
        base = sib & 7;
        index = (sib >> 3 & 7) | (vex & 0x40 ? 0 : 8);
        if (index != 4)
            in->stride = (int64_t)((uint64_t)register_value(regs, index) << (sib >> 6));
    }
    if (mod == 0 && base == 5)
        return false;
    base |= vex & 0x20 ? 0 : 8;
    in->address =
        (uint8_t *)(uintptr_t)(register_value(regs, base) + displacement(at, mod));
    return true;
}

static bool decode(struct instruction *in, const uint8_t *at, const greg_t *regs)
{
    *in = (struct instruction){0};
    const uint8_t *start = at;
    if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || at[2] & 0x80)
        return false;
    unsigned vex = at[1], modrm = at[4];
    in->prefix = at[2] & 3;
    in->third = ~at[2] >> 3 & 15;
    in->opcode = at[3];
    in->reg = modrm >> 3 & 7;
    in->rm = modrm & 7;
    in->memory = modrm >> 6 != 3;
    at += 5;
    if (in->memory && !decode_memory(in, &at, regs, vex, modrm))
        return false;
    in->length = (unsigned)(at - start);
    return true;
}

// Palette 1, with all tiles of 16 rows of 64 bytes: what kernels ask for.
static void configure(const uint8_t *config)
{
    assert(config[0] == 1 && config[1] == 0);
    for (int t = 0; t < TILES; t++) {
        assert(config[16 + 2 * t] == ROW_SIZE && config[17 + 2 * t] == 0);
        assert(config[48 + t] == ROWS);
    }
    memset(&unit, 0, sizeof unit);
    unit.configured = true;
}

static void load(struct tile *tile, const struct instruction *in)
{
    for (int r = 0; r < ROWS; r++)
        memcpy(tile->rows[r], in->address + r * in->stride, ROW_SIZE);
}

static void store(const struct tile *tile, const struct instruction *in)
{
    for (int r = 0; r < ROWS; r++)
        memcpy(in->address + r * in->stride, tile->rows[r], ROW_SIZE);
}

// Numbers too small for a normal float are zeros, and results become them.
static float flushed(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

// Pairs of bfloat16, as floats.
static void unpack(float even[ROWS][16], float odd[ROWS][16], const struct tile *tile)
{
    for (int r = 0; r < ROWS; r++)
        for (int n = 0; n < 16; n++) {
            uint32_t pair, low;
            memcpy(&pair, tile->rows[r] + 4 * n, 4);
            low = pair << 16;
            pair &= 0xffff0000;
            memcpy(&even[r][n], &low, 4);
            memcpy(&odd[r][n], &pair, 4);
            even[r][n] = flushed(even[r][n]);
            odd[r][n] = flushed(odd[r][n]);
        }
}

// a b + c, rounded once but for one sum of some hundred millions: the product of two
// bfloat16 has 16 bits, so that a double holds it, and the sum to 53 bits.
static float multiply_add(float a, float b, float c)
{
    return flushed((float)((double)a * b + c));
}

// sums[m][n] += the products of pairs along k, of even and of odd values apart.
static void multiply(struct tile *sums, const struct tile *left, const struct tile *right)
{
    float left_even[ROWS][16], left_odd[ROWS][16], right_even[ROWS][16],
        right_odd[ROWS][16];
    unpack(left_even, left_odd, left);
    unpack(right_even, right_odd, right);
    for (int m = 0; m < ROWS; m++) {
        float even[16] = {0}, odd[16] = {0}, row[16];
        for (int k = 0; k < ROWS; k++)
            for (int n = 0; n < 16; n++) {
                even[n] = multiply_add(left_even[m][k], right_even[k][n], even[n]);
                odd[n] = multiply_add(left_odd[m][k], right_odd[k][n], odd[n]);
            }
        memcpy(row, sums->rows[m], ROW_SIZE);
        for (int n = 0; n < 16; n++)
            row[n] = flushed(flushed(row[n]) + flushed(even[n] + odd[n]));
        memcpy(sums->rows[m], row, ROW_SIZE);
    }
}

enum { NO_PREFIX = 0, PREFIX_F3 = 2, PREFIX_F2 = 3 };

static bool perform(const struct instruction *in)
{
    if (in->opcode == 0x49 && in->prefix == NO_PREFIX && in->memory)
        configure(in->address);
    else if (!unit.configured)
        return false;
    else if (in->opcode == 0x49 && in->prefix == NO_PREFIX)
        unit.configured = false;
    else if (in->opcode == 0x49 && in->prefix == PREFIX_F2)
        memset(&unit.tiles[in->reg], 0, sizeof unit.tiles[0]);
    else if (in->opcode == 0x4b && in->prefix == PREFIX_F2 && in->memory)
        load(&unit.tiles[in->reg], in);
    else if (in->opcode == 0x4b && in->prefix == PREFIX_F3 && in->memory)
        store(&unit.tiles[in->reg], in);
    else if (in->opcode == 0x5c && in->prefix == PREFIX_F3 && !in->memory)
        multiply(&unit.tiles[in->reg], &unit.tiles[in->rm], &unit.tiles[in->third]);
    else
        return false;
    return true;
}

// Those that follow are done at once, since a signal takes longer than they do.
static void refused(int signal_number, siginfo_t *info, void *context)
{
    (void)info;
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    greg_t start = regs[REG_RIP];
    struct instruction in;
    while (decode(&in, (const uint8_t *)(uintptr_t)regs[REG_RIP], regs) && perform(&in))
        regs[REG_RIP] += in.length;
    if (regs[REG_RIP] == start)
        signal(signal_number, SIG_DFL); // refused again, then, and the end
}

static bool emulating;

enum tess_matrix_unit __real_tess_matrix_unit_expected(const struct tess_device *dev,
                                                       bool fast);
enum tess_matrix_unit __wrap_tess_matrix_unit_expected(const struct tess_device *dev,
                                                       bool fast);

static int take_refused(void)
{
    struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};
    return sigaction(SIGILL, &action, NULL);
}

// In place of what asks the CPU and Linux. The test framework has handlers of its own for
// every test, so this is where ours goes in. LLVM's, which take away files of what it
// compiles, may come later: they make way at the first signal.
enum tess_matrix_unit __wrap_tess_matrix_unit_expected(const struct tess_device *dev,
                                                       bool fast)
{
    enum tess_matrix_unit there = __real_tess_matrix_unit_expected(dev, fast);
    bool may = emulating && tess_device_variant(dev) == TESS_VARIANT_CPU &&
               !tess_matrix_unit_is_amx(there) &&
               strstr(tess_device_facts(dev)->platform, "Portable Computing Language") &&
               take_refused() == 0;
    return !may ? there : fast ? TESS_UNIT_AMX_FAST : TESS_UNIT_AMX;
}

int amx_setup(void **state)
{
    (void)state;
    emulating = true;
    return take_refused();
}

int amx_teardown(void **state)
{
    (void)state;
    emulating = false;
    return 0;
}

#else

int amx_setup(void **state)
{
    (void)state;
    return 0;
}

int amx_teardown(void **state)
{
    (void)state;
    return 0;
}

#endif
