"""Pictures as programs hold them: Pillow images, arrays, bytes and open files; and lists of them."""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from cutline.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

PictureObject: TypeAlias = "bytes | bytearray | memoryview | BinaryIO | Image | NDArray[np.uint8]"
"""Encoded bytes, a file that is open for bytes, a Pillow image, or an array HxW or HxWx1, 3 or 4."""

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "HSV"})
_BYTES = (bytes, bytearray, memoryview)
_CHANNELS = (1, 3, 4)


def is_one(source: Any) -> bool:
    """Whether an object is one picture, or is meant as one, and not a list of several."""
    if isinstance(source, (str, os.PathLike, Mapping, *_BYTES)) or _is_file(source) or _is_tensor(source):
        return True
    return _is_image(source) or (_is_array(source) and (source.ndim != 1 or source.dtype.kind in "biufc"))


def encoded(item: Any) -> bytes | None:
    """The encoded bytes of a picture that a program holds; None for anything else, such as a path.

    Raises:
        ConfigError: an array, a tensor or an open file that is no picture; the message names the cure.
        OSError, ValueError, SyntaxError: Pillow or the file cannot read it.
    """
    if isinstance(item, _BYTES):
        return bytes(item)
    if _is_image(item):
        return _encoded_image(item)
    if _is_array(item):
        return _encoded_array(item)
    if _is_tensor(item):
        raise ConfigError(
            f"cannot caption a {type(item).__name__}: give an array HxWx3 of uint8, such as "
            "(255 * tensor).permute(1, 2, 0).byte().cpu().numpy() of one with values of 0 to 1, or a "
            "Pillow image"
        )
    return file_bytes(item) if _is_file(item) else None


def file_bytes(file: Any) -> bytes:
    """What is in an open file, from its beginning where it can go back.

    Raises:
        ConfigError: it is open as text, or is read by ``await``.
        OSError, ValueError: it cannot be read, or is closed.
    """
    if inspect.iscoroutinefunction(file.read):
        raise ConfigError(f"a {type(file).__name__} is read by await: give the bytes of `await file.read()`")
    if not isinstance(file, io.TextIOBase):
        if callable(getattr(file, "seekable", None)) and file.seekable():
            file.seek(0)
        data = file.read()
        if isinstance(data, _BYTES):
            return bytes(data)
    raise ConfigError("the file of a picture is open as text: open it with the mode 'rb'")


def held(item: Any) -> Any:
    """The item, or the bytes of an open file, which may be read only once, or is closed later."""
    try:
        return file_bytes(item) if _is_file(item) else item
    except (ConfigError, OSError, ValueError):
        return item  # fails when it is a sample


def items_of(source: Any) -> Iterable[Any]:
    """The pictures in a list, a generator or a table, whose rows are mappings.

    Raises:
        ConfigError: it is neither; the message names the cure.
    """
    name = type(source).__name__
    if hasattr(source, "iter_content"):  # of requests, which iterates over parts of the bytes
        raise ConfigError(f"cannot caption a {name}: give the bytes in its attribute `content`")
    if hasattr(source, "read_all"):  # batches of Arrow
        source = source.read_all()
    if hasattr(source, "to_pylist"):  # tables and arrays of Arrow
        return list(source.to_pylist())
    if hasattr(source, "to_dicts"):  # Polars
        return list(source.to_dicts())
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # pandas
        return list(source.to_dict("records"))
    if not isinstance(source, Iterable):
        raise ConfigError(f"cannot caption a {name}: give a path, or a list of pictures")
    return source


def _is_image(item: Any) -> bool:
    from PIL.Image import Image

    return isinstance(item, Image)


def _is_array(item: Any) -> bool:
    import numpy as np

    return isinstance(item, np.ndarray)


def _is_tensor(item: Any) -> bool:
    """Whether it is an array of PyTorch, TensorFlow, JAX or the like."""
    return (
        hasattr(item, "shape")
        and not _is_array(item)
        and (hasattr(item, "__dlpack__") or hasattr(item, "numpy"))
    )


def _is_file(item: Any) -> bool:
    read = getattr(item, "read", None)
    return callable(read) and (hasattr(item, "readable") or inspect.iscoroutinefunction(read))


def _encoded_array(array: NDArray[Any]) -> bytes:
    from PIL import Image

    if wrong := _wrong_array(array):
        raise ConfigError(f"cannot caption an array {array.shape} of {array.dtype}: {wrong}")
    return _encoded_image(Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _wrong_array(array: NDArray[Any]) -> str:
    """What to give instead of an array; empty for one that is a picture."""
    shape = array.shape
    if array.ndim == 4:
        return "give a list of its pictures, list(array)"
    if 0 in shape or not (array.ndim == 2 or (array.ndim == 3 and shape[2] in _CHANNELS)):
        if array.ndim == 3 and shape[0] in _CHANNELS:
            return "a picture is HxWx3; give array.transpose(1, 2, 0)"
        return "a picture is HxW, or HxWx3 in the order RGB, or HxWx4 with alpha"
    if array.dtype.kind == "f":
        return "a picture is of uint8; of values of 0 to 1 give (255 * array).round().astype('uint8')"
    if array.dtype.kind == "b":
        return "a picture is of uint8; give 255 * array.astype('uint8')"
    return "" if array.dtype == "uint8" else "a picture is of uint8, 0 to 255; give array.astype('uint8')"


def _encoded_image(image: Image) -> bytes:
    """A Pillow image as a file without loss, with the orientation that its own file had."""
    buffer = io.BytesIO()
    kind = "PNG" if image.mode in _PNG_MODES else "TIFF"
    whole = image.convert("RGB") if image.mode == "HSV" else image
    whole.save(buffer, kind, exif=image.getexif())
    return buffer.getvalue()
