"""Misspelt names are answered with the nearest valid one."""

import pytest

from znought.errors import CardError, DataError, LedgerError, SiteError, ZnoughtError, unknown_name


def test_nearest_name() -> None:
    text = unknown_name("region", "cut_base", ["signal", "cut_based"])
    assert text == "Unknown region 'cut_base', did you mean 'cut_based'? Expected one of: signal, cut_based."


def test_nothing_near() -> None:
    assert unknown_name("site", "xyz", ["local"]) == "Unknown site 'xyz'. Expected one of: local."


@pytest.mark.parametrize("kind", [CardError, DataError, LedgerError, SiteError])
def test_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, ZnoughtError)
