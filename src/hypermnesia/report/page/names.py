"""Names of figures' files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypermnesia.experiments.recorded_runs.groups import Group


def figure_name(what: str, group: Group, groups: Sequence[Group]) -> str:
    """What a figure shows, and of which group where there are several; letters, digits and hyphens.

    Groups have different labels, but labels may become one name; then a number tells them apart.
    """
    if len(groups) == 1:
        return what
    names = [re.sub(r"[^A-Za-z0-9.]+", "-", each.label).strip("-.") for each in groups]
    place = next(number for number, each in enumerate(groups) if each is group)
    alike = names[:place].count(names[place])
    return f"{what}-{names[place]}" + (f"-{alike + 1}" if alike else "")
