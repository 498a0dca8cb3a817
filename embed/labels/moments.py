"""What photographs say about themselves, as columns; and which of them belong together by when they were taken."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

BURST_SECONDS = 10.0  # between one photograph of a camera and the next of the same burst
DAY, BURST = "day", "burst"


def columns(told: Mapping[str, Sequence[str | None]]) -> dict[str, NDArray[np.object_]]:
    """Return the columns with the day and the burst of each photograph beside them.

    Parameters
    ----------
    told : mapping of str to sequence of str or None
        taken, camera and others, of each photograph.
    """
    found: dict[str, Any] = dict(told)
    if "taken" in told:
        found[DAY] = [time[:10] if time else None for time in told["taken"]]
        found[BURST] = bursts(told["taken"], told["camera"])
    made = {}
    for name, values in found.items():
        made[name] = np.empty(len(values), object)
        made[name][:] = [value or None for value in values]
    return made


def bursts(taken: Sequence[str | None], cameras: Sequence[str | None]) -> list[str | None]:
    """Return the burst of each photograph, named by its camera and its first moment; None where it says no time.

    Examples
    --------
    >>> bursts(["2024-05-01T12:00:00", "2024-05-01T12:00:09", "2024-05-01T12:00:20", None], ["X"] * 4)
    ['X 2024-05-01T12:00:00', 'X 2024-05-01T12:00:00', 'X 2024-05-01T12:00:20', None]
    """
    of: list[str | None] = [None] * len(taken)
    first, last, camera = "", datetime.min, None
    order = sorted((cameras[i] or "", time, i) for i, time in enumerate(taken) if time)
    for one, time, i in order:
        moment = datetime.fromisoformat(time)
        if one != camera or (moment - last).total_seconds() > BURST_SECONDS:
            first = f"{one} {time}".strip()
        camera, last = one, moment
        of[i] = first
    return of
