"""Members of sets of weights, by the titles of real and of written files."""

from pathlib import Path

import pytest
import uproot

from znought.errors import DataError
from znought.processors.generator_weights import lha_ids, scale_points, shower_points


def test_a_real_file_says_what_its_weights_are(open_data: Path) -> None:
    with uproot.open(open_data / "nano_dy.root") as file:
        titles = {name: file["Events"][name].title for name in ("LHEScaleWeight", "PSWeight", "LHEPdfWeight")}
    scales = scale_points(titles["LHEScaleWeight"]).tolist()
    assert scales == [[r, f] for r in (0.5, 1.0, 2.0) for f in (0.5, 1.0, 2.0)]
    # Newer files begin with ISR=2: an order by heart would exchange the two showers.
    assert shower_points(titles["PSWeight"]).tolist() == [[0.5, 1], [1, 0.5], [2, 1], [1, 2]]
    assert lha_ids(titles["LHEPdfWeight"]) == tuple(range(91400, 91433))


def test_other_spellings_are_read() -> None:
    fortran = "[0] is renscfact=0.5d0 facscfact=1d0 ; [1] is renscfact=2d0 facscfact=2d0 "
    assert scale_points(fortran).tolist() == [[0.5, 1.0], [2.0, 2.0]]
    quoted = '[0] is MUR="0.5" MUF="0.5"; [1] is MUR="1.0" MUF="2.0"'
    assert scale_points(quoted).tolist() == [[0.5, 0.5], [1.0, 2.0]]


@pytest.mark.parametrize("title", ["LHEScaleWeight/F", "", "[1] is muR=1 muF=1"])
def test_a_title_that_does_not_say_is_refused(title: str) -> None:
    with pytest.raises(DataError, match="must say"):
        scale_points(title)
    with pytest.raises(DataError, match="must say"):
        shower_points(title)
    with pytest.raises(DataError, match="LHA IDs"):
        lha_ids(title)
