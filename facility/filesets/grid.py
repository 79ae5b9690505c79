"""Files of datasets on CMS' grid, by coffea's own tools: which sites have them, and under which address."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from znought.errors import DataError, SiteError
from znought.facility.storage.credentials import PROXY, credentials_for

__all__ = ["grid_files"]

Addresses = tuple[str, ...]
_MAP = Path("/cvmfs/cms.cern.ch/SITECONF")


def grid_files(
    names: Mapping[str, str], *, allowed: Sequence[str], preferred: Sequence[str], blocked: Collection[str]
) -> dict[str, list[Addresses]]:
    """The addresses of every file of some datasets, those at preferred sites first.

    Args:
        names: name of ours → name on the grid, with `*` for several that are taken together.
        allowed: sites that may be read from; all unless given.
        preferred: sites in the order in which they are tried, before all others.
        blocked: sites that are never read from.

    Raises:
        DataError: no client, proxy or map of sites; no such dataset; or a file that stands at no such site.
    """
    tools = _tools()
    found = {}
    with _asking(tools) as (client, refusals):
        for name, wanted in names.items():
            try:
                found[name] = [
                    file
                    for dataset in _expanded(tools, client, wanted)
                    for file in _files(tools, client, dataset, allowed, preferred, blocked)
                ]
            except refusals as error:
                reason = " ".join(str(error).split())[:200]
                raise DataError(f"{wanted}: Rucio refuses to answer: {reason}.") from error
    return found


def _tools() -> ModuleType:
    """coffea's tools, which need the client of Rucio when they are imported."""
    try:
        from coffea.dataset_tools import rucio_utils
    except ImportError as error:
        cure = "pip install rucio-clients, or give a list of addresses"
        raise DataError(f"Names of datasets need the client of Rucio ({error}): {cure}.") from error
    tools: ModuleType = rucio_utils
    return tools


@contextlib.contextmanager
def _asking(tools: ModuleType) -> Iterator[tuple[Any, tuple[type[Exception], ...]]]:
    """A client, and what it raises, in a folder of its own: coffea's tools leave a file and print."""
    from rucio.common.exception import RucioException

    refusals = (RucioException, OSError)
    try:
        proxy = credentials_for("root").files.get(PROXY)
    except SiteError as error:
        raise DataError(f"Names of datasets need a proxy: {error}") from error
    if proxy is None:
        raise DataError("Names of datasets need a proxy: make one with `voms-proxy-init -voms cms`.")
    if not _MAP.is_dir():
        cure = "mount CVMFS or work where it is (lxplus, a facility of CMS), or give a list of addresses"
        raise DataError(f"Names of datasets need {_MAP}, the sites' own description: {cure}.")
    path = os.environ.get(PROXY, f"/tmp/x509up_u{os.getuid()}")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(sys.stderr),
    ):
        try:
            client = tools.get_rucio_client(proxy=path)
        except refusals as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"No answer of Rucio: {reason}; look at RUCIO_HOME and the proxy.") from error
        yield client, refusals


def _expanded(tools: ModuleType, client: Any, wanted: str) -> list[str]:
    """The datasets of a name with `*`; a whole name as it is."""
    if "*" not in wanted:
        return [wanted]
    names = sorted(tools.query_dataset(wanted, client=client))
    if not names:
        raise DataError(f"{wanted}: no dataset of the grid has such a name.")
    return names


def _files(
    tools: ModuleType,
    client: Any,
    dataset: str,
    allowed: Sequence[str],
    preferred: Sequence[str],
    blocked: Collection[str],
) -> list[Addresses]:
    """The addresses of every file of one dataset.

    Raises:
        DataError: it has no files, or one stands at no site that may be read from.
    """
    # coffea forgets blocked sites where some are allowed.
    kept = [site for site in allowed if site not in blocked]
    if allowed and not kept:
        raise DataError("--allowed: every site of it is --blocked.")
    addresses, sites, _ = tools.get_dataset_files_replicas(
        dataset,
        allowlist_sites=kept or None,
        blocklist_sites=list(blocked) or None,
        mode="full",
        partial_allowed=True,
        client=client,
    )
    if not addresses:
        raise DataError(f"{dataset}: the grid knows no file of it.")
    # Without a rule of its site, a file has no address there.
    nowhere = sum(not any(one) for one in addresses)
    if nowhere:
        where = f"at {', '.join(kept)}" if kept else "on a disk that may be read"
        cure = "allow other sites, or ask for a copy with `rucio add-rule`"
        raise DataError(f"{dataset}: {nowhere} of {len(addresses)} files stand nowhere {where}: {cure}.")
    return [_sorted(one, at, preferred) for one, at in zip(addresses, sites, strict=True)]


def _sorted(addresses: Sequence[str], sites: Sequence[str], preferred: Sequence[str]) -> Addresses:
    """Addresses of one file, those at preferred sites first, in that order."""
    rank = {site: place for place, site in enumerate(preferred)}
    pairs = sorted(zip(addresses, sites, strict=True), key=lambda pair: rank.get(pair[1], len(rank)))
    return tuple(dict.fromkeys(address for address, _ in pairs if address))
