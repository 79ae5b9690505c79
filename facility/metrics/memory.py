"""The most memory that this process has held, since it was last asked to forget (Linux)."""

from pathlib import Path

__all__ = ["forget_peak", "peak_bytes"]

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Begin anew; nothing happens where the system does not know of this."""
    if _FORGET.exists():
        _FORGET.write_text("5")


def peak_bytes() -> int | None:
    """Most resident memory; None where the system does not say."""
    if not _STATUS.exists():
        return None
    with _STATUS.open(encoding="ascii", errors="replace") as status:
        line = next((line for line in status if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) * 1024
