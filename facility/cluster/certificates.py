"""Certificates: those of one run, which go with it, and a look at those that a user brings."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from distributed.security import Security

from znought.errors import SiteError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["check_certificates", "sweep", "temporary_security"]

PREFIX = ".znought-tls-"
OWNER = "owner.json"


@contextmanager
def temporary_security(shared: Path) -> Iterator[Security]:
    """Certificates of one run, in files that only this user can read and that go with the run.

    Args:
        shared: a directory that the workers see.

    Raises:
        SiteError: nothing can be written there.
    """
    memory = Security.temporary()
    try:
        directory = tempfile.TemporaryDirectory(prefix=PREFIX, dir=shared)
    except OSError as error:
        raise SiteError(f"shared_directory: {shared} takes no certificates: {error.strerror}.") from error
    with directory as name:
        certificate, key = Path(name, "certificate.pem"), Path(name, "key.pem")
        _private(Path(name, OWNER), json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        _private(certificate, str(memory.tls_ca_file))
        _private(key, str(memory.tls_client_key))
        roles = ("client", "scheduler", "worker")
        yield Security(
            require_encryption=True,
            tls_ca_file=str(certificate),
            **{f"tls_{role}_cert": str(certificate) for role in roles},
            **{f"tls_{role}_key": str(key) for role in roles},
        )


def _private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)


def sweep(shared: Path) -> None:
    """Takes away the certificates of runs that were killed on this machine, with their last word unsaid."""
    for folder in shared.glob(f"{PREFIX}*"):
        try:
            owner = json.loads((folder / OWNER).read_text())
        except (OSError, ValueError):
            continue  # another user's, or just being made
        if owner["host"] == socket.gethostname() and not _lives(owner["pid"]):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's by now
        return True
    return True


# --- those of a user ----------------------------------------------------------------------------------


def check_certificates(security: Security) -> None:
    """Raises for a certificate that is no longer valid or does not go with its key, before anybody is asked.

    A scheduler that refuses a certificate only closes the connection. Without the package cryptography nobody
    looks.

    Raises:
        SiteError: names the file and what is wrong with it.
    """
    if find_spec("cryptography") is None:
        return
    tls = security.get_tls_config_for_role("client")
    authority, certificate, key = (tls.get(name) for name in ("ca_file", "cert", "key"))
    for where in (authority, certificate):
        if where is not None:
            _check_dates(where)
    if certificate is not None and key is not None:
        _check_pair(certificate, key)


def _content(where: str) -> bytes:
    """PEM text of a file, or the text itself."""
    if "\n" in where:
        return where.encode()
    try:
        return Path(where).read_bytes()
    except OSError as error:
        raise SiteError(
            f"Certificate {where} cannot be read: {error.strerror}. Name another with --tls-ca, --tls-cert "
            "and --tls-key, or in distributed.comm.tls of Dask's configuration."
        ) from error


def _name(where: str) -> str:
    return "in memory" if "\n" in where else where


def _first(where: str) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(_content(where))
    except ValueError as error:
        raise SiteError(f"{_name(where)} holds no certificate in PEM format.") from error


def _check_dates(where: str) -> None:
    from datetime import UTC, datetime

    certificate, now = _first(where), datetime.now(UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if end <= now:
        raise SiteError(
            f"Certificate {_name(where)} expired on {end:%Y-%m-%d %H:%M} UTC: get a new one from the site."
        )
    if begin > now:
        raise SiteError(
            f"Certificate {_name(where)} is valid from {begin:%Y-%m-%d %H:%M} UTC only: is this clock right?"
        )


def _check_pair(certificate: str, key: str) -> None:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        private = load_pem_private_key(_content(key), password=None)
    except (ValueError, TypeError) as error:
        raise SiteError(f"{_name(key)} holds no private key in PEM format without a password.") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != _first(certificate).public_key().public_bytes(*form):
        raise SiteError(f"Key {_name(key)} does not belong to certificate {_name(certificate)}.")
