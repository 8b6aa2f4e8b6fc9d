// Contexts, messages, progress and numbers for all commands.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

// What a signal handler can reach: the one context of this process.
static struct tess_context *volatile signalled_context;
static volatile sig_atomic_t signal_seen;

static void handle_signal(int number)
{
    signal_seen = number;
    if (signalled_context)
        tess_context_cancel(signalled_context);
    signal(number, SIG_DFL); // a second one ends the process at once
}

int cli_exit_status(enum tess_status status)
{
    switch (status) {
    case TESS_OK:
        return EXIT_DONE;
    case TESS_ERR_ARG:
        return EXIT_USAGE;
    case TESS_ERR_FILE:
        return EXIT_INPUT;
    case TESS_ERR_DEVICE:
    case TESS_ERR_BUDGET:
    case TESS_ERR_MEMORY:
        return EXIT_DEVICE;
    case TESS_ERR_CANCELLED:
        return signal_seen ? 128 + signal_seen : EXIT_FAILED; // as shells tell it
    default:
        return EXIT_FAILED;
    }
}

static int tell_failure(struct cli *cli, enum tess_status status, const char *message)
{
    cli_clear_progress(cli);
    fprintf(stderr, "tessella: %s\n", *message ? message : tess_status_name(status));
    return cli_exit_status(status);
}

int cli_fail(struct cli *cli, enum tess_status status)
{
    return tell_failure(cli, status, tess_context_message(cli->ctx));
}

// Where no bar is drawn, a long run tells a line a stage.
static enum tess_log_level log_level(const struct cli *cli)
{
    int level = cli->verbose > TESS_LOG_DEBUG ? TESS_LOG_DEBUG : cli->verbose;
    if (level < TESS_LOG_INFO && cli->tells_stages && !isatty(STDERR_FILENO))
        level = TESS_LOG_INFO;
    return (enum tess_log_level)level;
}

int cli_open(struct cli *cli)
{
    char message[TESS_MESSAGE_MAX] = "";
    // Opening a device may compile, which takes seconds.
    signal(SIGINT, handle_signal);
    signal(SIGTERM, handle_signal);
    enum tess_status status = tess_context_create(
        &cli->ctx,
        &(struct tess_context_params){
            .device = cli->device,
            .memory = cli->memory,
            .max_buffer = cli->max_buffer,
            .plan_only = cli->described,
            .cache_dir = cli->cache_dir,
            .kernel_dir = cli->kernel_dir,
            .tuning = cli->tuning,
            .precision = cli->precision,
            .log = cli->quiet ? NULL : cli_log,
            .log_user = cli,
            .log_level = log_level(cli),
            .progress = cli->quiet || !isatty(STDERR_FILENO) ? NULL : cli_progress,
            .progress_user = cli,
            .hash_files = cli->report != NULL,
        },
        message);
    if (status)
        return tell_failure(cli, status, message);
    signalled_context = cli->ctx;
    return signal_seen ? tell_failure(cli, TESS_ERR_CANCELLED, "") : EXIT_DONE;
}

int cli_close(struct cli *cli, int status)
{
    cli_clear_progress(cli);
    char *json = NULL;
    if (cli->ctx && cli->report && status == EXIT_DONE) {
        enum tess_status failed = tess_report_json(&json, cli->ctx, NULL, 0);
        status = failed ? cli_fail(cli, failed) : cli_write_text(cli, cli->report, json);
        tess_free(json);
    }
    signalled_context = NULL;
    tess_context_destroy(&cli->ctx);
    return status;
}

const char *cli_model_path(const struct cli *cli)
{
    const char *environment = getenv("TESSELLA_MODEL");
    if (cli->model)
        return cli->model;
    return environment && *environment ? environment : TESS_DEMO_MODEL;
}

// ---- progress ----

static bool use_colour(void)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
}

void cli_clear_progress(struct cli *cli)
{
    if (cli->progress_shown)
        fputs("\r\033[K", stderr);
    cli->progress_shown = false;
}

void cli_log(void *user, enum tess_log_level level, const char *text)
{
    struct cli *cli = user;
    if (signal_seen) // compilers that are told to stop fail in ways of their own
        return;
    cli_clear_progress(cli);
    fprintf(stderr, "%s%s\n", level == TESS_LOG_WARNING ? "tessella: warning: " : "",
            text);
}

static void print_time(double seconds)
{
    unsigned long total = (unsigned long)(seconds + 0.5);
    if (total >= 3600)
        fprintf(stderr, "%lu:%02lu:%02lu", total / 3600, total / 60 % 60, total % 60);
    else
        fprintf(stderr, "%lu:%02lu", total / 60, total % 60);
}

void cli_progress(void *user, const struct tess_progress *progress)
{
    enum { WIDTH = 24 };
    struct cli *cli = user;
    double share = progress->total ? (double)progress->done / (double)progress->total : 1;
    int filled = (int)(share * WIDTH);
    const char *on = use_colour() ? "\033[32m" : "", *off = use_colour() ? "\033[0m" : "";
    fprintf(stderr, "\r\033[K%-18s [%s", progress->stage, on);
    for (int i = 0; i < WIDTH; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "%s] %3d %%", off, (int)(100 * share));
    if (progress->steps)
        fprintf(stderr, "  step %u/%u", (unsigned)progress->step,
                (unsigned)progress->steps);
    fputs("  ", stderr);
    print_time(progress->elapsed);
    if (progress->remaining >= 0) {
        fputs(", ", stderr);
        print_time(progress->remaining);
        fputs(" left", stderr);
    }
    fflush(stderr);
    cli->progress_shown = true;
}

// ---- numbers and texts ----

bool cli_ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path), end = strlen(suffix);
    return length > end && strcasecmp(path + length - end, suffix) == 0;
}

char *cli_bytes(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

char *cli_flop(char *text, size_t size, double flop)
{
    static const char *const units[] = {"FLOP",  "kFLOP", "MFLOP",
                                        "GFLOP", "TFLOP", "PFLOP"};
    size_t unit = 0;
    while (flop >= 1000 && unit < 5) {
        flop /= 1000;
        unit++;
    }
    snprintf(text, size, "%.1f %s", flop, units[unit]);
    return text;
}

// What is no regular file (a pipe, /dev/stdout) is written in place, links are followed.
int cli_write_text(struct cli *cli, const char *path, const char *text)
{
    struct stat info;
    bool in_place = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    char *resolved = realpath(path, NULL), *temporary = NULL;
    const char *target = resolved ? resolved : path;
    FILE *file = NULL;
    if (asprintf(&temporary, "%s.%ld.tmp", target, (long)getpid()) < 0)
        temporary = NULL;
    int fd = in_place    ? open(path, O_WRONLY | O_CLOEXEC)
             : temporary ? open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
                         : -1;
    if (fd >= 0)
        file = fdopen(fd, "w");
    bool good = file && fprintf(file, "%s\n", text) >= 0;
    if (file)
        good = fclose(file) == 0 && good;
    if (good && !in_place)
        good = rename(temporary, target) == 0;
    if (!good) {
        int error = errno;
        cli_clear_progress(cli);
        fprintf(stderr, "tessella: cannot write %s: %s\n", path, strerror(error));
        if (fd >= 0 && !in_place)
            unlink(temporary);
    }
    free(resolved);
    free(temporary);
    return good ? EXIT_DONE : EXIT_FAILED;
}
