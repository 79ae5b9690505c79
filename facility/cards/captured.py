"""Source of an analysis that is defined in a notebook: of its functions and of all that they use."""

import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

__all__ = ["Captured", "captured"]

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_NOWHERE = (None, "builtins")  # what `exec` defines
_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, tuple, list, dict, set, frozenset)


@dataclass
class Captured:
    """What functions are made of.

    Attributes:
        digest: of their source, that of helpers, classes and constants which they use.
        modules: name → file of the user's own modules among them.
        packages: modules of installed packages that define some of them.
    """

    digest: str = ""
    modules: dict[str, Path] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)


def captured(functions: Iterable[object]) -> Captured:
    """The source behind some functions, followed through the names that they use.

    A helper that is edited changes the digest of the functions which call it.
    """
    found, seen, digest = Captured(), set[int](), hashlib.sha256()
    waiting = [("", function) for function in functions if function is not None]
    while waiting:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        digest.update(f"{name}=".encode())
        if _enters_library(value, found):
            digest.update(_name_of(value).encode())
            continue
        digest.update(_text(value))
        waiting += sorted(_used(value), key=lambda used: used[0], reverse=True)
    found.digest = digest.hexdigest()
    return found


def _enters_library(value: object, found: Captured) -> bool:
    """Whether a value is of a package, whose version is known otherwise; a user's module is noted."""
    if not isinstance(value, FunctionType | ModuleType | type):
        return callable(value) and not isinstance(value, partial)
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    if module == "__main__" or (isinstance(value, FunctionType) and module in _NOWHERE):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or file.startswith(_LIBRARIES) or "." in module:
        found.packages.add(module)
        return True
    found.modules[module] = Path(file).resolve()
    return False


def _name_of(value: object) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"


def _text(value: object) -> bytes:
    """Source of a function, class or module, or the value of anything else."""
    if isinstance(value, FunctionType | ModuleType | type):
        code = getattr(value, "__code__", None)
        # Of all texts that were run as one, Python 3.13 and later keep that of `python -c`.
        if code is not None and code.co_filename == "<string>":
            return _compiled(code)
        try:
            return inspect.getsource(value).encode()
        except (OSError, TypeError):
            return _name_of(value).encode() if code is None else _compiled(code)
    if isinstance(value, partial):
        return b"partial"
    return repr(value).encode() if isinstance(value, _PLAIN) else bytes(cloudpickle.dumps(value))


def _compiled(code: CodeType) -> bytes:
    """What code without source does, that of functions inside it too."""
    consts = (_compiled(one) if isinstance(one, CodeType) else repr(one).encode() for one in code.co_consts)
    return b"\0".join([code.co_code, repr(code.co_names).encode(), *consts])


def _used(value: object) -> Iterator[tuple[str, object]]:
    """Name and value of everything that a function or class uses."""
    if isinstance(value, FunctionType):
        for name in _names(value.__code__):
            if name in value.__globals__:
                yield name, value.__globals__[name]
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield name, cell.cell_contents
        yield from _numbered(value.__defaults__ or ())
        yield from (value.__kwdefaults__ or {}).items()
    elif isinstance(value, type):
        members: Mapping[str, Any] = vars(value)
        for name, member in members.items():
            if isinstance(member, FunctionType):
                yield name, member
    elif isinstance(value, partial):
        yield "func", value.func
        yield from _numbered(value.args)
        yield from value.keywords.items()


def _numbered(values: Iterable[object]) -> Iterator[tuple[str, object]]:
    return ((str(i), value) for i, value in enumerate(values))


def _names(code: CodeType) -> set[str]:
    """Names that code looks up, that of functions inside it too."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*(_names(one) for one in inner))
