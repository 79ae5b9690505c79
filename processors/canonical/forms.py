"""Forms of canonical collections: which buffers make an awkward record of objects with coffea's methods."""

from collections.abc import Mapping
from typing import Any

__all__ = ["RECORDS", "Form", "list_form", "numbers", "record_form"]

Form = dict[str, Any]

RECORDS: Mapping[str, str] = {
    "Electron": "Electron",
    "Muon": "Muon",
    "Tau": "Tau",
    "Photon": "Photon",
    "Jet": "Jet",
    "FatJet": "FatJet",
    "MET": "MissingET",
}
"""Collection → coffea's record that gives it its methods."""


def numbers(key: str, primitive: str) -> Form:
    """Form of plain numbers."""
    return {"class": "NumpyArray", "primitive": primitive, "inner_shape": [], "form_key": key}


def record_form(name: str, fields: Mapping[str, str]) -> Form:
    """Form of one record per event or object, from field → primitive."""
    return {
        "class": "RecordArray",
        "fields": list(fields),
        "contents": [numbers(f"{name}.{field}", kind) for field, kind in fields.items()],
        "parameters": {"__record__": RECORDS[name], "collection_name": name},
        "form_key": f"!invalid {name}",
    }


def list_form(name: str, fields: Mapping[str, str]) -> Form:
    """Form of a list of objects per event, from field → primitive."""
    return {
        "class": "ListOffsetArray",
        "offsets": "i64",
        "content": record_form(name, fields),
        "form_key": name,
    }
