"""PyTorch checkpoints without PyTorch: Python's own pickle module, with classes that go by
PyTorch's names, and a zip file laid out as torch.save() does it."""
import collections
import io
import pickle
import struct
import sys
import types
import zipfile

STORAGES = {"F32": ("FloatStorage", 4), "F16": ("HalfStorage", 2), "BF16": ("BFloat16Storage", 2),
            "F64": ("DoubleStorage", 8), "I32": ("IntStorage", 4), "I64": ("LongStorage", 8)}


def torch_modules():
    """Modules that pickle finds by the names it writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name, _ in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*arguments):
        return arguments

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


class Storage:
    def __init__(self, dtype, key, data):
        self.dtype, self.key, self.data = dtype, key, data


class Tensor:
    def __init__(self, storage, offset, shape):
        self.storage, self.offset, self.shape = storage, offset, shape

    def __reduce__(self):
        stride, strides = 1, []
        for size in reversed(self.shape):
            strides.insert(0, stride)
            stride *= size
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (
            self.storage, self.offset, tuple(self.shape), tuple(strides), False,
            collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        name, size = STORAGES[value.dtype]
        return ("storage", getattr(sys.modules["torch"], name), value.key, "cpu",
                len(value.data) // size)


def write_pth(path, tensors, wrapper=None, protocol=2, shared=False):
    """A checkpoint of tensors as material.read_tensors() has them; `wrapper` puts them into a
    dict under this key, `shared` all of a dtype into one storage."""
    storages, content = {}, collections.OrderedDict()
    for name, (dtype, shape, data) in tensors.items():
        key = dtype if shared else name
        storage = storages.setdefault(key, Storage(dtype, str(len(storages)), b""))
        content[name] = Tensor(storage, len(storage.data) // STORAGES[dtype][1], shape)
        storage.data += data
    content = {wrapper: content, "epoch": 3} if wrapper else content
    saved = {name: sys.modules.get(name) for name in torch_modules()}
    sys.modules.update(torch_modules())
    try:
        text = io.BytesIO()
        Pickler(text, protocol).dump(content)
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    entries = {"data.pkl": text.getvalue(), "byteorder": b"little"}
    entries.update({f"data/{storage.key}": storage.data for storage in storages.values()})
    entries["version"] = b"3\n"
    write_zip(path, entries)
    return path


def write_zip(path, entries, prefix="archive", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in entries.items():
            info = zipfile.ZipInfo(f"{prefix}/{name}")
            info.compress_type = method
            at = file.fp.tell() + 30 + len(info.filename)
            padding = 64 - (at + 4) % 64  # data starts at a multiple of 64 bytes
            info.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            file.writestr(info, data)
    return path


def read_zip(path):
    """{entry: bytes} as write_zip() takes them."""
    with zipfile.ZipFile(path) as file:
        return {info.filename.split("/", 1)[1]: file.read(info) for info in file.infolist()}
