"""What people have, as files by dataset: folders, lists of addresses, coffea's JSON, names on the grid."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from znought.errors import DataError
from znought.facility.filesets.grid import grid_files
from znought.facility.filesets.written import REMOTE, ListedFile, Origin, WrittenDataset, read_written

__all__ = ["identifier", "listed_files"]

_GRID_NAME = re.compile(r"/[^/\s]+/[^/\s]+/[A-Z][A-Z0-9*-]*")
"""/primary/processed/TIER of CMS: no file has such a name."""
_RUCIO_NAME = re.compile(r"[\w.-]+:[\w.*-]+")
_LOGICAL = re.compile(r"/store/.*")

Found = dict[str, list[ListedFile]]


def identifier(name: str) -> str:
    """A name for a dataset: letters, digits and underscores, a letter first."""
    cleaned = re.sub(r"\W+", "_", name).strip("_")
    return cleaned if cleaned[:1].isalpha() else f"files_{cleaned}"


def listed_files(origin: Origin) -> dict[str, WrittenDataset]:
    """The files of all sources by dataset, with their redirectors behind them.

    Raises:
        DataError: a source that is not there, or of no known kind; a file that belongs to no dataset, or is
            listed twice; a dataset of two sources; or a grid that cannot be asked.
    """
    pattern, found = _pattern(origin.pattern), dict[str, WrittenDataset]()
    for source in origin.sources:
        for name, dataset in _of_source(source, origin, pattern).items():
            if name in found and pattern is None:
                cure = "give --dataset a pattern that tells them apart"
                raise DataError(f"{source}: another source has a dataset {name!r}, too: {cure}.")
            before = found[name].files if name in found else ()
            files = tuple(_reachable(source, file, origin) for file in dataset.files)
            found[name] = WrittenDataset((*before, *files), dataset.metadata, origin)
    _refuse_twice(found)
    return found


def _pattern(given: str | None) -> re.Pattern[str] | None:
    if given is None:
        return None
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise DataError(f"--dataset: {given!r} is no regular expression ({error}).") from error
    if pattern.groups != 1:
        message = f"--dataset: expected one group (…) that is the name. Received: {given!r}"
        raise DataError(f"{message}, {pattern.groups} groups.")
    return pattern


def _of_source(source: str, origin: Origin, pattern: re.Pattern[str] | None) -> Mapping[str, WrittenDataset]:
    """The datasets of one source."""
    path = Path(source)
    if path.is_dir():
        _refuse_sites(source, origin)
        return _datasets(_in_folder(path, origin.tree, pattern))
    if path.is_file() and path.name.endswith((".json", ".json.gz")):
        _refuse_sites(source, origin)
        return read_written(path)
    if path.is_file():
        return _datasets(_in_text(path, origin, pattern))
    if _GRID_NAME.fullmatch(source):
        return _datasets(_named_on_grid({_name_on_grid(source): source}, origin))
    _refuse_other_grids(source, "")
    kinds = "a folder, a text file, a fileset (JSON) or the name of a dataset (/A/B/NANOAODSIM)"
    raise DataError(f"{source}: no such file or folder; expected {kinds}.")


def _datasets(found: Found) -> dict[str, WrittenDataset]:
    return {name: WrittenDataset(tuple(files)) for name, files in found.items()}


def _refuse_sites(source: str, origin: Origin) -> None:
    """Raises where sites are chosen among files that stand at addresses."""
    if origin.allowed or origin.preferred or origin.blocked:
        of = "--allowed, --preferred and --blocked choose sites of datasets on the grid"
        raise DataError(f"{source}: {of}; this source says where its files stand.")


def _refuse_other_grids(name: str, where: str) -> None:
    """Raises for a name of ATLAS: coffea's tools know the storage of CMS alone."""
    if _RUCIO_NAME.fullmatch(name) and "://" not in name:
        cure = f"write a list with `rucio list-file-replicas --protocols root --pfns {name}` and give that"
        raise DataError(f"{where}{name}: coffea's tools know the storage of CMS alone: {cure}.")


def _in_folder(root: Path, tree: str | None, pattern: re.Pattern[str] | None) -> Found:
    """ROOT files below a folder; those of one folder right below it are one dataset."""
    found = Found()
    for path in sorted(root.rglob("*.root")):
        inner = path.relative_to(root)
        if any(part.startswith(".") for part in inner.parts):
            continue
        name = inner.parts[0] if len(inner.parts) > 1 else root.resolve().name
        name = identifier(name) if pattern is None else _matched(pattern, inner.as_posix(), str(path))
        found.setdefault(name, []).append(ListedFile((str(path.resolve()),), tree))
    if not found:
        raise DataError(f"{root}: no file *.root below this folder.")
    return found


def _matched(pattern: re.Pattern[str], text: str, shown: str) -> str:
    match = pattern.search(text)
    if match is None or not match[1]:
        raise DataError(f"{shown}: the pattern {pattern.pattern!r} of --dataset finds no name in it.")
    return identifier(match[1])


def _in_text(path: Path, origin: Origin, pattern: re.Pattern[str] | None) -> Found:
    """Addresses of one file on each line, or a name of the grid with or without one of your own before it."""
    found, names = Found(), dict[str, str]()
    for where, words in _lines(path):
        *own, last = words
        if _GRID_NAME.fullmatch(last):
            if len(own) > 1:
                raise DataError(f"{where}: expected NAME /A/B/TIER. Received: {' '.join(words)}.")
            name = identifier(own[0]) if own else _name_on_grid(last)
            if names.setdefault(name, last) != last:
                raise DataError(f"{where}: {names[name]} is called {name}, too: write `NAME {last}`.")
            continue
        _refuse_other_grids(last, f"{where}: ")
        name = identifier(path.stem) if pattern is None else _matched(pattern, words[0], where)
        addresses = tuple(_address(path.parent, word, origin) for word in words)
        found.setdefault(name, []).append(ListedFile(addresses, origin.tree))
    if not names:
        _refuse_sites(str(path), origin)
    if not found and not names:
        raise DataError(f"{path}: lists no file and no dataset.")
    if shared := sorted(set(found) & set(names)):
        raise DataError(f"{path}: lists files and a name on the grid for the dataset {shared[0]}.")
    return found | _named_on_grid(names, origin)


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and words of each line that says something."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: neither a folder nor text or JSON that lists files.") from error
    for number, line in enumerate(lines, 1):
        if words := line.partition("#")[0].split():
            yield f"{path}, line {number}", words


def _address(folder: Path, word: str, origin: Origin) -> str:
    """An address as it is, a local file from the root; a logical name of CMS stays one."""
    if word.startswith(REMOTE) or (_LOGICAL.fullmatch(word) and not Path(word).exists()):
        return word
    if "://" in word:
        raise DataError(f"{word}: expected a path or an address with {', '.join(REMOTE)}.")
    return str((folder / word).resolve())


def _named_on_grid(names: Mapping[str, str], origin: Origin) -> Found:
    """Files of datasets on the grid, at the sites that are wanted."""
    if not names:
        return {}
    found = grid_files(names, allowed=origin.allowed, preferred=origin.preferred, blocked=origin.blocked)
    return {
        name: [ListedFile(addresses, origin.tree) for addresses in files] for name, files in found.items()
    }


def _name_on_grid(name: str) -> str:
    """Primary dataset, with the period of recorded data."""
    _, primary, processed, tier = name.split("/")
    period = "" if tier.endswith("SIM") else f"_{processed.partition('-')[0]}"
    return identifier(f"{primary}{period}")


def _reachable(source: str, file: ListedFile, origin: Origin) -> ListedFile:
    """A file with its redirectors behind its addresses.

    Raises:
        DataError: a logical name without a redirector.
    """
    given = [one for one in file.addresses if not _LOGICAL.fullmatch(one)]
    logical = _logical_name(file.addresses[0])
    behind = [_joined(redirector, logical) for redirector in origin.redirectors if logical]
    addresses = tuple(dict.fromkeys([*given, *behind]))
    if not addresses:
        raise DataError(f"{source}: {file.path} is a logical name: give --redirector, such as root://host/.")
    return ListedFile(addresses, file.tree, file.counts if addresses == file.addresses else None)


def _logical_name(address: str) -> str:
    """What a redirector looks a file up by: from /store/ on, else what follows the host; empty if local."""
    if (match := _LOGICAL.search(address)) is not None:
        return match[0]
    return f"/{urlsplit(address).path.lstrip('/')}" if address.startswith(REMOTE) else ""


def _joined(redirector: str, logical: str) -> str:
    """XRootD wants two slashes behind the host, the web one."""
    return f"{redirector.rstrip('/')}{'/' if redirector.startswith('root://') else ''}{logical}"


def _refuse_twice(found: Mapping[str, WrittenDataset]) -> None:
    owner: dict[str, str] = {}
    for name, dataset in found.items():
        for file in dataset.files:
            if (first := owner.get(file.path)) == name:
                raise DataError(f"{file.path} is listed twice in {name}; its events would count twice.")
            if first is not None:
                raise DataError(f"{file.path} belongs to two datasets, {first} and {name}.")
            owner[file.path] = name
