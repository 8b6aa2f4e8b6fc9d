// The program `tessella`.
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <cpuid.h>
#endif

#include "cli/cli.h"

// The kernels for AMX have assembly (cl/amx.clh).
static bool has_amx(void)
{
#if defined __x86_64__
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & 1u << 22; // AMX-BF16
#else
    return false;
#endif
}

// PoCL 6 ends the process over assembly in kernels for groups of any size (rt/program.c).
static bool breaks_over_assembly(void)
{
    struct tess_device_info *devices = NULL;
    size_t count = 0;
    bool breaks = false;
    if (tess_device_list(&devices, &count, NULL))
        return false;
    for (size_t i = 0; i < count; i++)
        breaks |= strstr(devices[i].platform, "Portable Computing Language") &&
                  strtod(devices[i].driver, NULL) >= 4;
    tess_free(devices);
    return breaks;
}

// PoCL compiles a kernel anew for each size of its groups, for launches that do not start
// at 0 and for large ones, and once more for the program's binary, for any of them. That
// one is as fast, so it is used for all, unless the user's environment says otherwise.
static void compile_kernels_once(void)
{
    if (!has_amx() || !breaks_over_assembly())
        setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", false);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli);
    } commands[] = {
        {"generate", cli_generate}, {"decode", cli_decode},   {"render", cli_render},
        {"devices", cli_devices},   {"plan", cli_plan},       {"verify", cli_verify},
        {"model", cli_model},       {"info", cli_info},       {"bench", cli_bench},
        {"clean", cli_clean},       {"convert", cli_convert},
    };
    struct cli cli = {0};
    int status = cli_parse(&cli, argc, argv);
    if (status >= 0)
        return status;
    compile_kernels_once();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, cli.command) == 0)
            status = commands[i].run(&cli);
    // What standard output did not take is a failure too.
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        fputs("tessella: standard output: cannot be written\n", stderr);
        status = EXIT_FAILED;
    }
    return status;
}
