"""Certificates: expired, wrong or missing ones are named before anybody is asked; those of dead runs go."""

import datetime
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster
from distributed.security import Security

from znought.errors import SiteError
from znought.facility.cluster.certificates import check_certificates, sweep, temporary_security
from znought.facility.cluster.sites import connect

DAY = datetime.timedelta(days=1)


def _certificate(folder: Path, *, begin: int = -2, end: int = 2) -> dict[str, Any]:
    """Options of a certificate that is valid from one day to another, counted from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask-internal")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + begin * DAY).not_valid_after(now + end * DAY)
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    certificate = str(folder / "cert.pem")
    return {"tls_ca": certificate, "tls_cert": certificate, "tls_key": str(folder / "key.pem")}


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    return _certificate(tmp_path / "good")


def _refused(line: str, **options: Any) -> None:
    with (
        pytest.raises(SiteError, match=line) as caught,
        connect("coffea-casa", address="tls://127.0.0.1:1", **options),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_expired_and_early_certificates_are_named(tmp_path: Path) -> None:
    _refused(
        r"Certificate \S+cert\.pem expired on \d{4}-\d\d-\d\d .*get a new one",
        **_certificate(tmp_path, end=-1),
    )
    _refused(r"is valid from \d{4}-\d\d-\d\d .* is this clock right", **_certificate(tmp_path, begin=1))


def test_a_key_of_another_certificate_is_named(good: dict[str, Any], tmp_path: Path) -> None:
    other = _certificate(tmp_path / "other")
    _refused("key.pem does not belong to certificate", **good | {"tls_key": other["tls_key"]})
    _refused("cert.pem holds no private key in PEM format", **good | {"tls_key": good["tls_cert"]})
    _refused("key.pem holds no certificate in PEM format", **good | {"tls_cert": good["tls_key"]})


def test_a_missing_certificate_of_the_environment_is_named(good: dict[str, Any]) -> None:
    lost = Security(
        tls_ca_file=good["tls_ca"], tls_client_cert="/nowhere/cert.pem", tls_client_key="/nowhere/k"
    )
    with pytest.raises(SiteError, match=r"Certificate /nowhere/cert\.pem cannot be read: No such file"):
        check_certificates(lost)
    check_certificates(Security())


def test_certificates_of_another_site_are_refused_in_one_line(good: dict[str, Any]) -> None:
    with LocalCluster(
        n_workers=0, processes=False, protocol="tls://", security=Security.temporary(), dashboard_address=":0"
    ) as cluster:
        line = r"No Dask scheduler answers at tls://.*Is it running, and are these its certificates\?"
        with (
            pytest.raises(SiteError, match=line) as caught,
            connect("address", address=cluster.scheduler_address, **good),
        ):
            pass
    assert "\n" not in str(caught.value)


KILLED = """
import os, pathlib, signal, sys
from znought.facility.cluster.certificates import temporary_security
with temporary_security(pathlib.Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_certificates_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".znought-tls-*")
    elsewhere = tmp_path / ".znought-tls-elsewhere"
    elsewhere.mkdir()
    owner = json.loads((left / "owner.json").read_text())
    (elsewhere / "owner.json").write_text(json.dumps(owner | {"host": "another.example"}))
    (tmp_path / ".znought-tls-being-made").mkdir()
    with temporary_security(tmp_path):
        mine = set(tmp_path.glob(".znought-tls-*")) - {left}
        assert len(mine) == 3
        sweep(tmp_path)
        assert set(tmp_path.glob(".znought-tls-*")) == mine
