// Tessella: image to 3D on any OpenCL device, in the memory you have.
//
// Long because it is the manual too: one header for all.
//
// This header is the manual of the library. Everything starts with a context, which holds
// one OpenCL device, a memory budget and the text of the last error:
//
//   struct tess_context *ctx = NULL;
//   char message[TESS_MESSAGE_MAX];
//   struct tess_context_params params = {.memory = 512 << 20};
//   if (tess_context_create(&ctx, &params, message)) ...
//   struct tess_model *model = NULL;
//   tess_model_open(&model, ctx, "model/");
//   struct tess_latent *latent = NULL;
//   tess_latent_open(&latent, ctx, "mug.safetensors");
//   struct tess_asset *asset = NULL;
//   tess_decode(&asset, ctx, model, latent, &(struct tess_decode_params){0});
//   struct tess_asset *clean = NULL;
//   tess_asset_clean(&clean, ctx, asset, NULL);
//   tess_asset_save(clean, ctx, "mug.glb");
//
// Rules that hold for every call:
//   - A function that can fail returns enum tess_status. On failure its results are
//   untouched
//     (NULL stays NULL), and tess_context_message() says what failed, how big, on which
//     file or device, and what to try.
//   - Parameter structs: zero means default, so {0} is always valid. A NULL params
//   pointer means
//     the same.
//   - What a function creates, the caller destroys; destroy functions take the address of
//   the
//     pointer, accept NULL in it, and set it to NULL. Objects do not keep a context
//     alive: destroy the context last.
//   - Strings are UTF-8 paths and texts, copied where they are kept.
//   - A context and what was made with it belong to one thread at a time.
//   tess_context_cancel()
//     may be called from anywhere, signal handlers included.
//   - Device memory in use never passes the budget, and on one device results are the
//   same
//     bytes at every budget.
//   - The library never prints, exits or aborts.
#ifndef TESSELLA_H
#define TESSELLA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TESS_API __attribute__((visibility("default")))
#else
#define TESS_API
#endif

enum tess_status {
    TESS_OK = 0,
    TESS_ERR_ARG,       // a parameter out of its range
    TESS_ERR_FILE,      // an input file that is missing, damaged or not what was expected
    TESS_ERR_WRITE,     // an output file that cannot be written
    TESS_ERR_DEVICE,    // no OpenCL device, or one that fails
    TESS_ERR_BUDGET,    // the device budget is too small; the message names the smallest
                        // that works
    TESS_ERR_MEMORY,    // no host memory
    TESS_ERR_CANCELLED, // tess_context_cancel() was called
    TESS_ERR_MISMATCH,  // tess_verify(): a result outside its bound
    TESS_ERR_INTERNAL,  // a mistake in this library
};

// "bad file", "device", ... Never NULL.
TESS_API const char *tess_status_name(enum tess_status status);

// "0.1.0"
TESS_API const char *tess_version(void);

// ---------------------------------------------------------------------------------------------
// Context
// ---------------------------------------------------------------------------------------------

struct tess_context;

enum tess_log_level {
    TESS_LOG_WARNING =
        0,          // the run goes on, but not as asked: less memory than promised, ...
    TESS_LOG_INFO,  // one line per stage
    TESS_LOG_DEBUG, // plans, builds, cache hits
};
typedef void tess_log_fn(void *user, enum tess_log_level level, const char *text);

// How far a stage is.
struct tess_progress {
    const char *stage;    // a short name, e.g. "mesh decoder"
    uint64_t done, total; // in units of the stage's own; done <= total
    uint32_t step, steps; // of a sampler, from 1; zeros elsewhere
    double elapsed;       // seconds since the stage began
    double remaining;     // seconds, a guess from the share that is done; below 0: none
};
typedef void tess_progress_fn(void *user, const struct tess_progress *progress);

enum tess_precision {
    TESS_PRECISION_FULL = 0, // products and sums as near as those of fp32
    TESS_PRECISION_FAST,     // linear layers, convolutions and attention by the device's
                         // matrix unit, if it has one that is known and works: factors in
                         // fp16 (GPUs), of 16 bits (AMX) or of 14 (other CPUs), sums in
                         // fp32
};
// "full", "fast".
TESS_API const char *tess_precision_name(enum tess_precision precision);

struct tess_context_params {
    const char *device; // "gpu", "cpu", "N" (as listed), "P:D" (platform:device), or part
                        // of a name; NULL: the environment's TESSELLA_DEVICE, else the
                        // first GPU, else the first device of any kind
    size_t memory;      // device budget in bytes; 0: what the device has less a headroom
    size_t max_buffer;  // largest single buffer in bytes; 0: the device's limit
    bool plan_only;     // open no device: tess_plan() only, for a described device
    const char *cache_dir;  // programs are cached here; NULL: $XDG_CACHE_HOME/tessella or
                            // ~/.cache/tessella; "" for no cache
    const char *kernel_dir; // NULL: the built-in kernels; else NAME.cl is read from here
    const char *tuning;     // shapes of kernels, which change speed and never results.
                            // NULL: the environment's TESSELLA_TUNING, else the table
                            // that tess_tune() stored for this device and driver, else
                            // the program's own; "none": the program's own; else a file
                            // that tess_tune() made, for any device of the same variant
    enum tess_precision precision;
    tess_log_fn *log; // may be NULL
    void *log_user;
    enum tess_log_level log_level;
    tess_progress_fn *progress; // may be NULL
    void *progress_user;
    bool hash_files; // for reports: take the SHA-256 of all files read and written, and
                     // note parameters
};

#define TESS_MESSAGE_MAX 1024 // bytes of the longest message, its end included

// TESS_ERR_DEVICE: no such device, or no OpenCL at all; TESS_ERR_BUDGET: `memory` is less
// than anything needs. A `memory` beyond the device's is cut, which the log says. On
// failure message[TESS_MESSAGE_MAX] (may be NULL) says why.
TESS_API enum tess_status tess_context_create(struct tess_context **out,
                                              const struct tess_context_params *params,
                                              char *message);
TESS_API void tess_context_destroy(struct tess_context **ctx);

// The message of the last failure in this context ("" if none), valid until the next
// call.
TESS_API const char *tess_context_message(const struct tess_context *ctx);

// Make the call in progress end soon with TESS_ERR_CANCELLED, and every later one too.
TESS_API void tess_context_cancel(struct tess_context *ctx);

// ---------------------------------------------------------------------------------------------
// Devices
// ---------------------------------------------------------------------------------------------

struct tess_device_info {
    uint32_t index; // in the list: what `--device N` takes
    uint32_t platform_index, device_index;
    char name[128], vendor[128], platform[128];
    char version[128], driver[128]; // of OpenCL, of the driver
    uint32_t vendor_id;             // PCI's, if it is a GPU on a bus
    bool gpu, cpu;                  // neither: an accelerator
    bool host_memory;               // shares its memory with the host
    bool fp16;                      // half precision arithmetic
    bool wide_vectors;              // a CPU that takes the kernels for CPUs
    bool keeps_time; // tells when a kernel ran; else the host's clock does, and each
                     // launch is waited for
    uint32_t compute_units, clock_mhz;
    uint64_t memory;     // bytes in all
    uint64_t max_buffer; // bytes, one allocation
    uint64_t local_memory;
    uint32_t alignment; // bytes, of an offset into a buffer
    uint64_t budget;    // the default budget in bytes
};

// All OpenCL devices, GPUs and CPUs, in platform order. *out is one array; free it with
// tess_free(). TESS_ERR_DEVICE if there is none; message[TESS_MESSAGE_MAX] (may be NULL)
// says which package brings one.
TESS_API enum tess_status tess_device_list(struct tess_device_info **out, size_t *count,
                                           char *message);

// The device of a context; for a plan_only context what is described: `memory` and
// `max_buffer` of the parameters, 4 GiB and 1 GiB if they are 0.
TESS_API void tess_context_device(const struct tess_context *ctx,
                                  struct tess_device_info *info);

// Whose shapes of kernels a context uses.
enum tess_tuning_source {
    TESS_TUNING_OWN = 0, // the program's
    TESS_TUNING_STORED,  // tess_tune() found them
    TESS_TUNING_GIVEN    // by tess_context_params.tuning
};
// "own", "stored" or "given".
TESS_API const char *tess_tuning_name(enum tess_tuning_source source);
// *path (may be NULL) becomes the file that they are from, valid as long as the context;
// NULL if they are the program's.
TESS_API enum tess_tuning_source tess_context_tuning(const struct tess_context *ctx,
                                                     const char **path);

// The same for a device that is not open, with the cache directory of
// tess_context_params, and without what the environment says. The file's path goes into
// path[size]; "" if there is none.
TESS_API enum tess_tuning_source tess_stored_tuning(char *path, size_t size,
                                                    const struct tess_device_info *info,
                                                    const char *cache_dir);

// The matrix unit in use: "none", "amx" with TESS_PRECISION_FULL; with
// TESS_PRECISION_FAST also "amx-fast", "avx512-vnni", "avx-vnni", "avx2", "nvidia",
// "intel", "amd-mfma", "amd-wmma". For tests, "portable", "amx-portable",
// "amx-portable-2", "avx-portable". Chosen when a model is opened, a benchmark or tuning
// begins; "none" before.
TESS_API const char *tess_context_matrix_unit(const struct tess_context *ctx);

TESS_API void tess_free(void *memory);

// ---------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------

struct tess_model;

// Open a model directory in the published layout: pipeline.json and
// ckpts/NAME.{json,safetensors}; OWNER/NAME that is no directory is looked for in the
// cache of Hugging Face ($HF_HUB_CACHE, $HF_HOME/hub, huggingface/hub in the user's
// cache), in the snapshot that refs/main names. Nothing is downloaded. Tensors are
// mapped, not read. Only pipeline.json is required here; what is missing is an error
// where it is needed. TESS_ERR_FILE names file and field.
TESS_API enum tess_status
tess_model_open(struct tess_model **out, struct tess_context *ctx, const char *directory);
// Take the image encoder from this file, .pth or safetensors. NULL, the default: from the
// first place that has it. In the model directory: ckpts/dinov2_reg.safetensors,
// ckpts/dinov2_vitl14_reg4_pretrain.pth, the same as .safetensors, these two without
// ckpts/, dinov2-with-registers-large/model.safetensors, model.safetensors. Then
// torch-hub's cache ($TORCH_HOME, torch in the user's cache), then
// facebook/dinov2-with-registers-large in that of Hugging Face. A file that is found and
// bad is an error, and no reason to look further. It is opened where it is needed. Not to
// be called while a result of the model is made.
TESS_API enum tess_status tess_model_set_encoder(struct tess_model *model,
                                                 struct tess_context *ctx,
                                                 const char *path);
TESS_API void tess_model_destroy(struct tess_model **model);

// Where the model is, valid until it is destroyed.
TESS_API const char *tess_model_directory(const struct tess_model *model);

enum tess_part_state {
    TESS_PART_READY,
    TESS_PART_MISSING,
    TESS_PART_BAD,
    TESS_PART_UNUSED
};

// A file that is published for a part.
struct tess_part_source {
    const char *file; // "ckpts/ss_dec_conv3d_16l8_fp16.{json,safetensors}"
    const char *put;  // where to, in the model directory; NULL: where pipeline.json says
    const char *url;
    const char *licence; // "MIT"
    uint64_t bytes;      // of the weights
};

struct tess_model_part {
    const char *role;    // "slat_decoder_mesh", as pipeline.json names it
    const char *path;    // of the checkpoint, without extension; the image encoder's file
    const char *place;   // "model directory", "given", "torch-hub cache", "Hugging Face
                         // cache"; "" if the image encoder was not found
    const char *network; // "SLatMeshDecoder"; "" if unknown
    const char *problem; // what is wrong or missing; "" when ready
    const char
        *summary; // "3 blocks, 256 channels, window 8, resolution 32"; "" if unknown
    uint64_t bytes, parameters;
    uint32_t resolution, channels; // of the latents that it takes; 0 if unknown
    enum tess_part_state state;
    const struct tess_part_source *sources; // [source_count], any of which will do
    size_t source_count;
};

// The parts that pipeline.json names, the image encoder last as "image_cond_model",
// checked against what their networks need: every tensor's name, shape and dtype. *parts
// is valid until the model is destroyed or its encoder is set.
TESS_API enum tess_status tess_model_parts(struct tess_model *model,
                                           struct tess_context *ctx,
                                           const struct tess_model_part **parts,
                                           size_t *count);

// The same as a JSON object, described in docs/design.md. Free *json with tess_free().
TESS_API enum tess_status tess_model_json(char **json, struct tess_context *ctx,
                                          struct tess_model *model);

enum tess_model_size {
    TESS_MODEL_FULL = 0, // TRELLIS-image-large: 4.2 GB
    TESS_MODEL_TINY,     // the same networks, narrow and of few blocks: 22 MB
};

// Write a model directory of random weights, for benchmarks: what it makes is noise, in
// the time and memory that the published model takes. Names, shapes, dtypes and order of
// the tensors are the published files'; a value depends on the tensor's name and the
// element's number only (src/pipeline/synthetic.h says how). `directory` is made if it is
// not there; a model in it stays, which is a failure. On failure nothing that was written
// is left. *bytes (may be NULL) becomes the size of all weights' files. TESS_ERR_WRITE
// also if the disk has too little room.
TESS_API enum tess_status tess_model_synthesise(struct tess_context *ctx,
                                                const char *directory,
                                                enum tess_model_size size,
                                                uint64_t *bytes);

// ---------------------------------------------------------------------------------------------
// Structured latents
// ---------------------------------------------------------------------------------------------

struct tess_latent;

// Arrays belong to the latent.
struct tess_latent_view {
    const int32_t *coords; // [voxels][3]: x, y, z in the grid, 0 to 1023
    const float *feats;    // [voxels][channels]
    size_t voxels, channels;
};

// Read `coords` int32 [N,4] (batch, x, y, z; batch 0) and `feats` float32 [N,8] (any
// number of channels) from a safetensors file. TESS_ERR_FILE: missing or surplus tensors,
// other dtypes or shapes, no voxel at all, a voxel twice, negative coordinates, NaN or
// infinity.
TESS_API enum tess_status tess_latent_open(struct tess_latent **out,
                                           struct tess_context *ctx, const char *path);

// A latent of about `voxels` voxels (the shell of a torus, as real objects are shells)
// and zero features, for tess_plan() and benchmarks. TESS_ERR_ARG if so many do not fit
// in resolution³.
TESS_API enum tess_status tess_latent_create_shell(struct tess_latent **out,
                                                   struct tess_context *ctx,
                                                   size_t voxels, uint32_t resolution,
                                                   uint32_t channels);
TESS_API size_t tess_latent_voxels(const struct tess_latent *latent);
TESS_API void tess_latent_view(const struct tess_latent *latent,
                               struct tess_latent_view *view);
TESS_API void tess_latent_destroy(struct tess_latent **latent);

// ---------------------------------------------------------------------------------------------
// Assets
// ---------------------------------------------------------------------------------------------

enum tess_representation {
    TESS_MESH = 1 << 0,
    TESS_SPLATS = 1 << 1,
    TESS_RADIANCE = 1 << 2,
};

// A mesh, Gaussian splats, a radiance field, or several of them. World space is
// right-handed, z up, the object in
// [-.5, .5]³.
struct tess_asset;

// Triangles, counter-clockwise seen from outside. Arrays belong to the asset.
struct tess_mesh_view {
    const float *positions; // [vertices][3]
    const float *normals;   // [vertices][3], unit length
    const float
        *attributes; // [vertices][6]: sRGB colour and normal map, in 0..1; may be NULL
    const uint32_t *indices; // [faces][3]
    size_t vertices, faces;
    const float *uvs; // [vertices][2], of the texture, from its upper left; may be NULL
};

struct tess_splats_view {
    const float *positions; // [count][3]
    const float *scales;    // [count][3], standard deviations in world units
    const float *rotations; // [count][4], unit quaternions w, x, y, z
    const float *opacities; // [count], in 0..1
    const float
        *colours; // [count][3], degree 0 spherical harmonics; rgb = 0.5 + 0.2821 * c
    size_t count;
};

// A radiance field of rank R with vectors of D, in voxels of the cube [-.5, .5]³. In a
// voxel, with p in 0..1 along each axis, B[r] is the product over the axes of the r-th
// vector's value at p: element i is at (i + 0.5) / D, linear between them and beyond the
// outer ones. The density, per unit of length, is softplus(sum of densities[r] B[r]), and
// the colour sigmoid(0.2821 * sum of colours[r] B[r]). Other voxels are empty.
struct tess_radiance_view {
    const int32_t *coords;  // [voxels][3], 0..resolution - 1: lower corner (x, y, z) /
                            // resolution - 0.5
    const float *vectors;   // [voxels][R][3][D]
    const float *densities; // [voxels][R]
    const float *colours;   // [voxels][R][3]
    size_t voxels;
    uint32_t resolution, rank, dim;
};

// False, and *view untouched, if the asset has none.
TESS_API bool tess_asset_mesh(const struct tess_asset *asset,
                              struct tess_mesh_view *view);
TESS_API bool tess_asset_splats(const struct tess_asset *asset,
                                struct tess_splats_view *view);
TESS_API bool tess_asset_radiance(const struct tess_asset *asset,
                                  struct tess_radiance_view *view);

// The suffix of `path` chooses: .glb .obj .stl .mesh.ply write the mesh, .ply .splat
// .spz .splats.glb the splats (.ply the mesh if there are no splats), .rf.safetensors the
// radiance field, .html a page that shows the mesh, the splats or both. The file appears
// whole or not at all; that is also so for OUT.mtl and OUT.png (OUT.jpg), which come with
// OUT.obj where the mesh has a texture. TESS_ERR_ARG: an unknown suffix, or the asset
// lacks what the format holds. TESS_ERR_WRITE names the path and the system's reason.
TESS_API enum tess_status tess_asset_save(const struct tess_asset *asset,
                                          struct tess_context *ctx, const char *path);

enum tess_up {
    TESS_UP_DEFAULT = 0, // the format's own: y in .glb, .obj, .spz and .splats.glb, z in
                         // .stl and .mesh.ply, -y in .ply and .splat of splats
    TESS_UP_Y,
    TESS_UP_Z,
};

struct tess_save_params {
    enum tess_up up;    // what is up in the file; the readers here expect the default
    double scale;       // of the object about the origin, 1e-9 to 1e9; 0: 1
    double millimetres; // in .stl: of a world unit, 1e-9 to 1e9; 0: 1
    bool unlit;         // .glb, .html: colours as they are, whatever the light
};

// The same with the object turned and scaled; a radiance field, which lives on its grid,
// and the files in a page stay as they are. TESS_ERR_ARG also for a parameter out of its
// range.
TESS_API enum tess_status tess_asset_save_as(const struct tess_asset *asset,
                                             struct tess_context *ctx, const char *path,
                                             const struct tess_save_params *params);

// Write a page (.html) that shows a mesh and splats in a browser with WebGL 2, without a
// network, and offers them as files: .glb as `mesh` would save it, and .spz of `splats`.
// Either may be NULL or have none. Of `params`, which may be NULL, a page takes `unlit`.
// As tess_asset_save().
TESS_API enum tess_status tess_asset_save_page(const struct tess_asset *mesh,
                                               const struct tess_asset *splats,
                                               struct tess_context *ctx, const char *path,
                                               const struct tess_save_params *params);

// What tess_asset_save() would write into `path`, more than one or-ed for .html; 0 for an
// unknown suffix.
TESS_API enum tess_representation tess_asset_format(const char *path);

// Where in `path` the suffix begins that tess_asset_save() goes by (".mesh.ply" is one);
// NULL for an unknown one.
TESS_API const char *tess_asset_suffix(const char *path);

// All of these suffixes, for messages: ".glb, .obj, ... or .html".
TESS_API const char *tess_asset_suffixes(void);

// Read splats from a .ply in the 3D Gaussian Splatting convention, a .splat, a .spz or a
// .glb with KHR_gaussian_splatting, a mesh from another .glb, .obj, .stl or a .ply with
// faces, or a radiance field from a .rf.safetensors (README.md says what is in it).
// Vertices of .stl are joined where they are at the same position. Colours of meshes come
// from .glb only.
TESS_API enum tess_status tess_asset_open(struct tess_asset **out,
                                          struct tess_context *ctx, const char *path);
TESS_API void tess_asset_destroy(struct tess_asset **asset);

struct tess_mesh_info {
    size_t vertices, faces;
    size_t components;         // of faces that share edges
    size_t boundary_edges;     // with one face; 0: closed
    size_t non_manifold_edges; // with more than two
    size_t inconsistent_edges; // whose two faces run along them the same way
    double area, volume;       // volume: signed, right for closed meshes
    double lower[3], upper[3]; // bounds of the vertices that faces use
};

// `weld`: take vertices at the same position for one. TESS_ERR_ARG if there is no mesh.
TESS_API enum tess_status tess_asset_mesh_info(struct tess_mesh_info *info,
                                               const struct tess_asset *asset,
                                               struct tess_context *ctx, bool weld);

// ---------------------------------------------------------------------------------------------
// Decoding
// ---------------------------------------------------------------------------------------------

struct tess_clean_params;
struct tess_bake_params;
struct tess_render_params;

// What will be made of the decoded asset, for plans and for budgets that are checked
// before anything runs; it is made by the calls named here. NULL: not made. Plans tell
// the memory of these stages only, as their work depends on what is decoded.
struct tess_finish {
    const struct tess_clean_params *clean;    // tess_asset_clean() of the mesh
    const struct tess_bake_params *bake;      // tess_asset_bake() of mesh and splats
    const struct tess_render_params *picture; // tess_render() of each of `drawn`
    unsigned drawn;                           // or-ed enum tess_representation
};

struct tess_decode_params {
    unsigned representations; // or-ed enum tess_representation; 0: mesh and splats, if
                              // the model has them
    const struct tess_finish *finish; // NULL: nothing follows
    bool has_seed;
    uint64_t seed; // the latent's: only written into files that tell how they were made
};

// Or-ed enum tess_representation: those whose decoders pipeline.json names and whose
// files are there.
TESS_API unsigned tess_model_representations(const struct tess_model *model,
                                             struct tess_context *ctx);

// Turn a structured latent into an asset. TESS_ERR_FILE if model and latent do not fit
// together, TESS_ERR_BUDGET with the smallest budget that works.
TESS_API enum tess_status tess_decode(struct tess_asset **out, struct tess_context *ctx,
                                      struct tess_model *model,
                                      const struct tess_latent *latent,
                                      const struct tess_decode_params *params);

// ---------------------------------------------------------------------------------------------
// Clean-up
// ---------------------------------------------------------------------------------------------

// tess_decode() gives the mesh as the network made it. This makes of it what `tessella
// decode` writes unless --raw is given.

// Steps run in this order, the original's; zeros mean its values.
struct tess_clean_params {
    bool keep_seams;      // do not join vertices at the same position
    bool keep_winding;    // do not turn faces that run against their neighbours
    bool keep_faces;      // do not simplify
    size_t faces;         // simplify to so many faces; 0: by share
    double share;         // of faces that stay, above 0 and at most 1; 0: 0.05
    bool keep_hidden;     // do not remove what no view sees: inner walls, specks inside
    size_t views;         // to look from, at most 10000; 0: 1000
    uint32_t view_size;   // pixels of a view, at most 8192; 0: 1024
    double max_hole_area; // of a loop that removal may open; 0: 0.04
    double min_speck; // remove components with less than this share of the area, below
                      // 1; 0: none, as in the original
    bool keep_holes;  // do not close holes
    size_t max_hole_edges; // of a hole that is closed, at most 1000; 0: 250 * sqrt(share)
    bool keep_touching; // do not give surfaces that touch in an edge or a vertex vertices
                        // of their own
};

// Make an asset of the cleaned mesh of another, with normals made anew and no splats. A
// step that would leave no face is left out; where views are too few or too coarse to
// tell what is hidden, a warning is logged.
// TESS_ERR_ARG: there is no mesh, or a parameter out of its range; TESS_ERR_BUDGET names
// the smallest budget that works.
TESS_API enum tess_status tess_asset_clean(struct tess_asset **out,
                                           struct tess_context *ctx,
                                           const struct tess_asset *asset,
                                           const struct tess_clean_params *params);

// ---------------------------------------------------------------------------------------------
// Textures
// ---------------------------------------------------------------------------------------------

enum tess_texture_format { TESS_TEXTURE_PNG = 0, TESS_TEXTURE_JPEG };

enum tess_bake_mode {
    TESS_BAKE_FAST = 0,  // a texel is the mean of what the views show of it
    TESS_BAKE_OPTIMISED, // then the texture is changed until its picture is nearest to
                         // the views: least sum of absolute differences, and smooth
};

// Zeros mean the original's values, where it has them.
struct tess_bake_params {
    uint32_t size;      // of the texture, texels per axis: a power of two, 16 to 8192; 0:
                        // 1024
    uint32_t gutter;    // texels between charts, a power of two: mip levels whose texels
                        // are up to half as large mix no charts; 0: size / 256
    size_t views;       // of the splats, from all around, at most 10000; 0: 100
    uint32_t view_size; // pixels of a view, 16 to 8192; 0: 1024
    enum tess_texture_format format; // of the texture in files
    enum tess_bake_mode mode;
    size_t steps; // of TESS_BAKE_OPTIMISED, at most 100000; 0: 500 (the original takes
                  // 2500, but starts from black). Host memory: some 3 MB a view
};

// Make an asset of the mesh of `mesh`, with texture coordinates and a texture of what the
// splats of `splats` look like, which may be the same asset. Vertices are repeated where
// charts of the texture end. A texel gets the mean of what the views show of it, and of
// its neighbours where none does.
//
// TESS_ERR_ARG: there is no mesh, there are no splats, a parameter is out of its range,
// or the mesh falls into more pieces than fit the texture; TESS_ERR_BUDGET names the
// smallest budget that works.
TESS_API enum tess_status tess_asset_bake(struct tess_asset **out,
                                          struct tess_context *ctx,
                                          const struct tess_asset *mesh,
                                          const struct tess_asset *splats,
                                          const struct tess_bake_params *params);

// ---------------------------------------------------------------------------------------------
// From pictures to latents
// ---------------------------------------------------------------------------------------------

struct tess_image;

// Read a picture: PNG, JPEG, BMP, TGA or PNM. TESS_ERR_FILE says what is wrong with it.
TESS_API enum tess_status tess_image_open(struct tess_image **out,
                                          struct tess_context *ctx, const char *path);

enum tess_background_mode {
    TESS_BACKGROUND_AUTO =
        0, // alpha if there is some, else key a plain background out, else fail
    TESS_BACKGROUND_KEEP,   // the whole picture is the object
    TESS_BACKGROUND_KEY,    // key the colour of the border out
    TESS_BACKGROUND_COLOUR, // key `background` out
};

// What the image encoder of the model sees of a picture, as the original prepares it: cut
// to the object, scaled, on black. TESS_ERR_FILE: no object in it, or a background that
// cannot be told.
TESS_API enum tess_status
tess_image_prepare(struct tess_image **out, struct tess_context *ctx,
                   struct tess_model *model, const struct tess_image *image,
                   enum tess_background_mode mode, const uint8_t background[3]);

// Parameters of one sampler. Zeros and NULL mean what pipeline.json says.
struct tess_sampling {
    uint32_t steps;
    const double *guidance; // strength, 0 and above; 0 evaluates the condition only
    const double *interval; // [2]: times between which steps are guided
    double rescale_t;       // above 0
};

struct tess_generate_params {
    uint64_t seed; // of the noise, as the original draws it
    struct tess_sampling structure, latent;
    bool multi_diffusion; // several pictures: all in each step, not one after the other
    bool guide_apart;     // evaluate with and without condition one after the other: less
                          // memory, more weights over the bus, the same bytes
    // Not NULL: take these voxels, and run the latents' stage only.
    const struct tess_latent *structure_coords;
    size_t voxels; // not 0: go on with the shell of tess_latent_create_shell() instead of
                   // what the structure decoder says; for benchmarks
    // Not NULL: a safetensors file with `noise_ss` [1,C,R,R,R], `noise_slat` [N,C] (N
    // voxels in raster order) or both, F32, instead of what the seed draws.
    const char *noise_path;
    unsigned representations; // or-ed enum tess_representation that will be decoded: a
                              // budget too small for them is told before features are
                              // sampled
    const struct tess_finish *finish; // what will follow: the same; NULL: nothing
    const char *keep_dir; // not NULL: write each stage's result here, with what made it
    const char *from_dir; // not NULL: go on from the last result here that these
                          // parameters made; the log says which was reused
};

// Turn pictures of one object, prepared, into a structured latent. TESS_ERR_FILE also if
// the structure came out empty: another seed or picture may help.
TESS_API enum tess_status tess_generate(struct tess_latent **out,
                                        struct tess_context *ctx,
                                        struct tess_model *model,
                                        struct tess_image *const *images, size_t count,
                                        const struct tess_generate_params *params);

// The same for several seeds, at most 8; params->seed is not used. out[i] is NULL for a
// seed whose structure came out empty, which the log says, unless all did. Pictures are
// encoded once, and each block of weights is read once for as many variants as the budget
// takes together.
TESS_API enum tess_status
tess_generate_variants(struct tess_latent **out, struct tess_context *ctx,
                       struct tess_model *model, struct tess_image *const *images,
                       size_t count, const struct tess_generate_params *params,
                       const uint64_t *seeds, size_t seed_count);

// The voxels of a mesh (.glb, .obj, .ply, .stl), centred and scaled to the unit cube, for
// structure_coords. They have no features.
TESS_API enum tess_status tess_structure_open(struct tess_latent **out,
                                              struct tess_context *ctx,
                                              struct tess_model *model, const char *path);

// Write `coords` and `feats` as tess_latent_open() reads them.
TESS_API enum tess_status tess_latent_save(const struct tess_latent *latent,
                                           struct tess_context *ctx, const char *path);

// ---------------------------------------------------------------------------------------------
// Pictures
// ---------------------------------------------------------------------------------------------

// What a picture shows of the object.
enum tess_channel {
    TESS_CHANNEL_COLOUR = 0, // their colours; meshes: vertex colours, shaded
    TESS_CHANNEL_FLAT,       // the same, meshes without shading
    TESS_CHANNEL_NORMAL,     // meshes: world normals, (n + 1) / 2
    TESS_CHANNEL_DEPTH, // grey, along the camera's axis: white at the front of the sphere
                        // around the unit cube, black at its back; alpha as of colours
    TESS_CHANNEL_ALPHA, // grey: the alpha of TESS_CHANNEL_COLOUR, on an opaque picture
};

struct tess_camera {
    float yaw, pitch; // radians; the eye is at radius * (sin yaw cos pitch, cos yaw cos
                      // pitch, sin pitch), looks at the origin, z up
    float radius;     // 0: 2
    float fov;        // of both axes, radians; 0: 40 degrees
};

struct tess_render_params {
    struct tess_camera camera;
    uint32_t size;          // pixels, both axes; 0: 512; at most 8192
    uint32_t supersampling; // per axis; 0: 4, for splats 1; at most 8
    enum tess_channel channel;
    enum tess_representation representation; // 0: the first that the asset has of mesh,
                                             // splats, radiance field
};

// 8-bit RGBA, row 0 at the top, alpha not premultiplied.
struct tess_image;

// TESS_ERR_ARG: the asset lacks the representation, or that has no such channel.
TESS_API enum tess_status tess_render(struct tess_image **out, struct tess_context *ctx,
                                      const struct tess_asset *asset,
                                      const struct tess_render_params *params);

// Put `count` images of one size side by side, `columns` in a row (0: all in one).
TESS_API enum tess_status tess_image_sheet(struct tess_image **out,
                                           struct tess_context *ctx,
                                           struct tess_image *const *images, size_t count,
                                           size_t columns);

// *pixels: width * height * 4 bytes that belong to the image.
TESS_API void tess_image_pixels(const struct tess_image *image, uint32_t *width,
                                uint32_t *height, const uint8_t **pixels);

// PNG. As tess_asset_save().
TESS_API enum tess_status tess_image_save(const struct tess_image *image,
                                          struct tess_context *ctx, const char *path);
// The same in two steps, between which a thread encodes the picture: the image must stay,
// and the context is free for other calls. The file appears at the end, which takes the
// handle; without `keep` it does not, and what went wrong is no failure. NULL is nothing.
struct tess_image_saving;
TESS_API enum tess_status tess_image_save_begin(struct tess_image_saving **out,
                                                const struct tess_image *image,
                                                struct tess_context *ctx,
                                                const char *path);
TESS_API enum tess_status tess_image_save_end(struct tess_image_saving **saving,
                                              struct tess_context *ctx, bool keep);
TESS_API void tess_image_destroy(struct tess_image **image);

// An animated PNG (.apng), which browsers play and everything else shows the first frame
// of. Frames are written as they come; the file appears when it is finished.
struct tess_animation;

// Start to write `frames` images, 1 to 10000, `fps` a second, at most 100 (0: 12), played
// over and over. TESS_ERR_ARG, TESS_ERR_WRITE.
TESS_API enum tess_status tess_animation_open(struct tess_animation **out,
                                              struct tess_context *ctx, const char *path,
                                              uint32_t frames, uint32_t fps);
// Append an image. TESS_ERR_ARG: one too many, or of another size than the first.
TESS_API enum tess_status tess_animation_add(struct tess_animation *animation,
                                             struct tess_context *ctx,
                                             const struct tess_image *image);
// Give the file its name and destroy the animation, on failure too; then there is no
// file, or the one that was there before. TESS_ERR_ARG: frames are missing.
TESS_API enum tess_status tess_animation_finish(struct tess_animation **animation,
                                                struct tess_context *ctx);
// Leave nothing of an animation that is not finished.
TESS_API void tess_animation_destroy(struct tess_animation **animation);

// ---------------------------------------------------------------------------------------------
// Plans, reports, checks
// ---------------------------------------------------------------------------------------------

#define TESS_COUNTER_KERNELS 48

// Launches of one kernel, as queued: one that was asked for may be cut into several.
struct tess_kernel_times {
    const char *name; // "matmul"; valid until the context is destroyed
    uint64_t launches, ns, longest_ns;
};

// Sums over a stage.
struct tess_counters {
    uint64_t launches;
    double flop;
    uint64_t uploaded, downloaded; // bytes to and from the device
    uint64_t kernel_ns;            // time in kernels; 0 where none ran
    uint64_t longest_ns;           // of one launch, as queued
    // Plans: time that the kernels would take, by what they took on this device before;
    // and the part of it that is a guess, for kernels that never ran on it.
    double estimated_ns, guessed_ns;
    // Kernels that ran, in the order of their first end.
    struct tess_kernel_times kernels[TESS_COUNTER_KERNELS];
    uint32_t kernel_count;
};

#define TESS_STAGE_SPANS 32

// What a plan decided for a stage, or what the stage did. Strings are constants.
struct tess_stage_report {
    const char *name;       // "mesh decoder"
    uint64_t peak_bytes;    // of device memory
    uint64_t floor_bytes;   // plans: the smallest budget that works
    uint64_t spilled_bytes; // tensors that live on the host
    uint32_t spilled_tensors;
    bool prefetch;    // the next block of weights is uploaded while one is used
    bool resident;    // weights that are used again stay on the device
    bool memory_only; // plans: of struct tess_finish; all but bytes of memory is unknown
    struct tess_counters counters;
    double seconds; // from its plan to its end; in a plan estimated, 0 if not known
    struct { // its parts between two barriers: in how many rows at a time they are done
        const char *name;
        uint64_t rows, tile, runs;
    } spans[TESS_STAGE_SPANS];
    uint32_t span_count;
};

// What this context did so far, a report for each stage, valid until the next call; and
// the most device memory that was in use at a time. Both may be NULL.
TESS_API void tess_context_stages(const struct tess_context *ctx,
                                  const struct tess_stage_report **stages, size_t *count,
                                  uint64_t *peak_bytes);

// What tess_decode() would do, in bytes and FLOP, without running it; works in plan_only
// contexts. *stages is one array for tess_free(). TESS_ERR_BUDGET names the smallest
// budget that works.
TESS_API enum tess_status tess_plan(struct tess_stage_report **stages, size_t *count,
                                    struct tess_context *ctx, struct tess_model *model,
                                    const struct tess_latent *latent,
                                    const struct tess_decode_params *params);

// What tess_generate() and tess_decode() after it would do for `pictures` pictures and
// the voxels of `latent`: as tess_plan(). Representations 0: as for tess_decode().
TESS_API enum tess_status tess_plan_generate(struct tess_stage_report **stages,
                                             size_t *count, struct tess_context *ctx,
                                             struct tess_model *model,
                                             const struct tess_latent *latent,
                                             size_t pictures,
                                             const struct tess_generate_params *params);

// A plan's stages, or with NULL what this context did so far, as a JSON object with
// device and budget, described in docs/design.md. Free *json with tess_free().
TESS_API enum tess_status tess_report_json(char **json, struct tess_context *ctx,
                                           const struct tess_stage_report *stages,
                                           size_t count);

struct tess_check {
    const char *file;   // "slat_dec_gs"
    const char *tensor; // "xyz"
    const char *shape;  // "[23040,3]"
    const char *note;   // "" or what there is to say, e.g. why the file could not be used
    double error, bound; // relative error ‖out - ref‖ / ‖ref‖, or what the note says
    bool pass;
};
typedef void tess_check_fn(void *user, const struct tess_check *check);

// Run every file of DIR/io against DIR/model on the context's device and report each
// tensor. Files that are unknown or unreadable are reported as failed checks.
// TESS_ERR_MISMATCH if any check failed, TESS_ERR_FILE if there is nothing to check at
// all.
TESS_API enum tess_status tess_verify(struct tess_context *ctx, const char *directory,
                                      tess_check_fn *report, void *user);

// ---------------------------------------------------------------------------------------------
// Benchmarks
// ---------------------------------------------------------------------------------------------

// What a device can do at best, measured, and what other rates are held against.
enum tess_bench_roof {
    TESS_ROOF_NONE = 0,
    TESS_ROOF_FMA,       // fused multiply-adds in fp32, 2 FLOP each
    TESS_ROOF_BANDWIDTH, // bytes read and written
};

enum tess_bench_form {
    TESS_BENCH_LONG = 0, // the sizes of the published networks
    TESS_BENCH_SHORT,    // smaller where that saves time
    TESS_BENCH_TINY,     // tells whether it works; the rates mean nothing
};

// One operator at one size.
struct tess_bench_rate {
    char name[40]; // "matrix product"
    char size[80]; // "4096 x 1024 x 1024, fp16 weights"
    char unit[16]; // of `work`: "FLOP", "B", "splats", ...
    char note[80]; // "", or why there are no times
    enum tess_bench_roof roof;
    bool on_host;       // the times are of calls, host included, not of kernels
    uint64_t rows;      // as measured: fewer than wished where the budget is small
    double work;        // of one run, in units
    double flop, bytes; // of one run: 2 for a multiply-add; read and written. 0: unknown
    double seconds;     // of one run, the median of `samples`; 0: was not measured
    double least_seconds;   // the fastest sample
    double elapsed_seconds; // the median of the host's clock
    double rate;            // units per second
    double share;           // of the roof; 0: no roof
    uint32_t samples;
};

#define TESS_BENCH_ROOFS  8
#define TESS_BENCH_RATES  24
#define TESS_BENCH_STAGES 24

struct tess_bench_stage {
    char name[40]; // "structure flow"
    double seconds, kernel_seconds, flop;
    uint64_t peak_bytes;
};

// What one asset takes, from a picture to a mesh and splats; then what clean-up and a
// texture take, of a mesh and splats that are drawn by formula, in as many voxels.
struct tess_bench_asset {
    char model[80]; // the last part of its directory; "": no asset was measured
    uint64_t voxels;
    uint32_t structure_steps, latent_steps;
    double seconds; // up to the decoded asset, plans and host included
    uint64_t peak_bytes;
    struct tess_bench_stage stages[TESS_BENCH_STAGES];
    size_t stage_count;
};

// What tess_bench_run() measured, or what a file of it says.
struct tess_bench_result {
    char generator[40]; // "Tessella 0.1.0"
    enum tess_bench_form form;
    struct tess_device_info device; // of a file: what is written there
    // tess_tuning_name(), tess_precision_name(), tess_context_matrix_unit(); of an older
    // file "".
    char tuning[16], precision[16], matrix_unit[16];
    uint64_t budget_bytes, max_buffer_bytes;
    char host_cpu[80], host_system[80]; // "" if not known
    uint32_t host_cpus;
    double bandwidth, fma; // the roofs: bytes and FLOP per second, of the fastest sample
    struct tess_bench_rate roofs[TESS_BENCH_ROOFS]; // they are the best of these
    size_t roof_count;
    struct tess_bench_rate rates[TESS_BENCH_RATES];
    size_t rate_count;
    struct tess_bench_asset asset;
    uint64_t peak_bytes; // most device memory in use
};

struct tess_bench;

struct tess_bench_params {
    enum tess_bench_form form;
    uint32_t samples; // of each operator, at most 32; 0: by the form
    // Not NULL: also make an asset with this model, tess_model_synthesise()'s will do.
    struct tess_model *model;
    size_t voxels; // of its shell; 0: as objects have, 10240 at a resolution of 64
    uint32_t structure_steps, latent_steps; // 0: as pipeline.json says
};

// Measure operators by the times of their kernels, one after the other, `samples` times
// in turns, and take medians. Where the budget is too small for an operator its rows are
// halved until it fits.
TESS_API enum tess_status tess_bench_run(struct tess_bench **out,
                                         struct tess_context *ctx,
                                         const struct tess_bench_params *params);
TESS_API void tess_bench_destroy(struct tess_bench **bench);

// Valid until `bench` is destroyed.
TESS_API const struct tess_bench_result *
tess_bench_result(const struct tess_bench *bench);

struct tess_tune_params {
    enum tess_bench_form form;
    uint32_t samples; // of each shape, at most 32; 0: 3
};

// Search the shapes of kernels that are fastest on the context's device: sizes of tiles
// and groups, operator by operator. They are stored in the cache directory, for this
// device and driver, where later contexts find them, and this one uses them from now on.
// Results do not depend on them. *table becomes the file's text, described in
// docs/bench.md; free it with tess_free(). TESS_ERR_WRITE if it cannot be stored; where
// there is no cache directory it is not.
TESS_API enum tess_status tess_tune(char **table, struct tess_context *ctx,
                                    const struct tess_tune_params *params);

// As a JSON object, described in docs/bench.md. Free *json with tess_free().
TESS_API enum tess_status tess_bench_json(char **json, struct tess_context *ctx,
                                          const struct tess_bench *bench);

// Read such a file. TESS_ERR_FILE names file and field.
TESS_API enum tess_status tess_bench_open(struct tess_bench **out,
                                          struct tess_context *ctx, const char *path);

// One result, or 2 to 8 beside one another, as text; operators of other sizes are other
// rows. Free *text with tess_free().
TESS_API enum tess_status tess_bench_table(char **text, struct tess_context *ctx,
                                           const struct tess_bench *const *benches,
                                           size_t count);

// 1 to 8 results as a picture: bars for each operator against each device's own roof.
TESS_API enum tess_status tess_bench_picture(struct tess_image **out,
                                             struct tess_context *ctx,
                                             const struct tess_bench *const *benches,
                                             size_t count);

#ifdef __cplusplus
}
#endif

#endif
