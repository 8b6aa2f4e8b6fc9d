// What the commands are, and the text of --help.
#include <string.h>

#include "cli/options.h"

static const char common_help[] =
    "Common options:\n"
    "  --model DIR        model directory (else TESSELLA_MODEL, else the demo model)\n"
    "                     or OWNER/NAME in the cache of Hugging Face\n"
    "  --encoder FILE     image encoder, .pth or .safetensors (else from the model "
    "directory or a\n"
    "                     cache)\n"
    "  --device D         gpu, cpu, N or P:D as `tessella devices` lists them, or part "
    "of a name\n"
    "                     (else TESSELLA_DEVICE, else the first GPU, else the first "
    "device)\n"
    "  --memory BYTES     device memory to use at most, e.g. 512M, 2G (else what the "
    "device has)\n"
    "  --max-buffer BYTES largest single buffer (else the device's limit)\n"
    "  --report FILE.json write what was done: device, seconds, bytes, FLOP per stage\n"
    "  --cache-dir DIR    program cache (else the user's; an empty name: none)\n"
    "  --kernel-dir DIR   read kernels from DIR instead of the built-in ones\n"
    "  --precision P      full, or fast: less exact products by the device's matrix "
    "unit, "
    "where\n"
    "                     it has one (full)\n"
    "  --tuning FILE      shapes of kernels, which change speed and nothing else; none: "
    "the\n"
    "                     program's own (else TESSELLA_TUNING, else what `bench --tune` "
    "stored)\n"
    "  -q, --quiet        say nothing but errors;  -v, --verbose: more, twice: all\n"
    "  -h, --help         this text;  --version\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input file, 4 device or memory.\n";

static const char camera_help[] =
    "  --size N           pixels per side (512)\n"
    "  --channel C        colour, flat (not shaded), normal, depth or alpha (colour)\n"
    "  --yaw DEG --pitch DEG --radius R --fov DEG   camera (30, 20, 2, 40); z is up\n"
    "  --supersampling N  samples per pixel and axis (4; 1 for splats)\n"
    "  --turntable N      N views around the object: OUT.png is a sheet of them, and "
    "there are\n"
    "                     OUT-000.png ...; OUT.apng plays them (36), --fps N a second "
    "(12)\n"
    "  --sheet            show all that there is: mesh, its normals, splats, radiance "
    "field, in\n"
    "                     rows of 4 views (--turntable N), or side by side in .apng\n";

static const char clean_help[] =
    "Meshes in files and on sheets are cleaned, as the original's export does it:\n"
    "  --clean | --raw    all of it (the default; each step has its switch), or none\n"
    "  --keep-seams       do not join vertices at the same place\n"
    "  --keep-winding     do not turn faces that run against their neighbours\n"
    "  --simplify R | N   remove this share of the faces (0.95), or leave N; 0: none\n"
    "  --keep-hidden      do not remove inner walls and what else no view sees\n"
    "  --views N --view-size PIXELS   to look from (1000 of 1024)\n"
    "  --max-hole-area A  of a loop that removal may open (0.04)\n"
    "  --specks SHARE     remove components with less than this share of the area "
    "(none)\n"
    "  --keep-holes       do not close holes\n"
    "  --max-hole-edges N of a hole that is closed (250 times the root of the share that "
    "stays)\n"
    "  --keep-touching    do not part surfaces that touch in an edge or a vertex\n";

static const char placing_help[] =
    "What is written is turned and scaled with\n"
    "  --up A             y or z (else the format's: y in .glb .obj .spz .splats.glb, z "
    "in "
    ".stl\n"
    "                     .mesh.ply, -y in .ply .splat)\n"
    "  --scale F          of all outputs (1; the object is 1 across)\n"
    "  --stl-mm N         millimetres of that 1 in .stl (1)\n"
    "  --unlit            .glb, .html: colours as they are, without light\n";

static const char texture_help[] =
    "Meshes in .glb and .obj (with OUT.mtl and OUT.png) get a texture instead of vertex "
    "colours with\n"
    "  --texture[=SIZE]   baked from the splats, SIZE x SIZE texels (1024; a power of "
    "two), "
    "or any of\n"
    "  --texture-mode M   fast (a texel is the mean of what views show), opt (then it is "
    "changed\n"
    "                     until the texture looks like the views), with --texture-steps "
    "N "
    "(500)\n"
    "  --texture-format F png or jpeg (png)\n"
    "  --texture-views N --texture-view-size PIXELS   of the splats (100 of 1024)\n"
    "  --texture-gutter N texels between charts (SIZE / 256)\n";

#define MESHES_HELP "  .glb .obj .stl .mesh.ply\n                     the mesh\n"
#define SPLATS_HELP                                                                      \
    "  .ply .splat .spz .splats.glb\n                     the Gaussian splats\n"
#define PAGE_HELP "  .html              a page that shows mesh and splats in a browser\n"
#define FORMATS_HELP                                                                     \
    "The suffix of each -o chooses:\n" MESHES_HELP SPLATS_HELP                           \
    "  .rf.safetensors    the radiance field\n" PAGE_HELP                                \
    "  .png .apng         a picture, an animated one\n"

static const struct cli_command commands[] = {
    {"generate", "IMAGE... -o OUT...",
     "Turn pictures of one object into 3D.\n"
     "\n" FORMATS_HELP "  .safetensors       the structured latent\n"
     "\n"
     "  -o, --output FILE  may be given several times\n"
     "  --seed N | N..M    of the noise, as the original draws it (42); several: "
     "OUT-N.glb ...\n"
     "  --noise FILE       take the noise from a .safetensors with noise_ss, noise_slat "
     "or "
     "both\n"
     "  --background B     of pictures without alpha: keep, key, or a colour RRGGBB to "
     "key out\n"
     "                     (else a plain one is keyed out, and any other is an error)\n"
     "  --save-input FILE  write what the network sees of the (first) picture\n"
     "  --multi-image M    stochastic (one picture a step) or multidiffusion (all in "
     "each)\n"
     "  --steps N --guidance W --guidance-interval LO,HI --rescale-t R\n"
     "                     of both samplers, else as pipeline.json says; --structure-... "
     "and\n"
     "                     --latent-... for one of them\n"
     "  --keep DIR         write each stage's result into DIR, with what made it\n"
     "  --from DIR         go on from the last result in DIR that these parameters made\n"
     "  --structure MESH   take the voxels of a .glb, .obj, .ply or .stl, and make "
     "latents for them\n"
     "  --voxels N         for benchmarks: whatever the structure is, go on with the "
     "shell\n"
     "                     of N voxels that `plan --voxels N` plans for\n"
     "  --guide-apart      evaluate with and without the picture one after the other: "
     "less\n"
     "                     memory, the same result\n",
     1, 8, true, true, true, true, true},
    {"decode", "LATENT.safetensors -o OUT...",
     "Turn a structured latent (tensors coords and feats) into 3D.\n"
     "\n" FORMATS_HELP "\n"
     "  -o, --output FILE  may be given several times\n"
     "  --seed N           the latent's seed, to be written into the files\n",
     1, 1, true, true, true, true, true},
    {"render", "ASSET... -o OUT...",
     "Draw a mesh (.glb .obj .ply .stl), splats (.ply .splat .spz .glb) or a radiance "
     "field\n"
     "(.rf.safetensors), several with --sheet.\n"
     "\n"
     "  -o, --output FILE  .png a picture, .apng an animated one\n",
     1, 8, true, true},
    {"devices", "[--json]",
     "List the OpenCL devices and what the budget on each would be.\n", 0, 0, false,
     false},
    {"plan", "[LATENT.safetensors | --voxels N] [-o OUT...]",
     "Tell what each stage would do, in bytes and FLOP, without running it: those of "
     "`decode` for a\n"
     "latent, those of `generate` for a number of voxels.\n"
     "\n"
     "  -o, --output FILE  as for generate, several times: the plan is for these outputs "
     "(else\n"
     "                     for mesh and splats in files); --raw, --texture, --size and "
     "the "
     "like too\n"
     "  --voxels N         what a structure of N voxels would take, a shell as objects "
     "are (10240)\n"
     "  --pictures N       what it takes from N pictures on, for a latent too (1); "
     "--steps "
     "and the\n"
     "                     like as for generate\n"
     "  --resolution N     of the latent's grid (the model's)\n"
     "  --described        plan for a device that is not here: --memory and --max-buffer "
     "tell\n"
     "  --json             as JSON\n",
     0, 1, false, false},
    {"verify", "DIR",
     "Compare golden data in DIR/io with what DIR/model makes on this device.\n", 1, 1,
     false, false},
    {"model", "[DIR | OWNER/NAME]",
     "Tell what a model directory holds, what is missing or wrong, and where that is "
     "published.\n"
     "\n"
     "  --json             as JSON\n",
     0, 1, false, false},
    {"info", "ASSET | LATENT.safetensors",
     "Count and measure a mesh (.glb .obj .ply .stl), splats (.ply .splat .spz .glb), a "
     "radiance\n"
     "field (.rf.safetensors) or a latent (.safetensors).\n"
     "\n"
     "  --weld             take vertices at the same place for one (always of .stl)\n"
     "  --json             as JSON\n",
     1, 1, false, false},
    {"bench",
     "[--json FILE] [--picture FILE.png] | --tune | --compare FILE... | --synthetic DIR",
     "Measure this device: copies, multiply-adds, and how near to those each operator "
     "comes.\n"
     "\n"
     "  --short            smaller sizes;  --tiny: only whether it works\n"
     "  --samples N        of each, in turns; medians are shown (7, 5 of the short "
     "form)\n"
     "  --json FILE        write all of it; docs/bench.md tells the fields\n"
     "  --picture FILE.png a bar for each operator against its roof\n"
     "  --model DIR        time an asset with this model too, stage by stage: once, "
     "after a "
     "small\n"
     "                     run; --voxels N (10240), --steps N (as pipeline.json says)\n"
     "  --compare          put the files of 1 to 8 runs beside one another, as a table "
     "and "
     "a picture\n"
     "\n"
     "Or find the shapes of kernels that are fastest on this device, which later runs "
     "then "
     "use.\n"
     "\n"
     "  --tune             minutes; --short: less\n"
     "  -o FILE            write the table, too\n"
     "\n"
     "Or write a model of random weights: names, shapes and dtypes as published, 4.2 GB. "
     "What it\n"
     "makes is noise, in the time and memory that the published model takes.\n"
     "\n"
     "  --synthetic DIR    where to: a directory without a model, or a new one\n"
     "  --tiny             the same networks, narrow and of few blocks: 22 MB\n",
     0, 8, false, false},
    {"clean", "MESH -o OUT...",
     "Clean a mesh (.glb .obj .ply .stl) and write it. The suffix of each -o "
     "chooses:\n" MESHES_HELP PAGE_HELP "\n"
     "  -o, --output FILE  may be given several times\n",
     1, 1, true, false, true, false, true},
    {"convert", "ASSET -o OUT...",
     "Write a mesh (.glb .obj .ply .stl) or splats (.ply .splat .spz .glb) in other\n"
     "formats. The suffix of each -o chooses:\n" MESHES_HELP SPLATS_HELP PAGE_HELP "\n"
     "  -o, --output FILE  may be given several times\n",
     1, 1, true, false, false, false, true},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

const struct cli_command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

void cli_print_help(FILE *to, const char *name)
{
    const struct cli_command *command = name ? cli_find_command(name) : NULL;
    if (command) {
        const char *const parts[] = {command->camera ? camera_help : NULL,
                                     command->placing ? placing_help : NULL,
                                     command->cleaning ? clean_help : NULL,
                                     command->texture ? texture_help : NULL};
        fprintf(to, "Usage: tessella %s %s [option...]\n\n%s", command->name,
                command->usage, command->text);
        for (int i = 0; i < 4; i++)
            if (parts[i]) // a camera's options go on with the command's own
                fprintf(to, "%s%s", i ? "\n" : "", parts[i]);
        fprintf(to, "\n%s", common_help);
        return;
    }
    fprintf(to,
            "Tessella %s: image to 3D on any OpenCL device, in the memory you have.\n\n"
            "Usage:\n",
            tess_version());
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  tessella %s %s\n", commands[i].name, commands[i].usage);
    fprintf(to, "\n`tessella COMMAND --help` tells more.\n\n%s", common_help);
}
