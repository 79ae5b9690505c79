"""What a user may say about a site, in one dataclass; the command line makes its options from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from znought.errors import SiteError

# `znought --help` answers at once: distributed is slow to import.
if TYPE_CHECKING:
    from distributed.security import Security

__all__ = ["DEFAULT_WAIT_MIN", "SiteOptions", "refuse_plain"]

DEFAULT_WAIT_MIN = 30
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
        interface: network interface that scheduler and workers of a batch site listen on.
        shared_directory: where workers of a batch site read their temporary certificates.
        wait_min: minutes without any sign of work after which the run ends.
    """

    workers: int | None = _option("Number of workers.")
    memory: str | None = _option("Memory of one worker, e.g. 4GiB.")
    address: str | None = _option("Scheduler, for sites that hand one out.")
    tls_ca: str | None = _option("Certificate authority of a tls:// address (PEM).")
    tls_cert: str | None = _option("Certificate for a tls:// address (PEM).")
    tls_key: str | None = _option("Key of that certificate (PEM).")
    insecure: bool = _option("Accept an address on another host that is not encrypted.", False)
    queue: str | None = _option("Batch queue or partition.")
    interface: str | None = _option("Network interface of scheduler and workers at a batch site, e.g. ib0.")
    shared_directory: str | None = _option("Directory that batch workers see too, for their certificates.")
    wait_min: int = _option("Minutes without any sign of work after which to stop.", DEFAULT_WAIT_MIN)

    def __post_init__(self) -> None:
        for name in ("workers", "wait_min"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SiteError(f"{name}: expected at least 1, received {value}.")
        tls = {name: getattr(self, name) for name in ("tls_ca", "tls_cert", "tls_key")}
        if any(tls.values()) and not all(tls.values()):
            raise SiteError("TLS needs all of tls_ca, tls_cert and tls_key; only some were given.")
        for name, path in tls.items():
            if path and not Path(path).is_file():
                raise SiteError(f"{name}: expected a file, received {path!r}, which is none.")

    def refuse_unused(self, site: str, takes: Iterable[str]) -> None:
        """Raises for an option that differs from its default and means nothing at this site."""
        known = (*takes, "wait_min")
        for option in fields(self):
            if option.name not in known and getattr(self, option.name) != option.default:
                raise SiteError(f"Site {site!r} takes no {option.name}. It takes: {', '.join(known)}.")

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
