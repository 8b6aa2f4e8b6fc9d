// tessella verify: golden data against this device.
#include <math.h>

#include "cli/cli.h"

static void print_check(void *user, const struct tess_check *check)
{
    struct cli *cli = user;
    cli_clear_progress(cli);
    printf("%s  %-18s %-16s %-14s", check->pass ? "pass" : "FAIL", check->file,
           check->tensor, check->shape);
    if (!isnan(check->error))
        printf(" %8.2e (bound %.0e)", check->error, check->bound);
    printf("%s%s\n", *check->note ? "  " : "", check->note);
}

int cli_verify(struct cli *cli)
{
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    enum tess_status status = tess_verify(cli->ctx, cli->inputs[0], print_check, cli);
    return cli_close(cli, status ? cli_fail(cli, status) : EXIT_DONE);
}
