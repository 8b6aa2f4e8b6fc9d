// Tensors of a network.
#include "model/collector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static enum tess_status keep_name(struct tess_collector *collector, const char *name)
{
    TESS_TRY(tess_grow(&collector->names, &collector->capacity, collector->env,
                       collector->found + 1, sizeof *collector->names, "tensor names"));
    TESS_TRY(tess_strdup(&collector->names[collector->found], collector->env, name));
    collector->found++;
    return TESS_OK;
}

enum tess_status tess_collect(const struct tess_file_tensor **out,
                              struct tess_collector *collector, const char *name,
                              unsigned dtypes, int dims, const size_t *shape)
{
    char full[160];
    snprintf(full, sizeof full, "%s%s", collector->prefix, name);
    if (collector->rename)
        collector->rename(full, sizeof full);
    TESS_TRY(tess_checkpoint_require(out, collector->file, collector->env, full, dtypes,
                                     dims, shape));
    collector->parameters += (*out)->elements;
    collector->bytes += (*out)->bytes;
    return keep_name(collector, full);
}

void tess_collector_add(struct tess_collector *collector,
                        const struct tess_file_tensor *tensor,
                        enum tess_weight_layout layout, uint32_t outputs, uint32_t inputs)
{
    struct tess_weight_block *block = collector->block;
    assert(block->count < TESS_BLOCK_WEIGHTS);
    block->items[block->count++] = (struct tess_weight_source){
        .data = tensor->data,
        .dtype = tensor->dtype,
        .layout = layout,
        .outputs = outputs,
        .inputs = inputs,
    };
}

enum tess_status tess_collect_vector(struct tess_collector *collector, const char *name,
                                     uint32_t count, int dims, const size_t *shape)
{
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_collect(&tensor, collector, name, TESS_COLLECT_FLOATS, dims, shape));
    tess_collector_add(collector, tensor, TESS_WEIGHT_VECTOR, count, 1);
    return TESS_OK;
}

enum tess_status tess_collect_layer(struct tess_collector *collector, const char *name,
                                    enum tess_weight_layout layout, uint32_t outputs,
                                    uint32_t inputs, int dims, const size_t *declared)
{
    const struct tess_file_tensor *tensor;
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    TESS_TRY(
        tess_collect(&tensor, collector, full, TESS_COLLECT_MATRICES, dims, declared));
    tess_collector_add(collector, tensor, layout, outputs, inputs);
    snprintf(full, sizeof full, "%s.bias", name);
    return tess_collect_vector(collector, full, outputs, 1, (const size_t[]){outputs});
}

enum tess_status tess_collect_linear(struct tess_collector *collector, const char *name,
                                     uint32_t outputs, uint32_t inputs)
{
    return tess_collect_layer(collector, name, TESS_WEIGHT_MATRIX, outputs, inputs, 2,
                              (const size_t[]){outputs, inputs});
}

enum tess_status tess_collect_conv(struct tess_collector *collector, const char *name,
                                   enum tess_weight_layout layout, uint32_t outputs,
                                   uint32_t inputs)
{
    size_t side = layout == TESS_WEIGHT_TRANSPOSED ? 1 : 3;
    return tess_collect_layer(collector, name, layout, outputs, inputs, 5,
                              (const size_t[]){outputs, side, side, side, inputs});
}

enum tess_status tess_collect_norm(struct tess_collector *collector, const char *name,
                                   uint32_t channels)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    TESS_TRY(
        tess_collect_vector(collector, full, channels, 1, (const size_t[]){channels}));
    snprintf(full, sizeof full, "%s.bias", name);
    return tess_collect_vector(collector, full, channels, 1, (const size_t[]){channels});
}

enum tess_status tess_collect_values(float **out, struct tess_collector *collector,
                                     const char *name, int dims, const size_t *shape)
{
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_collect(&tensor, collector, name, TESS_COLLECT_FLOATS, dims, shape));
    TESS_TRY(tess_alloc(out, collector->env, tensor->elements, sizeof(float), name));
    tess_file_tensor_floats(*out, tensor);
    return TESS_OK;
}

enum tess_status tess_collector_refuse_surplus(const struct tess_collector *collector)
{
    for (size_t i = 0; i < tess_checkpoint_count(collector->file); i++) {
        const char *name = tess_checkpoint_at(collector->file, i)->name;
        bool known = false;
        for (size_t k = 0; k < collector->found && !known; k++)
            known = strcmp(collector->names[k], name) == 0;
        if (!known)
            return tess_fail(collector->env, TESS_ERR_FILE,
                             "%s: tensor %s is not one that this network has: is it "
                             "another network's file?",
                             tess_checkpoint_path(collector->file), name);
    }
    return TESS_OK;
}

void tess_collector_clear(struct tess_collector *collector)
{
    for (size_t i = 0; i < collector->found; i++)
        free(collector->names[i]);
    free(collector->names);
    collector->names = NULL;
    collector->found = collector->capacity = 0;
}
