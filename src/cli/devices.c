// tessella devices: what OpenCL offers.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static void print_text(const struct tess_device_info *info, const char *cache_dir)
{
    char memory[32], budget[32], buffer[32], tuning[4096];
    printf("%u  %s\n", info->index, info->name);
    printf("   %u:%u, %s, %s, driver %s\n", info->platform_index, info->device_index,
           info->platform, info->version, info->driver);
    printf("   %s, %u compute units",
           info->gpu   ? "GPU"
           : info->cpu ? "CPU"
                       : "accelerator",
           info->compute_units);
    if (info->clock_mhz)
        printf(" at %u MHz", info->clock_mhz);
    printf("%s%s\n", info->host_memory ? ", shares host memory" : "",
           info->fp16 ? ", fp16 arithmetic" : "");
    if (!info->keeps_time)
        printf("   tells no times: each launch is waited for, and the host's clock "
               "counts\n");
    printf("   %s of memory, budget %s, largest buffer %s\n",
           cli_bytes(memory, sizeof memory, info->memory),
           cli_bytes(budget, sizeof budget, info->budget),
           cli_bytes(buffer, sizeof buffer, info->max_buffer));
    if (tess_stored_tuning(tuning, sizeof tuning, info, cache_dir))
        printf("   tuned: %s\n", tuning);
}

static void print_string(const char *key, const char *text)
{
    printf("    \"%s\": \"", key);
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 32)
            printf("\\u%04x", *text);
        else
            putchar(*text);
    printf("\",\n");
}

static void print_bool(const char *key, bool value)
{
    printf("    \"%s\": %s,\n", key, value ? "true" : "false");
}

static void print_json(const struct tess_device_info *info, const char *cache_dir)
{
    char tuning[4096];
    printf("  {\n    \"index\": %u,\n    \"id\": \"%u:%u\",\n", info->index,
           info->platform_index, info->device_index);
    print_string("name", info->name);
    print_string("vendor", info->vendor);
    print_string("platform", info->platform);
    print_string("version", info->version);
    print_string("driver", info->driver);
    print_string("type", info->gpu ? "gpu" : info->cpu ? "cpu" : "accelerator");
    print_string("tuning", tess_tuning_name(tess_stored_tuning(tuning, sizeof tuning,
                                                               info, cache_dir)));
    printf("    \"compute_units\": %u,\n    \"clock_mhz\": %u,\n", info->compute_units,
           info->clock_mhz);
    print_bool("host_memory", info->host_memory);
    print_bool("fp16", info->fp16);
    print_bool("keeps_time", info->keeps_time);
    printf("    \"memory_bytes\": %" PRIu64 ",\n    \"max_buffer_bytes\": %" PRIu64 ",\n",
           info->memory, info->max_buffer);
    printf("    \"local_memory_bytes\": %" PRIu64 ",\n    \"alignment_bytes\": %u,\n",
           info->local_memory, info->alignment);
    printf("    \"budget_bytes\": %" PRIu64 "\n  }", info->budget);
}

int cli_devices(struct cli *cli)
{
    struct tess_device_info *infos = NULL;
    size_t count = 0;
    char message[TESS_MESSAGE_MAX] = "";
    enum tess_status status = tess_device_list(&infos, &count, message);
    if (status) {
        fprintf(stderr, "tessella: %s\n", message);
        return cli_exit_status(status);
    }
    if (cli->json)
        printf("[\n");
    for (size_t i = 0; i < count; i++) {
        (cli->json ? print_json : print_text)(&infos[i], cli->cache_dir);
        if (cli->json)
            printf("%s\n", i + 1 < count ? "," : "");
    }
    if (cli->json)
        printf("]\n");
    tess_free(infos);
    return EXIT_DONE;
}
