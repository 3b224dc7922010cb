"""What is searched: settings of an experiment, on which data, and where the trials are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.learners import METHODS
from hypermnesia.settings import SearchRange, has_effect


@dataclasses.dataclass(frozen=True)
class Search:
    """Search for settings, and the directory it is written to.

    Args:
        experiment: Its own settings are tried first.
        directory: Must exist; holds the study and the result.
        trials: How many to make, those of earlier calls included.
        data: Where the data lie; None looks at the usual places.
        only: Settings to look for; empty for all that the experiment's sections declare.
        storage: What holds the study instead of the directory, so that several machines take part: the URL of a
            database, as `postgresql://USER@HOST/NAME`, or the path of a journal file.

    Raises:
        ConfigurationError: There is nothing to look for, or no such setting among it.
    """

    experiment: Experiment
    directory: Path
    trials: int
    data: Path | None = None
    only: tuple[str, ...] = ()
    storage: str | None = None

    def __post_init__(self) -> None:
        declared = search_space(self.experiment)
        for place in self.only:
            if place not in declared:
                raise ConfigurationError(
                    f"only: {shown(place)} is not searched.{did_you_mean(place, declared)} Searched here:"
                    f" {', '.join(declared)}."
                )

    @property
    def space(self) -> dict[str, SearchRange]:
        """Search range of each setting."""
        return {p: s for p, s in search_space(self.experiment).items() if not self.only or p in self.only}


@dataclasses.dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Args:
        number: From 0.
        settings: By place, as `learner.beta`.
        average: Accuracy (or error) on validation data after the last task, averaged over tasks; None unless finished.
        state: How it ended: complete, pruned or fail; or running.
    """

    number: int
    settings: Mapping[str, float]
    average: float | None
    state: str


def search_space(experiment: Experiment) -> dict[str, SearchRange]:
    """Settings that can be tuned: every number of learner and training whose annotation has a search range.

    What the method fixes is not among them.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> list(search_space(load_experiment("split-digits")))
        ['learner.beta', 'training.learning_rate']
    """
    sections = {"learner": experiment.learner, "training": experiment.training}
    found = {place: where for name, section in sections.items() for place, where in _searched(section, name)}
    fixed = METHODS[experiment.learner.method].fixed
    return {place: where for place, where in found.items() if place.removeprefix("learner.") not in fixed}


def _searched(section: BaseModel, place: str) -> Iterator[tuple[str, SearchRange]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _searched(value, f"{place}.{name}")
        elif isinstance(value, float | int) and has_effect(section, name):
            yield from ((f"{place}.{name}", found) for found in field.metadata if isinstance(found, SearchRange))
