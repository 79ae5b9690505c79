"""The flat public face: every name is there, sorted, and the one that its room defines."""

import pytest

import znought


@pytest.mark.parametrize("name", znought.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(znought, name) is not None


def test_the_face_is_sorted_and_tells_what_it_has() -> None:
    assert [*znought.__all__] == sorted(znought.__all__)
    assert dir(znought) == znought.__all__
    with pytest.raises(AttributeError, match=r"it has .*asimov_z0"):
        znought.asimov  # noqa: B018  # the access raises
