"""Section that sums up what was run and what came out."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.recorded_runs.groups import Group, deviations
from hypermnesia.report.page.section import Block, Facts, Section, Text, of_each
from hypermnesia.report.text import difference, duration, number, numbers, plain

_NAMED = 8


def summary(groups: Sequence[Group]) -> Section | None:
    """Section with the main figures of the group that is chosen."""
    return of_each("Summary", groups, _blocks)


def _blocks(group: Group) -> list[Block]:
    said = [Text(_sentence(group))]
    if changed := deviations(group.settings):
        named = [f"{key}={plain(value)}" for key, value in changed.items()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        said.append(Text(f"Not as in the preset {group.settings['name']}: {', '.join(named[:_NAMED])}{more}."))
    return [*said, Facts([fact for fact in _facts(group) if fact[1]])]


def _sentence(group: Group) -> str:
    settings = group.settings
    known = [settings.get("description"), _of(settings.get("scenario"), "{}-incremental")]
    known += [_of(settings.get("learner.method"), "method {}")]
    about = "; ".join(str(text).rstrip(".") for text in known if text) or "Settings cannot be read"
    return f"{about}. {_extent(group)}"


def _of(value: object, form: str) -> str:
    return form.format(value) if value else ""


def _extent(group: Group) -> str:
    counted = group.counted
    seeds = numbers(run.seed for run in counted if run.seed is not None)
    if not group.finished:
        seed = f" (seed {seeds})" if seeds and len(group.runs) > 1 else ""
        return f"This run{seed} is {counted[0].progress}; figures are those so far."
    if len(counted) > 1:
        said = f"Mean ± standard error of {len(counted)} seeds ({seeds})."
    else:
        said = f"Seed {seeds}." if seeds else "One run, whose seed cannot be read."
    going = len(group.runs) - len(counted)
    they = "run is" if going == 1 else "runs are"
    return f"{said} {going} more {they} not finished and not counted yet." if going else said


def _facts(group: Group) -> list[tuple[str, str]]:
    found = group.task_inference_accuracy
    return [
        (f"average {group.metric.label}", show_spread(group.average, group.metric)),
        (difference("forgetting", [group.metric]), show_spread(group.forgetting, group.metric)),
        (difference("backward transfer", [group.metric]), show_spread(group.backward_transfer, group.metric)),
        ("task inferred (%)", "" if found is None else f"{100 * found:.2f}"),
        ("compression ratio", number(group.figure("compression"), ".3f")),
        ("time of a run", duration(group.seconds)),
    ]
