"""What a damaged file raises while it is opened or decoded, as one error that names it."""

import lzma
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import cramjam
from uproot.deserialization import DeserializationError

from znought.errors import ReadError, ZnoughtError

__all__ = ["reading"]

# Bytes that are not what they promise end in any of these, deep inside uproot or a decompressor.
_DAMAGE = (
    OSError,
    EOFError,
    DeserializationError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    SystemError,
    TypeError,
    ValueError,
    aiohttp.ClientError,
    cramjam.DecompressionError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


@contextmanager
def reading(path: str, what: str = "") -> Iterator[None]:
    """Turns whatever a damaged or absent file raises inside the block into one line.

    Args:
        path: the file.
        what: the part of it that is read.

    Raises:
        ReadError: the file cannot be opened or decoded; errors of this package pass through.
    """
    try:
        yield
    except ZnoughtError:
        raise
    except _DAMAGE as error:
        text = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
        place = f"{path}: {what} " if what else f"{path}: "
        message = f"{place}cannot be read: truncated, damaged, out of reach or no ROOT file ({reason})."
        raise ReadError(message) from error
