"""Flat view of an ntuple for coffea: every branch as it is, each read once."""

from collections.abc import Mapping
from typing import Any

from coffea.nanoevents.schemas import BaseSchema
from coffea.nanoevents.util import concat

__all__ = ["FlatSchema", "counter_of"]


def counter_of(branch: str, fields: Mapping[str, object]) -> str | None:
    """Branch that counts the objects of a collection: nJet for Jet_pt, jet_n for jet_pt, or none.

    >>> counter_of("Jet_pt", {"nJet": 0, "Jet_pt": 0}), counter_of("lep_pt", {"lep_n": 0})
    ('nJet', 'lep_n')
    """
    collection = branch.split("_")[0]
    for counter in (f"n{collection}", f"{collection}_n"):
        if counter in fields and counter != branch:
            return counter
    return None


class FlatSchema(BaseSchema):  # type: ignore[misc]  # coffea has no type information
    """Branches as top-level fields; jagged ones take their offsets from the collection's counter.

    coffea's `BaseSchema` reads a jagged branch twice, once for its offsets and once for its content.
    With the offsets from the counter, as in a NanoAOD, each branch is read once.
    """

    def __init__(self, base_form: dict[str, Any]) -> None:
        forms = dict(zip(base_form["fields"], base_form["contents"], strict=True))
        contents = [_with_shared_offsets(name, form, forms) for name, form in forms.items()]
        super().__init__({**base_form, "contents": contents})


def _with_shared_offsets(
    name: str, form: dict[str, Any], forms: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The form of one branch, with the offsets of its collection's counter where there is one."""
    counter = counter_of(name, forms)
    if counter is None or not form["class"].startswith("ListOffset"):
        return form
    if forms[counter]["class"] != "NumpyArray" or form["content"]["class"] != "NumpyArray":
        return form
    return {
        "class": "ListOffsetArray",
        "offsets": "i64",
        "content": form["content"],
        "form_key": concat(forms[counter]["form_key"], "!counts2offsets", "!skip"),
    }
