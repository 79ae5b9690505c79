"""What a process must be told before it is interrupted."""

import signal

__all__ = ["hear_signals"]


def hear_signals() -> None:
    """Takes Ctrl-C and a closed terminal as they come.

    A shell starts with the first ignored what it puts into the background, nohup with the second.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
