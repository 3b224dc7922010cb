"""How much it matters to choose the strength: β of the output regularizer beside λ of online EWC.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, whose appendix shows that β may differ by
orders of magnitude. The published λ lie between 100 and 1e10 (van de Ven and Tolias, Three scenarios for continual
learning, 2019).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypermnesia.analyses.variants import Found, Variant, check_classes, found
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs.methods import METHODS, Base, Method
from hypermnesia.experiments.many_runs.processes import Outcome
from hypermnesia.experiments.settings.config import load


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """A method and what its strength is called.

    Args:
        method: Which.
        symbol: Of the strength.
        place: Of it among the settings.
        option: By which people choose its values.
    """

    method: Method
    symbol: str
    place: str
    option: str


REGULARIZERS = (
    Regularizer(METHODS["hnet"], "β", "learner.beta", "--betas"),
    Regularizer(METHODS["online-ewc"], "λ", "learner.strength", "--lambdas"),
)
"""Those that are set side by side."""


@dataclasses.dataclass(frozen=True)
class Strengths:
    """A regularizer at several strengths.

    Args:
        regularizer: Which.
        own: The strength in the preset for these tasks; None if there is no such preset.
        variants: By strength, from the smallest.
    """

    regularizer: Regularizer
    own: float | None
    variants: dict[float, Variant]


@dataclasses.dataclass(frozen=True)
class StrengthCurve:
    """What a regularizer's strengths found.

    Args:
        strengths: Which.
        found: By strength, from the smallest.
    """

    strengths: Strengths
    found: dict[float, Found]

    def near_best(self, points: float = 1.0) -> list[float]:
        """The strengths whose accuracy at the end is within so many percentage points of the best."""
        at_end = {strength: each.at_end.mean for strength, each in self.found.items() if each.at_end}
        return [strength for strength, accuracy in at_end.items() if accuracy >= max(at_end.values()) - points]


@dataclasses.dataclass(frozen=True)
class StrengthStudy:
    """Accuracy by strength.

    Args:
        base: The experiment that both were compared on.
        seeds: How many runs of each were asked for.
        curves: One for each regularizer.
    """

    base: Base
    seeds: int
    curves: tuple[StrengthCurve, ...]


def strengths(base: Base, betas: Sequence[float], lambdas: Sequence[float]) -> list[Strengths]:
    """Both regularizers at these strengths.

    Args:
        base: The experiment to compare them on.
        betas: Of the output regularizer, above 0.
        lambdas: Of online EWC, above 0.

    Raises:
        ConfigurationError: A setting is for this study to decide.

    Example:
        >>> from hypermnesia.experiments.many_runs.methods import base_of
        >>> ours, ewc = strengths(base_of("split-mnist"), betas=[0.1], lambdas=[10.0, 1000.0])
        >>> ours.own, [variant.name for variant in ewc.variants.values()]
        (0.01, ['online-ewc-10', 'online-ewc-1000'])
    """
    check_classes(base)
    for assignment in base.overrides:
        for regularizer in REGULARIZERS:
            if assignment.partition("=")[0] == regularizer.place:
                raise ConfigurationError(
                    f"'{assignment}': the strength differs from run to run; choose with {regularizer.option}."
                )
    return [_strengths(base, each, values) for each, values in zip(REGULARIZERS, (betas, lambdas), strict=True)]


def strength(base: Base, planned: Sequence[Strengths], outcomes: Sequence[Outcome], seeds: int = 1) -> StrengthStudy:
    """What the runs found.

    Args:
        base: The experiment that they were planned from.
        planned: Likewise.
        outcomes: Runs that did not finish are passed over.
        seeds: How many were asked for.
    """
    curves = [
        StrengthCurve(each, {value: found(variant, outcomes) for value, variant in each.variants.items()})
        for each in planned
    ]
    return StrengthStudy(base, seeds, tuple(curves))


def _strengths(base: Base, regularizer: Regularizer, values: Sequence[float]) -> Strengths:
    method, place = regularizer.method, regularizer.place
    preset, settings = base.settings(method)
    own = None
    if base.preset(method):
        own = float(getattr(load(preset, settings).learner, place.partition(".")[2]))
    variants = {
        float(text): Variant(f"{method.name}-{text}", preset, (*settings, f"{place}={text}"))
        for text in (f"{value:g}" for value in sorted(values))
    }
    return Strengths(regularizer, own, variants)
