"""Patience with servers: what cannot be read from one is tried again a little later."""

import logging
from collections.abc import Collection, Iterable
from time import sleep

__all__ = ["pause_for_servers"]

logger = logging.getLogger(__name__)

_ABSENT = ("filenotfound", "no such file", "not found")
PAUSES_S = (5.0, 40.0)
"""Before the second and the third round: a server that starts anew is back within half a minute."""


def pause_for_servers(n_rounds: int, unread: Iterable[tuple[Collection[str], str]]) -> None:
    """Waits before the next round where anything that could not be read is on a server.

    Args:
        n_rounds: rounds that were done.
        unread: places of each file that could not be read, and why; none waits for one that does not exist.
    """
    distant = sorted(
        {
            place
            for places, reason in unread
            for place in places
            if "://" in place and not any(word in reason.lower() for word in _ABSENT)
        }
    )
    if not distant or not 1 <= n_rounds <= len(PAUSES_S):
        return
    seconds = PAUSES_S[n_rounds - 1]
    more = f" and {len(distant) - 1} more" if len(distant) > 1 else ""
    logger.warning("%s%s cannot be read now: tried again in %.0f s.", distant[0], more, seconds)
    sleep(seconds)
