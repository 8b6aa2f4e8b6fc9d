// PyTorch checkpoints: files made here byte by byte read back, alone and behind
// tess_checkpoint, and every kind of damage is refused by name. Long because zip, pickle
// and tensors each have their table of damages.
#include "io_tmp.h"

#include "io/checkpoint.h"
#include "io/pickle.h"
#include "io/pth.h"
#include "io/safetensors.h"
#include "io/zip.h"

// ---------------------------------------------------------------------------------------
// Making files
// ---------------------------------------------------------------------------------------

struct bytes {
    uint8_t data[1 << 15];
    size_t used;
};

static void put(struct bytes *out, const void *data, size_t bytes)
{
    assert_true(out->used + bytes <= sizeof out->data);
    if (bytes)
        memcpy(out->data + out->used, data, bytes);
    out->used += bytes;
}

static void put_number(struct bytes *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(out, &(uint8_t){(uint8_t)(i < 8 ? number >> 8 * i : 0)}, 1);
}

// A string of the source, zeros inside it included.
#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static void put_text(struct bytes *out, const char *text)
{
    put(out, text, strlen(text));
}

// A zip file under way: entries go to `out` at once, their records to `directory`.
struct zip {
    struct bytes out, directory;
    size_t count;
    bool wide;     // sizes and offsets in zip64 fields
    int method;    // of the next entries
    int flags;     // of the next entries
    size_t packed; // not 0: what the next entries' packed size is said to be
};

static void zip_add(struct zip *zip, const char *name, const void *data, size_t bytes)
{
    size_t at = zip->out.used, length = strlen(name);
    size_t packed = zip->packed ? zip->packed : bytes;
    size_t padding = 64 - (at + 30 + length + 4) % 64; // as torch aligns data
    put_number(&zip->out, 0x04034b50, 4);
    put_number(&zip->out, 0, 2);
    put_number(&zip->out, (unsigned)zip->flags, 2);
    put_number(&zip->out, (unsigned)zip->method, 2);
    put_number(&zip->out, 0, 8); // time, date, CRC
    put_number(&zip->out, packed, 4);
    put_number(&zip->out, bytes, 4);
    put_number(&zip->out, length, 2);
    put_number(&zip->out, 4 + padding, 2);
    put_text(&zip->out, name);
    put(&zip->out, "FB", 2);
    put_number(&zip->out, padding, 2);
    for (size_t i = 0; i < padding; i++)
        put_text(&zip->out, "Z");
    assert_int_equal(zip->out.used % 64, 0);
    put(&zip->out, data, bytes);

    struct bytes *directory = &zip->directory;
    put_number(directory, 0x02014b50, 4);
    put_number(directory, 0, 4);
    put_number(directory, (unsigned)zip->flags, 2);
    put_number(directory, (unsigned)zip->method, 2);
    put_number(directory, 0, 8);
    put_number(directory, zip->wide ? UINT32_MAX : packed, 4);
    put_number(directory, zip->wide ? UINT32_MAX : bytes, 4);
    put_number(directory, length, 2);
    put_number(directory, zip->wide ? 5 + 28 : 0, 2);
    put_number(directory, 0, 10); // comment, part, attributes
    put_number(directory, zip->wide ? UINT32_MAX : at, 4);
    put_text(directory, name);
    if (zip->wide) {
        PUT(directory, "XX\1\0x"); // an extra field to skip
        put_number(directory, 1, 2);
        put_number(directory, 24, 2);
        put_number(directory, bytes, 8);
        put_number(directory, packed, 8);
        put_number(directory, at, 8);
    }
    zip->count++;
}

static void zip_end(struct zip *zip)
{
    uint64_t at = zip->out.used, bytes = zip->directory.used;
    put(&zip->out, zip->directory.data, zip->directory.used);
    if (zip->wide) {
        size_t end64 = zip->out.used;
        put_number(&zip->out, 0x06064b50, 4);
        put_number(&zip->out, 44, 8);
        put_number(&zip->out, 0, 12); // versions, parts
        put_number(&zip->out, zip->count, 8);
        put_number(&zip->out, zip->count, 8);
        put_number(&zip->out, bytes, 8);
        put_number(&zip->out, at, 8);
        put_number(&zip->out, 0x07064b50, 4);
        put_number(&zip->out, 0, 4);
        put_number(&zip->out, end64, 8);
        put_number(&zip->out, 1, 4);
    }
    put_number(&zip->out, 0x06054b50, 4);
    put_number(&zip->out, 0, 4);
    put_number(&zip->out, zip->wide ? UINT16_MAX : zip->count, 2);
    put_number(&zip->out, zip->wide ? UINT16_MAX : zip->count, 2);
    put_number(&zip->out, zip->wide ? UINT32_MAX : bytes, 4);
    put_number(&zip->out, zip->wide ? UINT32_MAX : at, 4);
    put_number(&zip->out, 0, 2);
}

static struct zip *zip_begin(void)
{
    struct zip *zip = calloc(1, sizeof *zip);
    assert_non_null(zip);
    return zip;
}

static const char *zip_write(struct tmp *tmp, struct zip *zip, const char *name)
{
    zip_end(zip);
    const char *path = tmp_write(tmp, name, zip->out.data, zip->out.used);
    free(zip);
    return path;
}

// A tensor as torch.save() pickles it.
struct tensor {
    const char *name, *type, *key;
    uint64_t elements; // of the storage
    uint64_t offset;
    int dims;
    uint32_t shape[10], strides[10];
    bool parameter;
};

static void put_unicode(struct bytes *out, const char *text)
{
    put_text(out, "X");
    put_number(out, strlen(text), 4);
    put_text(out, text);
}

static void put_integer(struct bytes *out, uint64_t value)
{
    if (value < 256) {
        put_text(out, "K");
        put_number(out, value, 1);
    } else if (value < 65536) {
        put_text(out, "M");
        put_number(out, value, 2);
    } else if (value <= INT32_MAX) {
        put_text(out, "J");
        put_number(out, value, 4);
    } else {
        PUT(out, "\x8a\x08");
        put_number(out, value, 8);
    }
}

static void put_sizes(struct bytes *out, const uint32_t *sizes, int dims)
{
    put_text(out, "(");
    for (int i = 0; i < dims; i++)
        put_integer(out, sizes[i]);
    put_text(out, "t");
}

static void put_tensor(struct bytes *out, const struct tensor *tensor)
{
    put_unicode(out, tensor->name);
    if (tensor->parameter)
        PUT(out, "ctorch._utils\n_rebuild_parameter\n");
    PUT(out, "ctorch._utils\n_rebuild_tensor_v2\nq\5((");
    put_unicode(out, "storage");
    PUT(out, "ctorch\n");
    put_text(out, tensor->type);
    put_text(out, "\n");
    put_unicode(out, tensor->key);
    put_unicode(out, "cpu");
    put_integer(out, tensor->elements);
    put_text(out, "tQ");
    put_integer(out, tensor->offset);
    put_sizes(out, tensor->shape, tensor->dims);
    put_sizes(out, tensor->strides, tensor->dims);
    PUT(out, "\x89" // False, then OrderedDict()
             "ccollections\nOrderedDict\n)RtR");
    if (tensor->parameter)
        put_text(out, "\x88" // True, then OrderedDict()
                      "ccollections\nOrderedDict\n)R\x87R");
}

static const float WIDE[6] = {1, -2, 0.5f, 3e38f, 1e-45f, 0};
static const uint16_t HALF[2] = {0x3c00, 0xc000};
static const int64_t COUNTS[3] = {1, -1, (int64_t)1 << 40};

static const struct tensor TENSORS[] = {
    {"a.weight", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}, false},
    {"b", "HalfStorage", "1", 2, 0, 1, {2}, {1}, true},
    {"part", "FloatStorage", "0", 6, 4, 3, {2, 1, 1}, {1, 7, 9}, false},
    {"counts", "LongStorage", "2", 3, 0, 1, {3}, {1}, false},
    {"scalar", "FloatStorage", "0", 6, 3, 0, {0}, {0}, false},
    {"empty", "ByteStorage", "3", 0, 0, 2, {0, 4}, {4, 1}, false},
};

enum { TENSOR_COUNT = sizeof TENSORS / sizeof *TENSORS };

static void put_sample_pickle(struct bytes *out, const char *wrapper)
{
    PUT(out, "\x80\2");
    if (wrapper) {
        PUT(out, "}q\0(");
        put_unicode(out, "epoch");
        PUT(out, "K\3");
        put_unicode(out, "rate");
        PUT(out, "G\x3f\xb9\x99\x99\x99\x99\x99\x9a");
        put_unicode(out, wrapper);
    }
    put_text(out, "ccollections\nOrderedDict\nq\1)Rq\2(");
    for (int i = 0; i < TENSOR_COUNT; i++)
        put_tensor(out, &TENSORS[i]);
    PUT(out, "u}"); // and attributes, which are dropped
    put_unicode(out, "_metadata");
    PUT(out, "h\1)R(");
    put_unicode(out, "");
    PUT(out, "}");
    put_unicode(out, "version");
    PUT(out, "K\1sus");
    put_unicode(out, "list");
    PUT(out, "]Nas");
    put_text(out, wrapper ? "bu." : "b.");
}

static void zip_add_storages(struct zip *zip)
{
    zip_add(zip, "name/byteorder", "little", 6);
    zip_add(zip, "name/data/0", WIDE, sizeof WIDE);
    zip_add(zip, "name/data/1", HALF, sizeof HALF);
    zip_add(zip, "name/data/2", COUNTS, sizeof COUNTS);
    zip_add(zip, "name/data/3", "", 0);
    zip_add(zip, "name/version", "3\n", 2);
}

static const char *write_pickle(struct tmp *tmp, const char *name, const void *pickle,
                                size_t bytes)
{
    struct zip *zip = zip_begin();
    zip_add(zip, "name/data.pkl", pickle, bytes);
    zip_add_storages(zip);
    return zip_write(tmp, zip, name);
}

static const char *write_sample(struct tmp *tmp, const char *name, const char *wrapper,
                                bool wide)
{
    struct bytes *pickle = calloc(1, sizeof *pickle);
    assert_non_null(pickle);
    put_sample_pickle(pickle, wrapper);
    struct zip *zip = zip_begin();
    zip->wide = wide;
    zip_add(zip, "name/data.pkl", pickle->data, pickle->used);
    zip_add_storages(zip);
    free(pickle);
    return zip_write(tmp, zip, name);
}

// ---------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_pth *file = NULL;
    enum tess_status status = tess_pth_open(&file, env, path);
    unsigned sum = 0; // touch all data
    for (size_t i = 0; file && i < tess_pth_count(file); i++) {
        const struct tess_file_tensor *tensor = tess_pth_at(file, i);
        for (size_t j = 0; j < tensor->bytes; j++)
            sum += ((const uint8_t *)tensor->data)[j];
    }
    assert_true(sum < UINT32_MAX);
    assert_true((status == TESS_OK) == (file != NULL));
    tess_pth_close(&file);
    assert_null(file);
    return status;
}

static void check_sample(struct tmp *tmp, const char *path)
{
    struct tess_pth *file = NULL;
    enum tess_status status = tess_pth_open(&file, &tmp->env, path);
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
    assert_string_equal(tess_pth_path(file), path);
    assert_int_equal(tess_pth_count(file), TENSOR_COUNT);
    for (size_t i = 0; i < TENSOR_COUNT; i++) {
        assert_string_equal(tess_pth_at(file, i)->name, TENSORS[i].name);
        assert_ptr_equal(tess_pth_find(file, TENSORS[i].name), tess_pth_at(file, i));
    }
    assert_null(tess_pth_find(file, "other"));
    const struct tess_file_tensor *tensor = tess_pth_find(file, "a.weight");
    assert_int_equal(tensor->dtype, TESS_F32);
    assert_int_equal(tensor->dims, 2);
    assert_int_equal(tensor->shape[0], 2);
    assert_int_equal(tensor->shape[1], 3);
    assert_int_equal(tensor->elements, 6);
    assert_int_equal(tensor->bytes, 24);
    assert_int_equal((uintptr_t)tensor->data % 64, 0);
    assert_memory_equal(tensor->data, WIDE, 24);
    const struct tess_file_tensor *part = tess_pth_find(file, "part");
    assert_int_equal(part->dims, 3);
    assert_int_equal(part->elements, 2);
    assert_ptr_equal(part->data, (const uint8_t *)tensor->data + 16);
    float values[2];
    tess_file_tensor_floats(values, tess_pth_find(file, "b"));
    assert_true(values[0] == 1 && values[1] == -2);
    tess_file_tensor_floats(values, tess_pth_find(file, "scalar"));
    assert_true(values[0] == 3e38f);
    assert_int_equal(tess_pth_find(file, "counts")->dtype, TESS_I64);
    assert_memory_equal(tess_pth_find(file, "counts")->data, COUNTS, sizeof COUNTS);
    assert_int_equal(tess_pth_find(file, "empty")->elements, 0);
    tess_pth_close(&file);
}

static void test_read(void **state)
{
    struct tmp *tmp = *state;
    check_sample(tmp, write_sample(tmp, "a.pth", NULL, false));
    check_sample(tmp, write_sample(tmp, "b.pth", "model", false));
    check_sample(tmp, write_sample(tmp, "c.pth", "state_dict", true));
    check_sample(tmp, write_sample(tmp, "d.pth", NULL, true));
    tmp_expect(tmp, read_any(&tmp->env, write_sample(tmp, "e.pth", "weights", false)),
               TESS_ERR_FILE, "e.pth: epoch is an integer, expected a tensor", NULL);
    assert_int_equal(read_any(&tmp->env, write_pickle(tmp, "f.pth", "\x80\2}.", 4)),
                     TESS_OK);
}

// The forms of protocol 4, and all dtypes.
static void test_protocol_4(void **state)
{
    static const struct {
        const char *type;
        enum tess_dtype dtype;
    } types[] = {
        {"FloatStorage", TESS_F32},     {"HalfStorage", TESS_F16},
        {"BFloat16Storage", TESS_BF16}, {"DoubleStorage", TESS_F64},
        {"LongStorage", TESS_I64},      {"IntStorage", TESS_I32},
        {"ShortStorage", TESS_I16},     {"CharStorage", TESS_I8},
        {"ByteStorage", TESS_U8},       {"BoolStorage", TESS_BOOL},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct bytes *pickle = calloc(1, sizeof *pickle);
        assert_non_null(pickle);
        // Memo 4 is _rebuild_tensor_v2, 12 the tuple that is both size and stride.
        PUT(pickle, "\x80\4\x95\4\0\0\0\0\0\0\0}\x94(\x8c\1x\x94"
                    "\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93\x94"
                    "((\x8c\7storage\x94\x8c\5torch\x94\x8c");
        put_number(pickle, strlen(types[i].type), 1);
        put_text(pickle, types[i].type);
        PUT(pickle, "\x94\x93\x94\x8c\1"
                    "2\x94\x8c\6"
                    "cuda:0\x94K\2t\x94QK\1"
                    "K\1\x85\x94h\x0c\x89}\x94t\x94R\x94u.");
        struct tess_pth *file = NULL;
        enum tess_status status = tess_pth_open(
            &file, &tmp->env, write_pickle(tmp, "x.pth", pickle->data, pickle->used));
        if (status)
            print_error("%s: %s\n", types[i].type, tmp->env.message);
        assert_int_equal(status, TESS_OK);
        const struct tess_file_tensor *tensor = tess_pth_find(file, "x");
        assert_int_equal(tensor->dtype, types[i].dtype);
        assert_int_equal(tensor->bytes, tess_dtype_size(types[i].dtype));
        assert_memory_equal(tensor->data,
                            (const uint8_t *)COUNTS + tess_dtype_size(types[i].dtype),
                            tensor->bytes);
        tess_pth_close(&file);
        free(pickle);
    }
}

static void test_bad_tensors(void **state)
{
    static const struct {
        struct tensor tensor;
        const char *text;
    } cases[] = {
        {{"x", "FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}, false},
         "tensor x: expected contiguous data"},
        {{"x", "FloatStorage", "0", 6, 0, 1, {3}, {2}, false}, "expected contiguous"},
        {{"x", "FloatStorage", "0", 6, 0, 2, {2, 3}, {0, 1}, false},
         "expected contiguous"},
        {{"x", "FloatStorage", "0", 6, 1, 1, {6}, {1}, false},
         "tensor x: 6 elements at 1 leave its storage of 6"},
        {{"x", "FloatStorage", "0", 6, 7, 1, {0}, {1}, false},
         "tensor x: 0 elements at 7 leave its storage of 6"},
        {{"x", "FloatStorage", "0", 6, INT64_MAX, 1, {2}, {1}, true},
         "tensor x: 2 elements at 9223372036854775807 leave"},
        {{"x", "FloatStorage", "0", 6, (uint64_t)1 << 63, 1, {2}, {1}, false},
         "tensor x: expected an offset"},
        {{"x", "FloatStorage", "0", 7, 0, 1, {1}, {1}, false},
         "tensor x: its storage, entry name/data/0, has 24 bytes, expected 7 elements of "
         "4"},
        {{"x", "FloatStorage", "0", (uint64_t)1 << 62, 0, 1, {1}, {1}, false},
         "has 24 bytes, expected 4611686018427387904 elements of 4"},
        {{"x", "FloatStorage", "9", 6, 0, 1, {1}, {1}, false},
         "tensor x: its storage, entry name/data/9, is missing"},
        {{"x", "FloatStorage", "../0", 6, 0, 1, {1}, {1}, false},
         "entry name/data/../0, is missing"},
        {{"x", "FloatStorage", "", 6, 0, 1, {1}, {1}, false},
         "tensor x: expected a storage with a short name"},
        {{"x",
          "FloatStorage",
          "0123456789012345678901234567890123456789012345678901234567890123456789",
          6,
          0,
          1,
          {1},
          {1},
          false},
         "tensor x: expected a storage with a short name"},
        {{"x", "FloatStorage", "0", 6, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1}, false},
         "a stride of at most 8 dimensions"},
        {{"x", "FloatStorage", "0", 6, 0, 3, {1u << 31, 1u << 31, 1u << 31}, {1}, false},
         "tensor x has more elements than can be counted"},
        {{"x", "FloatStorage", "0", 6, 0, 2, {1u << 31, 1u << 31}, {1u << 31, 1}, false},
         "tensor x has more elements than can be counted"},
        {{"", "FloatStorage", "0", 6, 0, 1, {1}, {1}, false}, "the name of tensor 0"},
        {{"\x1b[m", "FloatStorage", "0", 6, 0, 1, {1}, {1}, false},
         "the name of tensor 0 is no text, empty, or has control"},
        {{"x", "UntypedStorage", "0", 6, 0, 1, {1}, {1}, false},
         "torch.UntypedStorage is none of the names"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes *pickle = calloc(1, sizeof *pickle);
        assert_non_null(pickle);
        PUT(pickle, "\x80\2}(");
        put_tensor(pickle, &cases[i].tensor);
        put_text(pickle, "u.");
        tmp_expect(
            tmp,
            read_any(&tmp->env, write_pickle(tmp, "bad.pth", pickle->data, pickle->used)),
            TESS_ERR_FILE, "bad.pth: ", cases[i].text, NULL);
        free(pickle);
    }
    // The same name twice.
    struct bytes *pickle = calloc(1, sizeof *pickle);
    assert_non_null(pickle);
    PUT(pickle, "\x80\2}(");
    put_tensor(pickle, &TENSORS[0]);
    put_tensor(pickle, &TENSORS[0]);
    put_text(pickle, "u.");
    tmp_expect(
        tmp,
        read_any(&tmp->env, write_pickle(tmp, "bad.pth", pickle->data, pickle->used)),
        TESS_ERR_FILE, "bad.pth: tensor a.weight is there twice", NULL);
    free(pickle);
}

#define BYTES(text) (text), sizeof(text) - 1
#define REBUILD     "ctorch._utils\n_rebuild_tensor_v2\n"
#define PARAMETER   "ctorch._utils\n_rebuild_parameter\n"
#define FLOATS      "ctorch\nFloatStorage\n"
#define DICT        "ccollections\nOrderedDict\n"
#define X           "X\1\0\0\0x"
#define STORAGE     "X\7\0\0\0storage"
#define KEY                                                                              \
    "X\1\0\0\0"                                                                          \
    "0"

static void test_bad_pickles(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *text;
    } cases[] = {
        {BYTES(""), "expected a pickle of protocol 2 to 5 in 0 bytes"},
        {BYTES("}."), "expected a pickle of protocol 2 to 5"},
        {BYTES("\x80\1}."), "expected a pickle of protocol 2 to 5"},
        {BYTES("\x80\6}."), "expected a pickle of protocol 2 to 5"},
        {BYTES("\x80\2"), "no STOP in 2 bytes"},
        {BYTES("\x80\2}"), "no STOP in 3 bytes"},
        {BYTES("\x80\2}.."), "byte 3: opcode 0x2e (STOP): expected the end"},
        {BYTES("\x80\2."), "byte 2: opcode 0x2e (STOP): expected one value"},
        {BYTES("\x80\2}}."), "(STOP): expected one value"},
        {BYTES("\x80\2(}."), "(STOP): expected one value"},
        {BYTES("\x80\2]."), "name/data.pkl is a list, expected a dict of tensors"},
        {BYTES("\x80\2K\1."), "is an integer, expected a dict"},
        {BYTES("\x80\2\x80\2}."), "byte 2: opcode 0x80 (PROTO): not one that"},
        {BYTES("\x80\2\xff"), "byte 2: opcode 0xff (unknown): not one that"},
        // What a hostile file would use.
        {BYTES("\x80\2cos\nsystem\nX\2\0\0\0id\x85R."),
         "byte 2: os.system is none of the names that a dict of tensors needs; nothing "
         "was run"},
        {BYTES("\x80\2cbuiltins\neval\n."), "byte 2: builtins.eval is none"},
        {BYTES("\x80\4\x8c\2os\x8c\6system\x93."), "byte 14: os.system is none"},
        {BYTES("\x80\2ccollections\nOrderedDic\n."), "collections.OrderedDic is none"},
        {BYTES("\x80\2ctorch\nFloatStorage\x1b\n."), "torch.FloatStorage? is none"},
        {BYTES("\x80\2(cos\nsystem\no."), "os.system is none"},
        {BYTES("\x80\2(ios\nsystem\n."), "opcode 0x69 (INST): not one that"},
        {BYTES("\x80\2(o."), "opcode 0x6f (OBJ): not one that"},
        {BYTES("\x80\2)\x81."), "opcode 0x81 (NEWOBJ): not one that"},
        {BYTES("\x80\2\x82\1."), "opcode 0x82 (EXT1): not one that"},
        {BYTES("\x80\2I1\n."), "opcode 0x49 (INT): not one that"},
        {BYTES("\x80\2"
               "B\0\0\0\0."),
         "opcode 0x42 (BINBYTES): not one that"},
        {BYTES("\x80\2}0."), "opcode 0x30 (POP): not one that"},
        {BYTES("\x80\2cos"), "(GLOBAL): the pickle is cut off"},
        {BYTES("\x80\2cos\nsystem"), "(GLOBAL): the pickle is cut off"},
        // Cut off, and counts that are not there.
        {BYTES("\x80\2X\2\0"), "(BINUNICODE): the pickle is cut off"},
        {BYTES("\x80\2X\xff\xff\xff\xff"
               "a."),
         "(BINUNICODE): the pickle is cut off"},
        {BYTES("\x80\4\x8c\3a."), "(SHORT_BINUNICODE): the pickle is cut off"},
        {BYTES("\x80\2J\0\0."), "(BININT): the pickle is cut off"},
        {BYTES("\x80\2G\0\0."), "(BINFLOAT): the pickle is cut off"},
        {BYTES("\x80\2\x8a\x09\1\1\1\1\1\1\1\1\1."), "an integer of more than 64 bits"},
        {BYTES("\x80\2\x8a\4\1."), "(LONG1): the pickle is cut off"},
        {BYTES("\x80\4\x95\xff\0\0\0\0\0\0\0}."), "(FRAME): the pickle is cut off"},
        // The stack.
        {BYTES("\x80\2t."), "(TUPLE): no mark"},
        {BYTES("\x80\2u."), "(SETITEMS): no mark"},
        {BYTES("\x80\2(u."), "(SETITEMS): too few values"},
        {BYTES("\x80\2}(s."), "(SETITEM): too few values"},
        {BYTES("\x80\2]a."), "(APPEND): too few values"},
        {BYTES("\x80\2}Na."), "(APPEND): not for a list"},
        {BYTES("\x80\2](NNu."), "(SETITEMS): not for a dict"},
        {BYTES("\x80\2}(Nu."), "(SETITEMS): a key without a value"},
        {BYTES("\x80\2N\x86."), "(TUPLE2): too few values"},
        {BYTES("\x80\2q\0."), "(BINPUT): too few values"},
        {BYTES("\x80\4\x94."), "(MEMOIZE): too few values"},
        {BYTES("\x80\2h\0."), "(BINGET): a memo that was not set"},
        {BYTES("\x80\2}q\5h\4."), "(BINGET): a memo that was not set"},
        {BYTES("\x80\2j\xff\xff\xff\xff."), "(LONG_BINGET): a memo that was not set"},
        {BYTES("\x80\2}r\xff\xff\xff\xff."), "(LONG_BINPUT): more memos than"},
        {BYTES("\x80\2R."), "(REDUCE): too few values"},
        {BYTES("\x80\2NN\x93."), "(STACK_GLOBAL): expected a module and a name"},
        {BYTES("\x80\2N\x93."), "(STACK_GLOBAL): too few values"},
        {BYTES("\x80\2N)R."), "(REDUCE): expected OrderedDict or"},
        {BYTES("\x80\2" DICT "NR."), "(REDUCE): expected OrderedDict or"},
        {BYTES("\x80\2" FLOATS ")R."), "(REDUCE): expected OrderedDict or"},
        {BYTES("\x80\2" DICT "]\x85R."), "an OrderedDict with arguments"},
        {BYTES("\x80\2NQ."), "(BINPERSID): expected a tuple"},
        {BYTES("\x80\2Q."), "(BINPERSID): too few values"},
        {BYTES("\x80\2}Nb."), "(BUILD): expected attributes"},
        {BYTES("\x80\2]}b."), "(BUILD): expected attributes"},
        {BYTES("\x80\2}b."), "(BUILD): too few values"},
        // Values that are none of tensors.
        {BYTES("\x80\2}" X "Ns."), "x is None, expected a tensor"},
        {BYTES("\x80\2}" X "\x88s."), "x is a truth value, expected a tensor"},
        {BYTES("\x80\2}" X "G\0\0\0\0\0\0\0\0s."), "x is a number, expected a tensor"},
        {BYTES("\x80\2}" X X "s."), "x is text, expected a tensor"},
        {BYTES("\x80\2}" X "}s."), "x is a dict, expected a tensor"},
        {BYTES("\x80\2}" X FLOATS "s."), "x is a name, expected a tensor"},
        {BYTES("\x80\2}" X ")Qs."), "x is a storage, expected a tensor"},
        {BYTES("\x80\2}q\0" X "h\0s."), "x is a dict, expected a tensor"}, // itself
        {BYTES("\x80\2}NNs."), "the name of tensor 0"},
        {BYTES("\x80\2}X\2\0\0\0a\0Ns."), "the name of tensor 0"},
        {BYTES("\x80\2}" X REBUILD ")Rs."), "tensor x: expected a tensor of 6 or 7"},
        {BYTES("\x80\2}" X PARAMETER ")Rs."), "tensor x: expected a parameter of 3"},
        {BYTES("\x80\2}" X PARAMETER PARAMETER "NNN\x87RNN\x87Rs."),
         "x is a call, expected a tensor"},
        {BYTES("\x80\2}" X REBUILD "(NK\0))NNtRs."), "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "()QK\0))NNtRs."), "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "((" X FLOATS KEY KEY "K\6tQK\0))NNtRs."),
         "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE DICT KEY KEY "K\6tQK\0))NNtRs."),
         "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS "NNK\6tQK\0))NNtRs."),
         "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY "NtQK\0))NNtRs."),
         "tensor x: expected a storage"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY "K\6tQN))NNtRs."),
         "tensor x: expected an offset"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY "K\6tQK\0N)NNtRs."),
         "tensor x: expected an offset"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY
               "K\6tQK\0J\xff\xff\xff\xff\x85K\1\x85NNtRs."),
         "tensor x: expected an offset"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY
               "K\6tQK\0\x8a\1\xff\x85K\1\x85NNtRs."),
         "tensor x: expected an offset"},
        {BYTES("\x80\2}" X REBUILD "((" STORAGE FLOATS KEY KEY "K\6tQK\0K\1\x85)NNtRs."),
         "tensor x: expected an offset"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status = read_any(
            &tmp->env, write_pickle(tmp, "bad.pth", cases[i].bytes, cases[i].count));
        if (status != TESS_ERR_FILE)
            print_error("case %zu, %s\n", i, cases[i].text);
        tmp_expect(tmp, status, TESS_ERR_FILE, "bad.pth: ", cases[i].text, NULL);
    }
}

// Depth, the stack and the number of values are bounded.
static void test_bounds(void **state)
{
    struct tmp *tmp = *state;
    struct tess_pickle pickle = {0};
    const size_t bytes = (size_t)9 << 20;
    uint8_t *data = malloc(bytes);
    assert_non_null(data);
    memcpy(data, "\x80\2", 2);
    memset(data + 2, '(', bytes - 2);
    tmp_expect(tmp, tess_pickle_parse(&pickle, &tmp->env, "p", data, bytes),
               TESS_ERR_FILE, "p at byte 258: opcode 0x28 (MARK): nested deeper", NULL);
    tess_pickle_clear(&pickle);
    memset(data + 2, 'N', bytes - 2);
    tmp_expect(tmp, tess_pickle_parse(&pickle, &tmp->env, "p", data, bytes),
               TESS_ERR_FILE, "(NONE): more values on the stack", NULL);
    tess_pickle_clear(&pickle);
    data[2] = ']';
    for (size_t i = 3; i + 1 < bytes; i += 2)
        memcpy(data + i, "Na", 2);
    tmp_expect(tmp, tess_pickle_parse(&pickle, &tmp->env, "p", data, bytes),
               TESS_ERR_FILE, "(NONE): more values than", NULL);
    tess_pickle_clear(&pickle);
    memcpy(data, "\x80\2]q\0(", 6); // one list, into itself again and again
    for (size_t i = 6; i + 1 < bytes; i += 2)
        memcpy(data + i, i % 2000 == 0 ? "e(" : "h\0", 2);
    tmp_expect(tmp, tess_pickle_parse(&pickle, &tmp->env, "p", data, bytes),
               TESS_ERR_FILE, "(APPENDS): more items than", NULL);
    tess_pickle_clear(&pickle);
    free(data);
}

// Change the bytes `from` of the last place where they occur into `to`.
static const char *write_patched(struct tmp *tmp, bool wide, const void *from,
                                 const void *to, size_t bytes)
{
    size_t size;
    write_sample(tmp, "good.pth", NULL, wide);
    uint8_t *data = tmp_read(tmp, "good.pth", &size);
    size_t at = size - bytes;
    while (at > 0 && memcmp(data + at, from, bytes) != 0)
        at--;
    assert_true(at > 0);
    memcpy(data + at, to, bytes);
    const char *path = tmp_write(tmp, "bad.pth", data, size);
    free(data);
    return path;
}

static void test_bad_entries(void **state)
{
    static const struct {
        const char *name;
        int method, flags;
        size_t packed;
        const char *text;
    } cases[] = {
        {"name/data.pkl", 8, 0, 3, "entry name/data.pkl is compressed (method 8, 3 of"},
        {"name/data.pkl", 0, 1, 0, "entry name/data.pkl is encrypted"},
        {"name/data/1", 8, 0, 0, "entry name/data/1 is compressed (method 8"},
        {"name/data/1", 0, 0, 9, "entry name/data/1 is compressed (method 0, 9 of 4"},
        {"name/data/1", 0, 1, 0, "entry name/data/1 is encrypted, expected plain"},
        {"name/byteorder", 8, 0, 0, "entry name/byteorder is compressed"},
    };
    struct tmp *tmp = *state;
    struct bytes *pickle = calloc(1, sizeof *pickle);
    assert_non_null(pickle);
    put_sample_pickle(pickle, NULL);
    static const char *const names[] = {"name/data.pkl", "name/byteorder", "name/data/0",
                                        "name/data/1",   "name/data/2",    "name/data/3"};
    const void *const data[] = {pickle->data, "little", WIDE, HALF, COUNTS, ""};
    const size_t sizes[] = {pickle->used, 6, sizeof WIDE, sizeof HALF, sizeof COUNTS, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zip *zip = zip_begin();
        for (int j = 0; j < 6; j++) {
            bool bad = strcmp(names[j], cases[i].name) == 0;
            zip->method = bad ? cases[i].method : 0;
            zip->flags = bad ? cases[i].flags : 0;
            zip->packed = bad ? cases[i].packed : 0;
            zip_add(zip, names[j], data[j], sizes[j]);
        }
        tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")),
                   TESS_ERR_FILE, "bad.pth: ", cases[i].text, NULL);
    }
    // Entries that are missing or too many.
    struct zip *zip = zip_begin();
    zip_add_storages(zip);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "bad.pth: a zip file without an entry NAME/data.pkl", NULL);
    zip = zip_begin();
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "without an entry NAME/data.pkl", NULL);
    zip = zip_begin();
    zip_add(zip, "a/data.pkl", "\x80\2}.", 4);
    zip_add(zip, "b/data.pkl", "\x80\2}.", 4);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "entries a/data.pkl and b/data.pkl, expected one", NULL);
    zip = zip_begin();
    zip_add(zip, "a/data.pkl", "\x80\2}.", 4);
    zip_add(zip, "a/data.pkl", "\x80\2}.", 4);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "entry a/data.pkl is there twice", NULL);
    zip = zip_begin();
    zip_add(zip, "a/data.pkl", "\x80\2}.", 4);
    zip_add(zip, "a/b/data.pkl", "?", 1);
    zip_add(zip, "/data.pkl", "?", 1);
    assert_int_equal(read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_OK);
    zip = zip_begin();
    zip_add(zip, "a/data.pkl", pickle->data, pickle->used);
    zip_add(zip, "a/byteorder", "big", 3);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "entry a/byteorder is not \"little\", expected little-endian", NULL);
    zip = zip_begin();
    zip_add(zip, "a\n/data.pkl", "\x80\2}.", 4);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "the name of entry 0 in the zip directory is empty or has control", NULL);
    char name[1200];
    memset(name, 'n', sizeof name);
    memcpy(name + 1100, "/data.pkl", 10);
    zip = zip_begin();
    zip_add(zip, name, "\x80\2}.", 4);
    tmp_expect(tmp, read_any(&tmp->env, zip_write(tmp, zip, "bad.pth")), TESS_ERR_FILE,
               "expected a shorter name", NULL);
    free(pickle);
}

static void test_bad_zips(void **state)
{
    // The last occurrence of `from` in the sample becomes `to`.
    static const struct {
        bool wide;
        const char *from, *to;
        size_t bytes;
        const char *text;
    } cases[] = {
        {false, "PK\5\6", "PK\5\7", 4, "no end record of a zip file"},
        {false, "PK\5\6\0\0", "PK\5\6\1\0", 6, "a part of a zip file"},
        {false, "\7\0\7\0", "\7\0\6\0", 4, "a part of a zip file"},
        {false, "\7\0\7\0", "\6\0\6\0", 4, "after the last of 6 entries in the zip"},
        {false, "\7\0\7\0", "\x08\0\x08\0", 4, "entry 7 of 8 in the zip directory"},
        {false, "\7\0\7\0", "\xff\0\xff\0", 4, "a directory of 255 entries in"},
        {false, "PK\1\2", "PK\1\3", 4, "entry 6 of 7 in the zip directory is damaged"},
        {false, "name/version", "name\tversion", 12, "the name of entry 6"},
        {false, "name/data/2", "name/data/4", 11,
         "tensor counts: its storage, entry name/data/2, is missing"},
        {true, "PK\6\7", "PK\6\x08", 4, "a directory of 65535 entries"},
        {true, "PK\6\6", "PK\6\x08", 4, "no zip64 end record at byte"},
        {true, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0", "\1\0\0\0\xff\xff\xff\xff\0\0", 10,
         "the two end records differ"},
        {true, "\1\0\x18\0", "\2\0\x18\0", 4,
         "entry name/version: no zip64 sizes, which its record calls for"},
        {true, "\1\0\x18\0", "\1\0\x10\0", 4, "entry name/version: no zip64 sizes"},
        {true, "\1\0\x18\0", "\1\0\x19\0", 4, "entry name/version: no zip64 sizes"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status =
            read_any(&tmp->env, write_patched(tmp, cases[i].wide, cases[i].from,
                                              cases[i].to, cases[i].bytes));
        if (status != TESS_ERR_FILE)
            print_error("case %zu, %s\n", i, cases[i].text);
        tmp_expect(tmp, status, TESS_ERR_FILE, "bad.pth: ", cases[i].text, NULL);
    }
    // Fields of the first record of the directory: data.pkl's.
    static const struct {
        size_t field;
        uint32_t value;
        const char *text;
    } fields[] = {
        {42, 1, "entry name/data.pkl: no entry at byte 1, where"},
        {42, 0xfffffffe, "entry name/data.pkl: no entry at byte 4294967294"},
        {42, 0, NULL},
        {28, 0xffff, "entry 0 of 7 in the zip directory is damaged"},
    };
    size_t size;
    write_sample(tmp, "good.pth", NULL, false);
    uint8_t *data = tmp_read(tmp, "good.pth", &size);
    size_t record = 0;
    while (memcmp(data + record, "PK\1\2", 4) != 0)
        record++;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint8_t old[4];
        memcpy(old, data + record + fields[i].field, 4);
        memcpy(data + record + fields[i].field, &fields[i].value, 4);
        enum tess_status status =
            read_any(&tmp->env, tmp_write(tmp, "bad.pth", data, size));
        if (fields[i].text)
            tmp_expect(tmp, status, TESS_ERR_FILE, fields[i].text, NULL);
        else
            assert_int_equal(status, TESS_OK);
        memcpy(data + record + fields[i].field, old, 4);
    }
    // Both sizes at once; then the name in the entry itself.
    memset(data + record + 20, 0x7f, 8);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.pth", data, size)),
               TESS_ERR_FILE, "entry name/data.pkl has 2139062143 bytes, ", NULL);
    free(data);
    write_sample(tmp, "good.pth", NULL, false);
    data = tmp_read(tmp, "good.pth", &size);
    data[30] = 'N';
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.pth", data, size)),
               TESS_ERR_FILE, "entry name/data.pkl has another name at byte 0", NULL);
    free(data);
    // A comment at the end is none of our business.
    write_sample(tmp, "good.pth", NULL, false);
    data = tmp_read(tmp, "good.pth", &size);
    data = realloc(data, size + 5);
    assert_non_null(data);
    data[size - 2] = 5;
    memcpy(data + size, "hello", 5);
    assert_int_equal(read_any(&tmp->env, tmp_write(tmp, "bad.pth", data, size + 5)),
                     TESS_OK);
    free(data);
    // Other files.
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "x", "", 0)), TESS_ERR_FILE,
               "/x: no end record of a zip file in 0 bytes", NULL);
    tmp_expect(
        tmp,
        read_any(&tmp->env,
                 tmp_write(tmp, "x", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15)),
        TESS_ERR_FILE, "/x: PyTorch's file format from before 1.6", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent")), TESS_ERR_FILE, "absent",
               "No such file", NULL);
}

static enum tess_status read_checkpoint(struct tess_env *env, const char *path)
{
    struct tess_checkpoint *file = NULL;
    enum tess_status status = tess_checkpoint_open(&file, env, path);
    assert_true((status == TESS_OK) == (file != NULL));
    tess_checkpoint_close(&file);
    assert_null(file);
    tess_checkpoint_close(&file);
    return status;
}

// The names of files do not matter.
static void test_checkpoint(void **state)
{
    struct tmp *tmp = *state;
    const size_t any[2] = {0, 3}, other[2] = {4, 0};
    const struct tess_file_tensor *tensor = NULL, sample[] = {{.name = "a.weight",
                                                               .dtype = TESS_F32,
                                                               .dims = 2,
                                                               .shape = {2, 3},
                                                               .data = WIDE}};
    write_sample(tmp, "one.safetensors", NULL, false);
    assert_int_equal(
        tess_safetensors_write(&tmp->env, tmp_path(tmp, "two.pth"), sample, 1, NULL, 0),
        TESS_OK);
    for (int i = 0; i < 2; i++) {
        struct tess_checkpoint *file = NULL;
        const char *path = tmp_path(tmp, i ? "two.pth" : "one.safetensors");
        assert_int_equal(tess_checkpoint_open(&file, &tmp->env, path), TESS_OK);
        assert_string_equal(tess_checkpoint_path(file), path);
        assert_int_equal(tess_checkpoint_count(file), i ? 1 : TENSOR_COUNT);
        tensor = NULL;
        assert_int_equal(tess_checkpoint_require(&tensor, file, &tmp->env, "a.weight",
                                                 1u << TESS_F32, 2, any),
                         TESS_OK);
        assert_ptr_equal(tensor, tess_checkpoint_find(file, "a.weight"));
        assert_ptr_equal(tensor, tess_checkpoint_at(file, 0));
        assert_memory_equal(tensor->data, WIDE, sizeof WIDE);
        tmp_expect(tmp,
                   tess_checkpoint_require(&tensor, file, &tmp->env, "a.weight",
                                           1u << TESS_F32 | 1u << TESS_F16, 2, other),
                   TESS_ERR_FILE, path,
                   ": tensor a.weight is F32 [2,3], expected F32 or F16 [4,*]", NULL);
        tmp_expect(tmp,
                   tess_checkpoint_require(&tensor, file, &tmp->env, "c", 1u << TESS_F16,
                                           1, any),
                   TESS_ERR_FILE, ": tensor c is missing, expected F16 [*]", NULL);
        tess_checkpoint_close(&file);
        assert_null(file);
    }
    tmp_expect(tmp, read_checkpoint(&tmp->env, tmp_write(tmp, "x", "PK\3\4", 4)),
               TESS_ERR_FILE, "/x: no end record of a zip file", NULL);
    tmp_expect(tmp, read_checkpoint(&tmp->env, tmp_write(tmp, "x", "", 0)), TESS_ERR_FILE,
               "/x: 0 bytes, expected a safetensors file", NULL);
    tmp_expect(tmp, read_checkpoint(&tmp->env, tmp_path(tmp, "absent")), TESS_ERR_FILE,
               "absent", NULL);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    write_sample(tmp, "good.pth", "model", false);
    tmp_damage(tmp, "good.pth", read_any, 1, 3000);
    write_sample(tmp, "wide.pth", NULL, true);
    tmp_damage(tmp, "wide.pth", read_any, 5, 1000);
    tmp_damage(tmp, "wide.pth", read_checkpoint, 16, 500);
}

// The pickle alone, cut and changed, so that no padding dilutes the changes.
static void test_damaged_pickle(void **state)
{
    struct tmp *tmp = *state;
    struct bytes *pickle = calloc(1, sizeof *pickle);
    assert_non_null(pickle);
    put_sample_pickle(pickle, "model");
    for (size_t i = 0; i < pickle->used; i++)
        tmp_expect(tmp,
                   read_any(&tmp->env, write_pickle(tmp, "bad.pth", pickle->data, i)),
                   TESS_ERR_FILE, "bad.pth: ", NULL);
    for (int i = 0; i < 2000; i++) {
        size_t at = 2 + tmp_random(tmp) % (pickle->used - 2);
        uint8_t old = pickle->data[at];
        pickle->data[at] = (uint8_t)tmp_random(tmp);
        enum tess_status status =
            read_any(&tmp->env, write_pickle(tmp, "bad.pth", pickle->data, pickle->used));
        assert_true(status == TESS_OK || status == TESS_ERR_FILE);
        pickle->data[at] = old;
    }
    free(pickle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),        cmocka_unit_test(test_protocol_4),
        cmocka_unit_test(test_bad_tensors), cmocka_unit_test(test_bad_pickles),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_bad_zips),    cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_damaged_pickle),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
