"""The page that people see of a learner on a hub: what it has learned, how well, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from hypermnesia.criteria import Metric
from hypermnesia.errors import ConfigurationError
from hypermnesia.extras import version_of
from hypermnesia.learners.prediction import LearnedTask

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_LINES = 60
"""Most lines of a module that are shown."""


def model_card(
    repo: str,
    kind: str,
    described: Mapping[str, Any],
    module: str,
    tasks: Sequence[LearnedTask],
    metric: Metric,
    matrix: Float64[np.ndarray, "learned tasks"] | None,
) -> str:
    """The page as Markdown, with the head that the hub reads.

    Args:
        repo: Name of the repository, as `somebody/digits`.
        kind: Class of the learner.
        described: Settings and arguments that it was made with, as JSON values.
        module: The module as text.
        tasks: Tasks that it has learned.
        metric: What is measured of them.
        matrix: What was measured: row = after task i, column = task j; NaN = not measured. None where it is not known.

    Raises:
        ConfigurationError: The matrix is not one of these tasks.
    """
    from huggingface_hub import ModelCardData

    if matrix is not None and matrix.shape != (len(tasks), len(tasks)):
        raise ConfigurationError(
            f"accuracies must have a row and a column for each of the {len(tasks)} tasks, as learn_sequence returns"
            f" them, not the shape {list(matrix.shape)}"
        )
    head = ModelCardData(
        library_name="hypermnesia",
        tags=["continual-learning", "hypernetworks", kind],
        model_name=repo,
        eval_results=None if matrix is None else _results(tasks, metric, matrix),
    )
    shown = module.splitlines()
    shown = shown if len(shown) <= _LINES else [*shown[:_LINES], "…"]
    again = [what for what in ("criterion", "metric") if (described.get(what) or {}).get("kind") == "function"]
    known = [task for task in tasks if not task.forgotten]
    ask = f"task={known[0].name!r}" if known else "task=0"
    return f"""---
{head.to_yaml()}
---

# {repo.partition("/")[2] or repo}

A `{kind}` of [hypermnesia](https://github.com/hypermnesia/hypermnesia) {version_of("hypermnesia")}, which has learned
{len(tasks)} tasks one after another, and goes on learning where it is loaded.

{_table(tasks, metric, matrix)}

## Use

```python
import hypermnesia as hm

module = ...  # a network of the architecture below; its values do not matter
learner = hm.{kind}.from_pretrained({", ".join([repr(repo), "module", *(f"{what}=..." for what in again)])})
learner.predict(inputs, {ask})
learner.learn(another_task)
```

## The module

```text
{chr(10).join(shown)}
```

## Settings

```json
{json.dumps(described, indent=1, default=str)}
```
"""


def _results(
    tasks: Sequence[LearnedTask], metric: Metric, matrix: Float64[np.ndarray, "tasks tasks"]
) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="other",
            dataset_type=task.name,
            dataset_name=task.name,
            metric_type=metric.name,
            metric_value=float(value),
        )
        for task, value in zip(tasks, matrix[-1] if len(matrix) else [], strict=True)
        if np.isfinite(value)
    ]


def _table(tasks: Sequence[LearnedTask], metric: Metric, matrix: Float64[np.ndarray, "tasks tasks"] | None) -> str:
    names = ["task", "classes or outputs"]
    rows = [[_cell(f"{number}: {task.name}"), _outputs(task)] for number, task in enumerate(tasks)]
    if matrix is not None:
        names += [f"{metric.name} right after it", "after the last task"]
        for number, row in enumerate(rows):
            row += ["" if np.isnan(value) else metric.show(float(value)) for value in matrix[[number, -1], number]]
    return "\n".join(f"| {' | '.join(row)} |" for row in [names, ["---"] * len(names), *rows])


def _outputs(task: LearnedTask) -> str:
    if task.forgotten:
        return "forgotten"
    return _cell(", ".join(task.classes)) if task.classes and len(task.classes) <= 20 else str(task.outputs)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
