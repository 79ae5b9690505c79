"""Proxy, token and keys for a store: looked at before any work, sent over TLS alone, never shown."""

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Client

from znought.errors import SiteError
from znought.facility.cluster.options import LOOPBACK
from znought.facility.storage.mirror import placed

__all__ = ["Credentials", "credentials_for", "may_travel", "place_credentials"]

_S3 = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
)
PROXY, TOKEN_FILE, TOKEN = "X509_USER_PROXY", "BEARER_TOKEN_FILE", "BEARER_TOKEN"


@dataclass(frozen=True)
class Credentials:
    """What opens a store.

    Attributes:
        variables: of the environment, by name.
        files: variable that names a file → its content.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.variables or self.files)


def credentials_for(kind: str) -> Credentials:
    """What this user has for a kind of store.

    Raises:
        SiteError: proxy or token has expired, or its file is not there.
    """
    if kind == "s3":
        return Credentials({name: os.environ[name] for name in _S3 if name in os.environ} | _s3_keys())
    if kind != "root":
        return Credentials()
    files, variables = {}, {}
    if (proxy := _file(PROXY, Path(f"/tmp/x509up_u{os.getuid()}"))) is not None:
        _check_proxy(proxy)
        files[PROXY] = proxy.read_bytes()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    if (token := _file(TOKEN_FILE, Path(runtime, f"bt_u{os.getuid()}"))) is not None:
        _check_token(token.read_text(encoding="utf-8"), str(token))
        files[TOKEN_FILE] = token.read_bytes()
    if TOKEN in os.environ:
        _check_token(os.environ[TOKEN], TOKEN)
        variables[TOKEN] = os.environ[TOKEN]
    return Credentials(variables, files)


def _s3_keys() -> dict[str, str]:
    """Keys of the user's AWS configuration; none where there are no such libraries or keys."""
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import get_session
    except ImportError:
        return {}
    try:
        found = get_session().get_credentials()
        keys = found.get_frozen_credentials() if found is not None else None
    except BotoCoreError as error:
        raise SiteError(f"AWS credentials cannot be read: {error}") from error
    if keys is None:
        return {}
    values = (keys.access_key, keys.secret_key, keys.token)
    return {name: value for name, value in zip(_S3[:3], values, strict=True) if value}


def _file(variable: str, default: Path) -> Path | None:
    """The file that a variable names, or that stands in the usual place.

    Raises:
        SiteError: the variable names a file that is not there.
    """
    if variable not in os.environ:
        return default if default.is_file() else None
    path = Path(os.environ[variable])
    if not path.is_file():
        raise SiteError(f"{variable}: there is no file {path}; make a new one, or unset the variable.")
    return path


def _check_proxy(path: Path) -> None:
    """Raises where the first certificate of a proxy file has expired."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        end = load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except ValueError as error:
        raise SiteError(f"{path} holds no certificate: make a proxy with voms-proxy-init.") from error
    if end.timestamp() <= time.time():
        raise SiteError(
            f"The proxy {path} expired on {end:%Y-%m-%d %H:%M} UTC: renew it with voms-proxy-init."
        )


def _check_token(text: str, where: str) -> None:
    """Raises where a token says of itself that it has expired; one of another form is the server's affair."""
    parts = text.strip().split(".")
    if len(parts) != 3:
        return
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return
    if end <= time.time():
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(end))
        raise SiteError(f"The token in {where} expired on {at} UTC: get a new one (htgettoken, oidc-token).")


def may_travel(client: Client) -> bool:
    """Whether what the client sends to its workers is encrypted, or never leaves this machine."""
    parts = urlsplit(str(client.scheduler_info(n_workers=0)["address"]))
    host = parts.hostname or ""
    return parts.scheme in ("tls", "wss", "inproc") or host in LOOPBACK or host.startswith("127.")


def place_credentials(name: str, credentials: Credentials, dask_worker: Any) -> None:
    """On a worker: the client's credentials where libraries look for them, for its user's eyes alone."""
    folder = Path(dask_worker.local_directory, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(credentials.variables)
    for variable, content in credentials.files.items():
        path = folder / f".{variable.lower()}"
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.environ[variable] = str(path)
    placed(name)
