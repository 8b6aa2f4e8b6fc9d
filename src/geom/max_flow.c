// Dinic's algorithm (1970): shortest augmenting paths, a whole level graph at a time.
// Arcs at the two terminals are arcs like others, to nodes N and N + 1.
#include "geom/max_flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define UNREACHED UINT32_MAX

struct graph {
    size_t nodes, arcs; // with the terminals; directed arcs, arc a ^ 1 runs the other way
    uint32_t source, target;
    uint32_t *starts;                // [nodes + 1], into `order`
    uint32_t *order;                 // [arcs]: by the node that they leave
    uint32_t *heads;                 // [arcs]
    int64_t *rest;                   // [arcs]
    uint32_t *levels, *queue, *next; // [nodes]
    uint32_t *path;                  // [nodes]: arcs
};

static void clear_graph(struct graph *g)
{
    free(g->starts);
    free(g->order);
    free(g->heads);
    free(g->rest);
    free(g->levels);
    free(g->queue);
    free(g->next);
    free(g->path);
}

static void add_arc(struct graph *g, uint32_t from, uint32_t to, int64_t there,
                    int64_t back)
{
    assert(there >= 0 && back >= 0);
    g->heads[g->arcs] = to;
    g->rest[g->arcs++] = there;
    g->heads[g->arcs] = from;
    g->rest[g->arcs++] = back;
}

static void sort_arcs(struct graph *g)
{
    for (size_t a = 0; a < g->arcs; a++)
        g->starts[g->heads[a ^ 1] + 1]++;
    for (size_t v = 0; v < g->nodes; v++)
        g->starts[v + 1] += g->starts[v];
    memcpy(g->next, g->starts, g->nodes * sizeof *g->next);
    for (size_t a = 0; a < g->arcs; a++)
        g->order[g->next[g->heads[a ^ 1]]++] = (uint32_t)a;
}

static enum tess_status take_memory(struct graph *g, struct tess_env *env, size_t arcs)
{
    static const char what[] = "a minimum cut";
    TESS_TRY(tess_alloc(&g->starts, env, g->nodes + 1, sizeof *g->starts, what));
    TESS_TRY(tess_alloc(&g->order, env, arcs, sizeof *g->order, what));
    TESS_TRY(tess_alloc(&g->heads, env, arcs, sizeof *g->heads, what));
    TESS_TRY(tess_alloc(&g->rest, env, arcs, sizeof *g->rest, what));
    TESS_TRY(tess_alloc(&g->levels, env, g->nodes, sizeof *g->levels, what));
    TESS_TRY(tess_alloc(&g->queue, env, g->nodes, sizeof *g->queue, what));
    TESS_TRY(tess_alloc(&g->next, env, g->nodes, sizeof *g->next, what));
    return tess_alloc(&g->path, env, g->nodes, sizeof *g->path, what);
}

// Breadth first from the source. Returns whether the target is reached.
static bool set_levels(struct graph *g)
{
    size_t read = 0, written = 0;
    memset(g->levels, 0xff, g->nodes * sizeof *g->levels);
    g->levels[g->source] = 0;
    g->queue[written++] = g->source;
    while (read < written) {
        uint32_t node = g->queue[read++];
        for (uint32_t i = g->starts[node]; i < g->starts[node + 1]; i++) {
            uint32_t arc = g->order[i], to = g->heads[arc];
            if (g->rest[arc] > 0 && g->levels[to] == UNREACHED) {
                g->levels[to] = g->levels[node] + 1;
                g->queue[written++] = to;
            }
        }
    }
    return g->levels[g->target] != UNREACHED;
}

// Push what the narrowest arc of the path takes. Returns how many arcs of the path are
// left before the first that is full.
static size_t push_path(struct graph *g, size_t length, int64_t *flow)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < length; i++)
        least = g->rest[g->path[i]] < least ? g->rest[g->path[i]] : least;
    *flow += least;
    size_t left = length;
    for (size_t i = length; i-- > 0;) {
        g->rest[g->path[i]] -= least;
        g->rest[g->path[i] ^ 1] += least;
        if (g->rest[g->path[i]] == 0)
            left = i;
    }
    return left;
}

// All paths of the level graph, depth first; arcs that lead nowhere are not tried again.
static void push_levels(struct graph *g, int64_t *flow)
{
    memcpy(g->next, g->starts, g->nodes * sizeof *g->next);
    size_t length = 0;
    for (;;) {
        uint32_t node = length ? g->heads[g->path[length - 1]] : g->source;
        if (node == g->target) {
            length = push_path(g, length, flow);
            continue;
        }
        uint32_t *i = &g->next[node];
        while (*i < g->starts[node + 1] &&
               (g->rest[g->order[*i]] <= 0 ||
                g->levels[g->heads[g->order[*i]]] != g->levels[node] + 1))
            ++*i;
        if (*i < g->starts[node + 1]) {
            g->path[length++] = g->order[*i];
        } else {
            if (length == 0)
                return;
            length--;
            g->next[g->heads[g->path[length] ^ 1]]++;
        }
    }
}

enum tess_status tess_max_flow(bool *at_source, int64_t *flow, struct tess_env *env,
                               size_t nodes, const int64_t *from_source,
                               const int64_t *to_target, const struct tess_flow_arc *arcs,
                               size_t arc_count)
{
    assert(nodes < UINT32_MAX / 8 && arc_count < UINT32_MAX / 8);
    struct graph g = {
        .nodes = nodes + 2, .source = (uint32_t)nodes, .target = (uint32_t)nodes + 1};
    int64_t sum = 0;
    enum tess_status status = take_memory(&g, env, 2 * (arc_count + 2 * nodes));
    if (!status) {
        for (uint32_t v = 0; v < nodes; v++) {
            if (from_source[v])
                add_arc(&g, g.source, v, from_source[v], 0);
            if (to_target[v])
                add_arc(&g, v, g.target, to_target[v], 0);
        }
        for (size_t a = 0; a < arc_count; a++)
            add_arc(&g, arcs[a].nodes[0], arcs[a].nodes[1], arcs[a].capacity,
                    arcs[a].capacity);
        sort_arcs(&g);
    }
    while (!status && set_levels(&g)) {
        push_levels(&g, &sum);
        status = tess_env_check(env);
    }
    for (size_t v = 0; v < nodes && !status; v++)
        at_source[v] = g.levels[v] != UNREACHED;
    if (!status && flow)
        *flow = sum;
    clear_graph(&g);
    return status;
}
