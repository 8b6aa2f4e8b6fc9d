// Pickles of state dicts. A pickle is a program for a stack machine; this one has the
// opcodes that Python's pickler writes for dicts of tensors and no others. Python's
// pickletools documents them all.
//
// Every opcode makes at most one value, so memory is bounded by the pickle's bytes, and
// by the limits below where those are many.
#include "io/pickle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    VALUES_MAX = 1 << 22, // a tensor needs about 30
    STACK_MAX = 1 << 20,  // Python sends 1000 items of a dict at once
    MEMO_MAX = 1 << 22,
    MARKS_MAX = 256,
    NAME_MAX_BYTES = 100, // of a module's or a global's name
};

enum opcode {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_EMPTY_DICT = '}',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_EMPTY_TUPLE = ')',
    OP_TUPLE = 't',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
};

// Names for messages; those that are refused, too.
static const struct {
    uint8_t code;
    char name[18];
} OPCODES[] = {
    {OP_MARK, "MARK"},
    {OP_STOP, "STOP"},
    {OP_BINPERSID, "BINPERSID"},
    {OP_REDUCE, "REDUCE"},
    {OP_BUILD, "BUILD"},
    {OP_GLOBAL, "GLOBAL"},
    {OP_BINFLOAT, "BINFLOAT"},
    {OP_BININT, "BININT"},
    {OP_BININT1, "BININT1"},
    {OP_BININT2, "BININT2"},
    {OP_NONE, "NONE"},
    {OP_BINUNICODE, "BINUNICODE"},
    {OP_EMPTY_LIST, "EMPTY_LIST"},
    {OP_APPEND, "APPEND"},
    {OP_APPENDS, "APPENDS"},
    {OP_EMPTY_DICT, "EMPTY_DICT"},
    {OP_SETITEM, "SETITEM"},
    {OP_SETITEMS, "SETITEMS"},
    {OP_EMPTY_TUPLE, "EMPTY_TUPLE"},
    {OP_TUPLE, "TUPLE"},
    {OP_BINGET, "BINGET"},
    {OP_LONG_BINGET, "LONG_BINGET"},
    {OP_BINPUT, "BINPUT"},
    {OP_LONG_BINPUT, "LONG_BINPUT"},
    {OP_PROTO, "PROTO"},
    {OP_TUPLE1, "TUPLE1"},
    {OP_TUPLE2, "TUPLE2"},
    {OP_TUPLE3, "TUPLE3"},
    {OP_NEWTRUE, "NEWTRUE"},
    {OP_NEWFALSE, "NEWFALSE"},
    {OP_LONG1, "LONG1"},
    {OP_SHORT_BINUNICODE, "SHORT_BINUNICODE"},
    {OP_STACK_GLOBAL, "STACK_GLOBAL"},
    {OP_MEMOIZE, "MEMOIZE"},
    {OP_FRAME, "FRAME"},
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'F', "FLOAT"},
    {'I', "INT"},
    {'L', "LONG"},
    {'P', "PERSID"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'V', "UNICODE"},
    {'d', "DICT"},
    {'l', "LIST"},
    {'g', "GET"},
    {'p', "PUT"},
    {'i', "INST"},
    {'o', "OBJ"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8b, "LONG4"},
    {0x8d, "BINUNICODE8"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

static const struct {
    const char *module, *name;
    uint32_t global;
} GLOBALS[] = {
    {"collections", "OrderedDict", TESS_PICKLE_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor_v2", TESS_PICKLE_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_parameter", TESS_PICKLE_REBUILD_PARAMETER},
    {"torch", "FloatStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_F32},
    {"torch", "HalfStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_F16},
    {"torch", "BFloat16Storage", TESS_PICKLE_STORAGE + (uint32_t)TESS_BF16},
    {"torch", "DoubleStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_F64},
    {"torch", "LongStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_I64},
    {"torch", "IntStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_I32},
    {"torch", "ShortStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_I16},
    {"torch", "CharStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_I8},
    {"torch", "ByteStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_U8},
    {"torch", "BoolStorage", TESS_PICKLE_STORAGE + (uint32_t)TESS_BOOL},
};

struct machine {
    struct tess_env *env;
    const char *name;
    const uint8_t *data;
    size_t bytes, at;
    size_t op_at; // of the opcode under way
    struct tess_pickle *pickle;
    uint32_t *stack;
    size_t used, stack_capacity;
    uint32_t *memo; // value + 1; 0: not set
    size_t memo_count, memo_set, memo_capacity;
    size_t marks[MARKS_MAX]; // heights of the stack
    size_t mark_count;
    bool stopped;
};

static const char *opcode_name(uint8_t code)
{
    for (size_t i = 0; i < sizeof OPCODES / sizeof *OPCODES; i++) {
        if (OPCODES[i].code == code)
            return OPCODES[i].name;
    }
    return "unknown";
}

static enum tess_status fail_op(const struct machine *machine, const char *reason)
{
    uint8_t code = machine->data[machine->op_at];
    return tess_fail(machine->env, TESS_ERR_FILE,
                     "%s at byte %zu: opcode 0x%02x (%s): %s", machine->name,
                     machine->op_at, code, opcode_name(code), reason);
}

// ---------------------------------------------------------------------------------------
// The stack
// ---------------------------------------------------------------------------------------

static enum tess_status take(const uint8_t **out, struct machine *machine, size_t bytes)
{
    if (bytes > machine->bytes - machine->at)
        return fail_op(machine, "the pickle is cut off");
    *out = machine->data + machine->at;
    machine->at += bytes;
    return TESS_OK;
}

// A little-endian number of 1 to 8 bytes.
static enum tess_status take_number(uint64_t *out, struct machine *machine, size_t bytes)
{
    const uint8_t *p = NULL;
    TESS_TRY(take(&p, machine, bytes));
    *out = 0;
    for (size_t i = bytes; i-- > 0;)
        *out = *out << 8 | p[i];
    return TESS_OK;
}

static enum tess_status push_index(struct machine *machine, uint32_t index)
{
    if (machine->used >= STACK_MAX)
        return fail_op(machine, "more values on the stack than a state dict needs");
    TESS_TRY(tess_grow(&machine->stack, &machine->stack_capacity, machine->env,
                       machine->used + 1, sizeof *machine->stack, "a pickle's stack"));
    machine->stack[machine->used++] = index;
    return TESS_OK;
}

static enum tess_status push(struct machine *machine, struct tess_pickle_value value)
{
    struct tess_pickle *pickle = machine->pickle;
    if (pickle->value_count >= VALUES_MAX)
        return fail_op(machine, "more values than a state dict needs");
    TESS_TRY(tess_grow(&pickle->values, &pickle->value_capacity, machine->env,
                       pickle->value_count + 1, sizeof value, "a pickle's values"));
    pickle->values[pickle->value_count] = value;
    return push_index(machine, (uint32_t)pickle->value_count++);
}

static enum tess_status push_integer(struct machine *machine, enum tess_pickle_kind kind,
                                     int64_t integer)
{
    return push(machine, (struct tess_pickle_value){.kind = kind, .integer = integer});
}

static enum tess_status push_empty(struct machine *machine, enum tess_pickle_kind kind)
{
    return push(machine, (struct tess_pickle_value){.kind = kind,
                                                    .first = TESS_PICKLE_END,
                                                    .last = TESS_PICKLE_END});
}

// Values above the last mark only.
static size_t available(const struct machine *machine)
{
    return machine->used -
           (machine->mark_count ? machine->marks[machine->mark_count - 1] : 0);
}

static enum tess_status need(const struct machine *machine, size_t count)
{
    return available(machine) >= count ? TESS_OK
                                       : fail_op(machine, "too few values on the stack");
}

static struct tess_pickle_value *value_at(const struct machine *machine,
                                          size_t stack_index)
{
    return &machine->pickle->values[machine->stack[stack_index]];
}

static enum tess_status add_cell(struct machine *machine, uint32_t owner, uint32_t key,
                                 uint32_t value)
{
    struct tess_pickle *pickle = machine->pickle;
    // Each cell takes a value from the stack, which memo gets can repeat for a byte or
    // two.
    if (pickle->cell_count >= VALUES_MAX)
        return fail_op(machine, "more items than a state dict needs");
    TESS_TRY(tess_grow(&pickle->cells, &pickle->cell_capacity, machine->env,
                       pickle->cell_count + 1, sizeof *pickle->cells,
                       "a pickle's items"));
    uint32_t index = (uint32_t)pickle->cell_count++;
    pickle->cells[index] = (struct tess_pickle_cell){key, value, TESS_PICKLE_END};
    struct tess_pickle_value *self = &pickle->values[owner];
    if (self->count++)
        pickle->cells[self->last].next = index;
    else
        self->first = index;
    self->last = index;
    return TESS_OK;
}

// ---------------------------------------------------------------------------------------
// Opcodes
// ---------------------------------------------------------------------------------------

static enum tess_status push_text(struct machine *machine, size_t length_bytes)
{
    uint64_t length = 0;
    const uint8_t *text = NULL;
    TESS_TRY(take_number(&length, machine, length_bytes)); // 4 bytes at most
    TESS_TRY(take(&text, machine, (size_t)length));
    return push(machine, (struct tess_pickle_value){.kind = TESS_PICKLE_TEXT,
                                                    .count = (uint32_t)length,
                                                    .text = (const char *)text});
}

static enum tess_status push_long(struct machine *machine)
{
    uint64_t bytes = 0, bits = 0;
    TESS_TRY(take_number(&bytes, machine, 1));
    if (bytes > 8)
        return fail_op(machine, "an integer of more than 64 bits");
    TESS_TRY(take_number(&bits, machine, (size_t)bytes));
    if (bytes > 0 && bytes < 8 && bits >> (8 * bytes - 1))
        bits |= UINT64_MAX << 8 * bytes; // negative
    return push_integer(machine, TESS_PICKLE_INTEGER, (int64_t)bits);
}

static enum tess_status push_float(struct machine *machine)
{
    const uint8_t *p = NULL;
    TESS_TRY(take(&p, machine, 8));
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) // big-endian, alone of all numbers
        bits = bits << 8 | p[i];
    struct tess_pickle_value value = {.kind = TESS_PICKLE_NUMBER};
    memcpy(&value.number, &bits, sizeof bits);
    return push(machine, value);
}

// Copy a name from the file so that it can be printed.
static void copy_name(char *out, const char *name, size_t length)
{
    if (length > NAME_MAX_BYTES)
        length = NAME_MAX_BYTES;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(name[i] > 32 && name[i] < 127 ? name[i] : '?');
    out[length] = 0;
}

static enum tess_status push_global(struct machine *machine, const char *module,
                                    size_t module_bytes, const char *name,
                                    size_t name_bytes)
{
    char m[NAME_MAX_BYTES + 1], n[NAME_MAX_BYTES + 1];
    copy_name(m, module, module_bytes);
    copy_name(n, name, name_bytes);
    for (size_t i = 0; i < sizeof GLOBALS / sizeof *GLOBALS; i++) {
        if (strcmp(m, GLOBALS[i].module) == 0 && strcmp(n, GLOBALS[i].name) == 0)
            return push(machine, (struct tess_pickle_value){.kind = TESS_PICKLE_GLOBAL,
                                                            .global = GLOBALS[i].global});
    }
    return tess_fail(machine->env, TESS_ERR_FILE,
                     "%s at byte %zu: %s.%s is none of the names that a dict of tensors "
                     "needs; nothing was run, and this file is not read",
                     machine->name, machine->op_at, m, n);
}

// Two lines of text: module and name.
static enum tess_status read_global(struct machine *machine)
{
    const char *lines[2];
    size_t lengths[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *begin = machine->data + machine->at;
        const uint8_t *end = memchr(begin, '\n', machine->bytes - machine->at);
        if (!end)
            return fail_op(machine, "the pickle is cut off");
        lines[i] = (const char *)begin;
        lengths[i] = (size_t)(end - begin);
        machine->at += lengths[i] + 1;
    }
    return push_global(machine, lines[0], lengths[0], lines[1], lengths[1]);
}

static enum tess_status stack_global(struct machine *machine)
{
    TESS_TRY(need(machine, 2));
    const struct tess_pickle_value *module = value_at(machine, machine->used - 2),
                                   *name = value_at(machine, machine->used - 1);
    if (module->kind != TESS_PICKLE_TEXT || name->kind != TESS_PICKLE_TEXT)
        return fail_op(machine, "expected a module and a name");
    machine->used -= 2;
    return push_global(machine, module->text, module->count, name->text, name->count);
}

// Replace the `count` values on top by a tuple of them.
static enum tess_status make_tuple(struct machine *machine, size_t count)
{
    TESS_TRY(need(machine, count));
    TESS_TRY(push_empty(machine, TESS_PICKLE_TUPLE));
    uint32_t tuple = machine->stack[machine->used - 1];
    size_t first = machine->used - 1 - count;
    for (size_t i = 0; i < count; i++)
        TESS_TRY(add_cell(machine, tuple, 0, machine->stack[first + i]));
    machine->stack[first] = tuple;
    machine->used = first + 1;
    return TESS_OK;
}

static enum tess_status pop_mark(size_t *count, struct machine *machine)
{
    if (machine->mark_count == 0)
        return fail_op(machine, "no mark on the stack");
    *count = available(machine);
    machine->mark_count--;
    return TESS_OK;
}

// Move the `count` values on top into the list or dict below them.
static enum tess_status add_items(struct machine *machine, enum tess_pickle_kind kind,
                                  size_t count)
{
    TESS_TRY(need(machine, count + 1));
    size_t first = machine->used - count;
    uint32_t owner = machine->stack[first - 1];
    bool dict = kind == TESS_PICKLE_DICT;
    if (machine->pickle->values[owner].kind != kind)
        return fail_op(machine, dict ? "not for a dict" : "not for a list");
    if (dict && count % 2)
        return fail_op(machine, "a key without a value");
    for (size_t i = first; i < machine->used; i += dict ? 2 : 1)
        TESS_TRY(add_cell(machine, owner, machine->stack[i],
                          machine->stack[dict ? i + 1 : i]));
    machine->used = first;
    return TESS_OK;
}

// Call the global below the tuple on top; a dict is made, all else is kept as a call.
static enum tess_status reduce(struct machine *machine)
{
    TESS_TRY(need(machine, 2));
    struct tess_pickle_value callee = *value_at(machine, machine->used - 2);
    struct tess_pickle_value call = *value_at(machine, machine->used - 1);
    if (callee.kind != TESS_PICKLE_GLOBAL || call.kind != TESS_PICKLE_TUPLE ||
        callee.global >= TESS_PICKLE_STORAGE)
        return fail_op(machine, "expected OrderedDict or a tensor's rebuilding");
    machine->used -= 2;
    if (callee.global == TESS_PICKLE_ORDERED_DICT) {
        if (call.count)
            return fail_op(machine, "an OrderedDict with arguments, expected none");
        return push_empty(machine, TESS_PICKLE_DICT);
    }
    call.kind = TESS_PICKLE_CALL;
    call.global = callee.global;
    return push(machine, call);
}

static enum tess_status make_persistent(struct machine *machine)
{
    TESS_TRY(need(machine, 1));
    struct tess_pickle_value value = *value_at(machine, machine->used - 1);
    if (value.kind != TESS_PICKLE_TUPLE)
        return fail_op(machine, "expected a tuple that names a storage");
    machine->used--;
    value.kind = TESS_PICKLE_PERSISTENT;
    return push(machine, value);
}

// Attributes of an OrderedDict, such as a state dict's _metadata, are dropped.
static enum tess_status build(struct machine *machine)
{
    TESS_TRY(need(machine, 2));
    if (value_at(machine, machine->used - 2)->kind != TESS_PICKLE_DICT ||
        value_at(machine, machine->used - 1)->kind != TESS_PICKLE_DICT)
        return fail_op(machine, "expected attributes of an OrderedDict");
    machine->used--;
    return TESS_OK;
}

static enum tess_status put(struct machine *machine, uint64_t index)
{
    TESS_TRY(need(machine, 1));
    if (index >= MEMO_MAX)
        return fail_op(machine, "more memos than a state dict needs");
    size_t count = (size_t)index + 1, before = machine->memo_count;
    if (count > before) {
        TESS_TRY(tess_grow(&machine->memo, &machine->memo_capacity, machine->env, count,
                           sizeof *machine->memo, "a pickle's memo"));
        memset(machine->memo + before, 0, (count - before) * sizeof *machine->memo);
        machine->memo_count = count;
    }
    machine->memo_set += machine->memo[index] == 0;
    machine->memo[index] = machine->stack[machine->used - 1] + 1;
    return TESS_OK;
}

static enum tess_status get(struct machine *machine, size_t index_bytes)
{
    uint64_t index = 0;
    TESS_TRY(take_number(&index, machine, index_bytes));
    if (index >= machine->memo_count || machine->memo[index] == 0)
        return fail_op(machine, "a memo that was not set");
    return push_index(machine, machine->memo[index] - 1);
}

static enum tess_status read_frame(struct machine *machine)
{
    uint64_t bytes = 0;
    TESS_TRY(take_number(&bytes, machine, 8));
    if (bytes > machine->bytes - machine->at)
        return fail_op(machine, "the pickle is cut off");
    return TESS_OK;
}

static enum tess_status stop(struct machine *machine)
{
    if (machine->used != 1 || machine->mark_count)
        return fail_op(machine, "expected one value on the stack");
    if (machine->at != machine->bytes)
        return fail_op(machine, "expected the end of the pickle");
    machine->pickle->root = machine->stack[0];
    machine->stopped = true;
    return TESS_OK;
}

// Opcodes that only push a value.
static enum tess_status step_value(struct machine *machine, uint8_t code)
{
    uint64_t number = 0;
    switch (code) {
    case OP_NONE:
        return push_integer(machine, TESS_PICKLE_NONE, 0);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push_integer(machine, TESS_PICKLE_BOOL, code == OP_NEWTRUE);
    case OP_BININT:
        TESS_TRY(take_number(&number, machine, 4));
        return push_integer(machine, TESS_PICKLE_INTEGER, (int32_t)(uint32_t)number);
    case OP_BININT1:
    case OP_BININT2:
        TESS_TRY(take_number(&number, machine, code == OP_BININT1 ? 1 : 2));
        return push_integer(machine, TESS_PICKLE_INTEGER, (int64_t)number);
    case OP_LONG1:
        return push_long(machine);
    case OP_BINFLOAT:
        return push_float(machine);
    case OP_BINUNICODE:
        return push_text(machine, 4);
    case OP_SHORT_BINUNICODE:
        return push_text(machine, 1);
    case OP_EMPTY_DICT:
        return push_empty(machine, TESS_PICKLE_DICT);
    case OP_EMPTY_LIST:
        return push_empty(machine, TESS_PICKLE_LIST);
    case OP_EMPTY_TUPLE:
        return push_empty(machine, TESS_PICKLE_TUPLE);
    case OP_GLOBAL:
        return read_global(machine);
    case OP_BINGET:
        return get(machine, 1);
    case OP_LONG_BINGET:
        return get(machine, 4);
    default:
        return fail_op(machine, "not one that a dict of tensors needs");
    }
}

static enum tess_status step(struct machine *machine)
{
    uint64_t number = 0;
    size_t count = 0;
    machine->op_at = machine->at;
    uint8_t code = machine->data[machine->at++];
    switch (code) {
    case OP_MARK:
        if (machine->mark_count == MARKS_MAX)
            return fail_op(machine, "nested deeper than a state dict is");
        machine->marks[machine->mark_count++] = machine->used;
        return TESS_OK;
    case OP_TUPLE:
        TESS_TRY(pop_mark(&count, machine));
        return make_tuple(machine, count);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return make_tuple(machine, (size_t)(code - OP_TUPLE1) + 1);
    case OP_APPEND:
        return add_items(machine, TESS_PICKLE_LIST, 1);
    case OP_SETITEM:
        return add_items(machine, TESS_PICKLE_DICT, 2);
    case OP_APPENDS:
    case OP_SETITEMS:
        TESS_TRY(pop_mark(&count, machine));
        return add_items(machine,
                         code == OP_APPENDS ? TESS_PICKLE_LIST : TESS_PICKLE_DICT, count);
    case OP_BINPUT:
    case OP_LONG_BINPUT:
        TESS_TRY(take_number(&number, machine, code == OP_BINPUT ? 1 : 4));
        return put(machine, number);
    case OP_MEMOIZE:
        return put(machine, machine->memo_set);
    case OP_STACK_GLOBAL:
        return stack_global(machine);
    case OP_REDUCE:
        return reduce(machine);
    case OP_BUILD:
        return build(machine);
    case OP_BINPERSID:
        return make_persistent(machine);
    case OP_FRAME:
        return read_frame(machine);
    case OP_STOP:
        return stop(machine);
    default:
        return step_value(machine, code);
    }
}

enum tess_status tess_pickle_parse(struct tess_pickle *out, struct tess_env *env,
                                   const char *name, const uint8_t *data, size_t bytes)
{
    *out = (struct tess_pickle){0};
    if (bytes < 2 || data[0] != OP_PROTO || data[1] < 2 || data[1] > 5)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: expected a pickle of protocol 2 to 5 in %zu bytes", name,
                         bytes);
    struct machine machine = {
        .env = env, .name = name, .data = data, .bytes = bytes, .at = 2, .pickle = out};
    enum tess_status status = TESS_OK;
    while (!status && !machine.stopped) {
        if (machine.at == bytes)
            status =
                tess_fail(env, TESS_ERR_FILE,
                          "%s: no STOP in %zu bytes; the pickle is cut off", name, bytes);
        else
            status = step(&machine);
    }
    free(machine.stack);
    free(machine.memo);
    return status;
}

void tess_pickle_clear(struct tess_pickle *pickle)
{
    free(pickle->values);
    free(pickle->cells);
    *pickle = (struct tess_pickle){0};
}

const char *tess_pickle_kind_name(enum tess_pickle_kind kind)
{
    static const char *const names[TESS_PICKLE_KINDS] = {
        "None",   "a truth value", "an integer", "a number", "text",     "a tuple",
        "a list", "a dict",        "a name",     "a call",   "a storage"};
    return names[kind];
}
