"""Accuracy against the size of the hypernetwork, beside standard networks that have as many weights.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 4.1 and figure 3, whose
hypernetworks also differ in their hidden layers; here they differ in the size of their chunks only.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from hypermnesia.analyses.variants import Found, Variant, check_classes, found
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs.methods import METHODS, Base, why_not
from hypermnesia.experiments.many_runs.processes import Outcome
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.settings.config import load
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.networks.sizes import widths_of_size

_HYPERNETWORK, _STANDARD = METHODS["hnet"], METHODS["from-scratch"]


@dataclasses.dataclass(frozen=True)
class Size:
    """A hypernetwork, and standard networks with as many weights.

    Args:
        ratio: Hypernetwork weights per target weight that were asked for.
        hypernetwork: With this ratio, or the nearest below.
        standard: A network for each task, whose hidden layers are scaled until all of them together have as many
            weights as the hypernetwork, or nearly; None where there is none.
        standard_hidden: Their widths.
    """

    ratio: float
    hypernetwork: Variant
    standard: Variant | None = None
    standard_hidden: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is compared.

    Args:
        base: The experiment of the hypernetwork.
        target_weights: Of the network that is generated.
        num_tasks: That are learned.
        sizes: From the smallest.
        left_out: What cannot be there and why, a sentence for each.
    """

    base: Base
    target_weights: int
    num_tasks: int
    sizes: tuple[Size, ...]
    left_out: tuple[str, ...]

    @property
    def variants(self) -> Iterator[Variant]:
        """All experiments that have to be run."""
        for size in self.sizes:
            yield size.hypernetwork
            if size.standard:
                yield size.standard


@dataclasses.dataclass(frozen=True)
class SizedFound:
    """What one size found.

    Args:
        size: Which.
        hypernetwork: Of it.
        standard: Of the standard networks; None where there are none.
    """

    size: Size
    hypernetwork: Found
    standard: Found | None


@dataclasses.dataclass(frozen=True)
class CompressionStudy:
    """Accuracy by size.

    Args:
        sizes: What was compared.
        seeds: How many runs of each were asked for.
        found: Of each size.
    """

    sizes: Sizes
    seeds: int
    found: tuple[SizedFound, ...]

    def ratio(self, weights: int) -> float:
        """So many weights per weight of the target network."""
        return weights / self.sizes.target_weights


def sizes(base: Base, ratios: Sequence[float], data: Path | None = None) -> Sizes:
    """Hypernetworks of these compression ratios, and the standard networks beside them.

    Args:
        base: The experiment of the hypernetwork; its settings of the learner are not for the standard networks.
        ratios: Wanted hypernetwork weights, embeddings included, per target weight.
        data: Where the data lie; None looks at the usual places.

    Raises:
        ConfigurationError: None of the ratios can be met, the target has no hidden layer to scale, or a setting is
            for this study to decide.
        DataError: Missing or damaged data.

    Example:
        >>> from hypermnesia.experiments.many_runs.methods import base_of
        >>> (size,) = sizes(base_of("split-digits"), [0.5]).sizes
        >>> size.hypernetwork.settings, size.standard_hidden
        (('learner.chunk_size=null', 'learner.compression=0.5'), (46, 46))
    """
    check_classes(base)
    for assignment in base.overrides:
        if assignment.partition("=")[0] in ("learner.compression", "learner.chunk_size"):
            raise ConfigurationError(f"'{assignment}': the size differs from run to run; choose with --ratios.")
    if not base.experiment.network.hidden:
        raise ConfigurationError("network.hidden=[]: there is no hidden layer that could be made smaller or larger.")
    tasks = build_tasks(base.experiment, data)
    inputs, classes = math.prod(tasks[0].train.input_shape), [task.num_outputs or 1 for task in tasks]
    made: list[Size] = []
    left_out = [] if base.experiment.scenario in _STANDARD.scenarios else [why_not(_STANDARD, base.experiment.scenario)]
    with_standard, target_weights = not left_out, 0
    for ratio in sorted({float(f"{ratio:g}") for ratio in ratios}):
        variant = _hypernetwork(base, ratio)
        experiment = load(variant.preset, variant.settings)
        try:
            learner = build_learner(experiment, tasks)
        except ConfigurationError as error:
            left_out.append(str(error))
            continue
        assert isinstance(learner, HypernetworkLearner)
        target_weights = learner.hypernetwork.layout.size
        weights = learner.num_weights + len(tasks) * learner.hypernetwork.embedding_dim
        hidden = widths_of_size(inputs, base.experiment.network.hidden, classes, weights) if with_standard else None
        if with_standard and hidden is None:
            left_out.append(f"no {len(tasks)} standard networks together have as few weights as {ratio:g} asks for")
        made.append(Size(ratio, variant, _standard(base, ratio, hidden) if hidden else None, hidden or ()))
    if not made:
        raise ConfigurationError(f"--ratios: {'; '.join(left_out)}.")
    return Sizes(base, target_weights, len(tasks), tuple(made), tuple(left_out))


def compression(sizes: Sizes, outcomes: Sequence[Outcome], seeds: int = 1) -> CompressionStudy:
    """What the runs found.

    Args:
        sizes: What they were planned from.
        outcomes: Runs that did not finish are passed over.
        seeds: How many were asked for.
    """
    rows = [
        SizedFound(size, found(size.hypernetwork, outcomes), found(size.standard, outcomes) if size.standard else None)
        for size in sizes.sizes
    ]
    return CompressionStudy(sizes, seeds, tuple(rows))


def _hypernetwork(base: Base, ratio: float) -> Variant:
    preset, settings = base.settings(_HYPERNETWORK)
    # A preset has a chunk size of its own, and both together are refused.
    own = ("learner.chunk_size=null", f"learner.compression={ratio:g}")
    return Variant(f"hnet-{ratio:g}", preset, (*settings, *own))


def _standard(base: Base, ratio: float, hidden: Sequence[int]) -> Variant:
    preset, settings = base.without_learner().settings(_STANDARD)
    return Variant(f"from-scratch-{ratio:g}", preset, (*settings, f"network.hidden={list(hidden)}"))
