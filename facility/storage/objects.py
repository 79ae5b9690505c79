"""Files at a place that client and workers reach alike: a shared folder, `root://`, `s3://`."""

import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from znought.errors import SiteError

__all__ = ["HOME", "Objects", "check_url", "patiently", "place_of"]

HOME = "home"
"""In place of a URL: files travel through Dask to the client and back."""

KINDS = ("file", "root", "s3")
PIECE_BYTES = 4 * 2**20
SILENCE_S = 60
PAUSES_S = (1.0, 5.0, 30.0)
"""Between two attempts at a store that worked before."""

_PACKAGES = {"s3": "s3fs", "root": "fsspec-xrootd"}
_REMEDIES = {
    "file": "Give a folder that client and workers see under one name and may write to, or `--store home`.",
    "root": "Give a folder that your proxy (X509_USER_PROXY) or token (BEARER_TOKEN_FILE) may write to, "
    "and renew them where they have expired; or `--store home`.",
    "s3": "Give a bucket that exists and that your keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; server in "
    "AWS_ENDPOINT_URL) may write to; or `--store home`.",
}


def check_url(url: str) -> str:
    """The URL of a store, or the word for none.

    Raises:
        SiteError: another kind, or credentials in it, which are then not shown.
    """
    if url == HOME:
        return url
    if url.startswith("/"):
        return url.rstrip("/") or url
    parts = urlsplit(url)
    if parts.password or parts.query or parts.fragment:
        raise SiteError(
            "store: expected a URL without password, token or options: credentials are taken from the "
            "environment and from files."
        )
    if parts.scheme not in KINDS or not (parts.netloc or parts.scheme == "file"):
        raise SiteError(
            f"store: expected home, /a/folder, root://host//folder or s3://bucket/folder. Received: {url!r}."
        )
    return url.rstrip("/")


def place_of(url: str) -> str:
    """Kind of a URL: `file`, `root` or `s3`."""
    return "file" if url.startswith("/") else urlsplit(url).scheme


@dataclass(frozen=True)
class Objects:
    """Files below one URL; small, as it travels.

    Attributes:
        url: checked by `check_url`, not `home`.
    """

    url: str

    @property
    def kind(self) -> str:
        """`file`, `root` or `s3`."""
        return place_of(self.url)

    def put(self, source: Path, key: str) -> None:
        """Copies a local file to a name, whole or not at all.

        Raises:
            SiteError: it cannot be written.
        """
        try:
            self._put(source, key)
        except Exception as error:  # every library of fsspec has errors of its own
            raise SiteError(self.refusal(error, "be written to")) from error

    def get(self, key: str, target: Path) -> None:
        """Copies what stands under a name to a local file.

        Raises:
            SiteError: it cannot be read.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            system, root = self._opened()
            if self.kind == "root":
                # Its get_file shares open files between threads, and closes them under their readers.
                with system.open(f"{root}/{key}", "rb") as read, target.open("wb") as written:
                    shutil.copyfileobj(read, written, PIECE_BYTES)
            else:
                system.get_file(f"{root}/{key}", str(target))
        except Exception as error:  # as above
            raise SiteError(self.refusal(error, "be read")) from error

    def has(self, key: str, size: int) -> bool:
        """Whether a file of this size stands under a name.

        Raises:
            SiteError: nobody answers.
        """
        try:
            system, root = self._opened()
            return int(system.info(f"{root}/{key}")["size"]) == size
        except FileNotFoundError:
            return False
        except OSError as error:
            if self.kind == "root" and "no such file" in str(error).lower():
                return False
            raise SiteError(self.refusal(error, "be read")) from error
        except Exception as error:  # as above
            raise SiteError(self.refusal(error, "be read")) from error

    def remove(self, key: str) -> None:
        """Takes a file away; a server that does not let us is left alone."""
        try:
            system, root = self._opened()
            system.rm_file(f"{root}/{key}")
        except Exception:  # rubbish is no reason to stop
            return

    def refusal(self, error: BaseException, what: str) -> str:
        """One line: what a store refused, why, and what to do."""
        reason = " ".join(str(error).split()).removesuffix(".") or type(error).__name__
        if isinstance(error, ImportError):
            package = _PACKAGES.get(self.kind, "fsspec")
            return f"{self.url} needs the package {package} on client and workers: `--install {package}`."
        return f"{self.url} cannot {what}: {reason}. {_REMEDIES[self.kind]}"

    def _put(self, source: Path, key: str) -> None:
        system, root = self._opened()
        target = f"{root}/{key}"
        if self.kind == "s3":  # an object appears whole, once all of it is there
            system.put_file(str(source), target)
            return
        system.makedirs(target.rpartition("/")[0], exist_ok=True)
        temporary = f"{target}.{secrets.token_hex(8)}"
        with source.open("rb") as read, system.open(temporary, "wb") as written:
            shutil.copyfileobj(read, written, PIECE_BYTES)
        try:
            system.mv(temporary, target)
        except OSError:
            # Another copy of the same content came first: names hold the hash of what they name.
            system.rm_file(temporary)
            if not self.has(key, source.stat().st_size):
                raise

    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        if self.kind == "root":
            # It waits for a silent server without end unless told otherwise, and keeps no listings.
            system, root = url_to_fs(self.url, timeout=SILENCE_S)
        else:
            system, root = url_to_fs(self.url, use_listings_cache=False)
        return system, root.rstrip("/")


def patiently(action: Callable[..., None], *arguments: Any) -> None:
    """Does something at a store again, later, where it refuses: it has been seen to work."""
    for pause_s in PAUSES_S:
        try:
            return action(*arguments)
        except SiteError:
            time.sleep(pause_s)
    return action(*arguments)
