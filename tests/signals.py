"""What a process must be told before it is interrupted."""

import signal

__all__ = ["hear_ctrl_c"]


def hear_ctrl_c() -> None:
    """Takes Ctrl-C as it comes: a shell starts with it ignored what it puts into the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
