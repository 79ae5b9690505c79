"""What a user may say about a site, in one dataclass; the command line makes its options from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from znought.errors import SiteError
from znought.facility.storage.objects import check_url

# `znought --help` answers at once: distributed is slow to import.
if TYPE_CHECKING:
    from distributed.security import Security

__all__ = ["DEFAULT_STALL_MIN", "DEFAULT_WAIT_MIN", "SiteOptions", "refuse_plain"]

DEFAULT_WAIT_MIN = 30
DEFAULT_STALL_MIN = 240
# Facility workers live two hours: a request for longer jobs would only be refused.
BATCH_LIFE_S = 7200
ENCRYPTED = ("tls", "wss", "https", "gateway")
LOOPBACK = ("localhost", "::1")


def _option(help_text: str, default: Any = None) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class SiteOptions:
    """Options of a site; those that a site has no use for are refused by name.

    Attributes:
        workers: number of worker processes; None lets the site decide.
        memory: memory of one worker, as Dask writes it ("4GiB").
        address: scheduler address, for sites that hand one out.
        tls_ca, tls_cert, tls_key: certificate files for a `tls://` address.
        insecure: accept an address on another host that is not encrypted.
        queue: batch queue or partition.
        account: that a batch job is charged to.
        walltime: longest life of a batch job, as H:MM:SS; two hours unless given.
        log_directory: of batch jobs; by default `.znought-logs` beside their certificates.
        job_lines: further lines of a batch job's script, before the worker starts.
        image: container in which batch workers run, where the site has containers.
        proxy_address: of a gateway, for traffic to the scheduler.
        adapt: "MIN:MAX" workers, as there is work, in place of a fixed number.
        interface: network interface that scheduler and workers of a batch site listen on.
        shared_directory: where workers of a batch site read their temporary certificates.
        store: where workers leave files that do not see the output directory: URL, folder or `home`.
        install: packages that are installed on the workers first.
        wait_min: minutes without any sign of work after which the run ends.
        stall_min: minutes in which tasks run and none ends, after which the run ends.
    """

    workers: int | None = _option("Number of workers.")
    memory: str | None = _option("Memory of one worker, e.g. 4GiB.")
    address: str | None = _option("Scheduler, for sites that hand one out.")
    tls_ca: str | None = _option("Certificate authority of a tls:// address (PEM).")
    tls_cert: str | None = _option("Certificate for a tls:// address (PEM).")
    tls_key: str | None = _option("Key of that certificate (PEM).")
    insecure: bool = _option("Accept an address on another host that is not encrypted.", False)
    queue: str | None = _option("Batch queue or partition.")
    account: str | None = _option("Account of batch jobs.")
    walltime: str | None = _option("Longest life of a batch job, H:MM:SS.")
    log_directory: str | None = _option("Where batch jobs write their logs.")
    job_lines: tuple[str, ...] = _option("Line of a batch job's script before its worker; repeat it.", ())
    image: str | None = _option("Container of batch workers, e.g. /cvmfs/unpacked.cern.ch/…")
    proxy_address: str | None = _option("Proxy of a Dask Gateway, e.g. gateway://host:8786.")
    adapt: str | None = _option("MIN:MAX workers, as there is work.")
    interface: str | None = _option("Network interface of scheduler and workers at a batch site, e.g. ib0.")
    shared_directory: str | None = _option("Directory that batch workers see too, for their certificates.")
    store: str | None = _option("Files of workers: /a/folder, root://host//folder, s3://bucket or home.")
    install: tuple[str, ...] = _option("Package to install on the workers first; repeat it.", ())
    wait_min: int = _option("Minutes without any sign of work after which to stop.", DEFAULT_WAIT_MIN)
    stall_min: int = _option("Minutes of work without any result after which to stop.", DEFAULT_STALL_MIN)

    def __post_init__(self) -> None:
        for name in ("workers", "wait_min", "stall_min"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SiteError(f"{name}: expected at least 1, received {value}.")
        _clock(self.walltime)
        if self.store is not None:
            check_url(self.store)
        if self.adapt is not None and self.workers is not None:
            raise SiteError("adapt and workers: expected one of them, received both.")
        _ = self.least_and_most
        tls = {name: getattr(self, name) for name in ("tls_ca", "tls_cert", "tls_key")}
        if any(tls.values()) and not all(tls.values()):
            raise SiteError("TLS needs all of tls_ca, tls_cert and tls_key; only some were given.")
        for name, path in tls.items():
            if path and not Path(path).is_file():
                raise SiteError(f"{name}: expected a file, received {path!r}, which is none.")

    @property
    def life_s(self) -> int:
        """Longest life of a batch job in seconds."""
        return _clock(self.walltime) or BATCH_LIFE_S

    @property
    def least_and_most(self) -> tuple[int, int] | None:
        """Numbers of workers to adapt between; None for a fixed number."""
        if self.adapt is None:
            return None
        least, _, most = self.adapt.partition(":")
        if not (least.isdigit() and most.isdigit() and 1 <= int(least) <= int(most)):
            raise SiteError(f"adapt: expected MIN:MAX, 1 or more, such as 2:40. Received: {self.adapt!r}.")
        return int(least), int(most)

    @property
    def given(self) -> dict[str, Any]:
        """Those that differ from their defaults."""
        return {
            option.name: getattr(self, option.name)
            for option in fields(self)
            if getattr(self, option.name) != option.default
        }

    def refuse_unused(self, site: str, takes: Iterable[str]) -> None:
        """Raises for an option that differs from its default and means nothing at this site."""
        known = (*takes, "store", "wait_min", "stall_min")
        for name in self.given:
            if name not in known:
                raise SiteError(f"Site {site!r} takes no {name}. It takes: {', '.join(known)}.")

    def security(self) -> "Security | None":
        """TLS settings of the client, or None to leave them to the environment."""
        from distributed.security import Security

        if self.tls_ca is None:
            return None
        return Security(
            tls_ca_file=self.tls_ca,
            tls_client_cert=self.tls_cert,
            tls_client_key=self.tls_key,
            require_encryption=True,
        )


def _clock(text: str | None) -> int | None:
    """Seconds of H:MM:SS.

    Raises:
        SiteError: something else.
    """
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or max(map(int, parts[1:])) > 59:
        raise SiteError(f"walltime: expected H:MM:SS, such as 8:00:00. Received: {text!r}.")
    hours, minutes, seconds = (int(part) for part in parts)
    if not 3600 * hours + 60 * minutes + seconds:
        raise SiteError(f"walltime: expected more than nothing. Received: {text!r}.")
    return 3600 * hours + 60 * minutes + seconds


def refuse_plain(address: str, *, insecure: bool) -> None:
    """Raises for an address on another host whose connection is not encrypted.

    Whoever reaches such a scheduler runs code on its workers, and reads what travels.

    Raises:
        SiteError: unless the user asks for it with `insecure`.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    host = parts.hostname or ""
    local = host in LOOPBACK or host.startswith("127.") or parts.scheme == "inproc"
    if not (local or insecure or parts.scheme in ENCRYPTED):
        raise SiteError(
            f"address: {address!r} is another host without encryption: anybody there could run code as you. "
            "Expected a tls:// address; --insecure (insecure=True) accepts it all the same."
        )
