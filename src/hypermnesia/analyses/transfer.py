"""Transfer of a frozen hypernetwork to a new task, of which the embedding alone is learned, from few examples.

The next task of the run's own sequence is learned by the hypernetwork as it was after 0, 1, 2, … tasks, and by the
standard network from scratch: from the same examples, in as many iterations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import altair
import torch

from hypermnesia.analyses.analysis import Advanced, Analysis, Option, unheard
from hypermnesia.analyses.files import Parts
from hypermnesia.charts.chart import chart_of, value_scale
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.progress import steps_of
from hypermnesia.experiments.recorded_runs.finished import FinishedRun
from hypermnesia.experiments.settings.build import build_learner
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.learners import ContinualLearner, HypernetworkLearner, score
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Task
from hypermnesia.tasks.fewer_examples import choose_few

NAME = "transfer"
_EXAMPLES = (10, 100, 1000)
_WIDTH, _HEIGHT = 460, 300
_APART = 0.06  # lines that agree stand side by side
_HOW = {"adapted": "embedding alone, hypernetwork frozen", "from_scratch": "standard network, from scratch"}


@dataclasses.dataclass(frozen=True)
class LearnedFromFew:
    """Accuracy on the next task, learned from few examples.

    Attributes:
        learned: Number of tasks learned before it; its own number, from 1, is one more.
        name: Name of the next task.
        examples: Number of its training examples that were used.
        adapted: Test accuracy, from 0 to 1, of the frozen hypernetwork with a new embedding.
        from_scratch: Test accuracy of the standard network.
    """

    learned: int
    name: str
    examples: int
    adapted: float
    from_scratch: float


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Accuracy on each task, learned from few examples, by the number of tasks learned before it.

    Attributes:
        run: Name of the experiment and seed, for people.
        iterations: Number of optimizer steps each time.
        dimensions: Size of an embedding, which is all that is learned of a new task.
        results: Accuracies for each number of tasks learned before and each number of examples.
    """

    run: str
    iterations: int
    dimensions: int
    results: list[LearnedFromFew]


def transfer(run: FinishedRun, examples: Sequence[int] | None = None, advanced: Advanced = unheard) -> Transfer:
    """Let the hypernetwork, as it was after each task, learn the next one by its embedding alone.

    Before the first task it can do so only where weights are generated from zero: else no embedding makes a difference.
    Every accuracy is kept as soon as it is measured.

    Args:
        run: Run to look into, which must keep its learners.
        examples: Numbers of training examples; None takes 10, 100 and 1000, those that every task has.
        advanced: Function that is told of every task learned.

    Raises:
        ConfigurationError: The run did not keep its learners, has a single task, or not that many examples.
    """
    if len(run.tasks) < 2:
        raise ConfigurationError(f"{run.directory.path} has a single task; transfer needs a next one.")
    run.learner_after(1)  # so that a run without them is refused before anything is computed
    counts = _counts(run, examples)
    parts = Parts(run.directory.analyses / f"{NAME}.parts.json", {"learner": run.fingerprint, "few": "by class"})
    results: list[LearnedFromFew] = []
    numbers = range(0 if run.learner.hypernetwork.base is None else 1, len(run.tasks))
    for learned in numbers:
        for count in counts:
            place = f"{count} examples of task {learned + 1}"
            adapted = parts.get(f"{place}, adapted", _adapted, run, learned, count)
            from_scratch = parts.get(f"{place}, from scratch", _from_scratch, run, learned, count)
            results.append(LearnedFromFew(learned, run.tasks[learned].name, count, adapted, from_scratch))
            advanced(len(results), len(numbers) * len(counts))
    (iterations,) = steps_of(run.tasks[:1], run.experiment.training)
    return Transfer(run.title, iterations, run.learner.hypernetwork.embedding_dim, results)


def _counts(run: FinishedRun, examples: Sequence[int] | None) -> list[int]:
    most = min(len(task.train) for task in run.tasks)
    if examples is None:
        return [count for count in _EXAMPLES if count <= most] or [most]
    if wrong := [count for count in examples if not 1 <= count <= most]:
        raise ConfigurationError(
            f"examples: {wrong[0]} is not possible; the smallest task has {most} training examples, so it must lie in"
            f" 1 to {most}."
        )
    return sorted(set(examples))


def _adapted(run: FinishedRun, learned: int, count: int) -> float:
    """Accuracy on the next task of the hypernetwork after so many tasks, with nothing but a new embedding learned."""
    learner = run.learner_after(learned) if learned else build_learner(run.experiment, run.tasks)
    assert isinstance(learner, HypernetworkLearner)
    learner.training = _experiment(run, learned).training
    task = _few(run, learned, count)
    learner.adapt(task)
    return _accuracy(learner, task, learned)


def _from_scratch(run: FinishedRun, task: int, count: int) -> float:
    """Accuracy on a task of a standard network that never learned another."""
    values = {**_experiment(run, task).model_dump(), "learner": {"method": "separate"}, "scenario": "task"}
    learner = build_learner(Experiment.model_validate(values), run.tasks)
    few = _few(run, task, count)
    learner.learn(few)
    return _accuracy(learner, few, 0)


def _experiment(run: FinishedRun, task: int) -> Experiment:
    """The run's, with as many iterations as all examples of the task take, however few are learned from."""
    (iterations,) = steps_of([run.tasks[task]], run.experiment.training)
    length = {"iterations": iterations, "epochs": None}
    training = run.experiment.training.model_copy(update=length)
    return run.experiment.model_copy(update={"training": training})


def _few(run: FinishedRun, number: int, count: int) -> Task:
    """The task with so many training examples, of two numbers the fewer among the more; every class in its share."""
    task = run.tasks[number]
    labels = torch.cat([labels for _, labels in task.train.in_order(1000)])
    chosen = choose_few(labels, count, Seeds(run.experiment.seed, (NAME, number)), task.name)
    assert chosen is not None
    assert task.test is not None
    few, test = task.train.take(chosen), next(task.test.in_order(len(task.test)))  # both as they go into a network
    return dataclasses.replace(Task.of(few, test=test), name=task.name, classes=task.classes)


def _accuracy(learner: ContinualLearner, task: Task, number: int) -> float:
    assert task.test is not None
    return score(learner, task.test, number).value["task"]


def transfer_chart(result: Transfer) -> altair.TopLevelMixin:
    """Chart of the accuracy on the next task by tasks learned before it, a color for each number of examples."""
    counts = _numbers_of_examples(result)
    rows = [
        {
            "learned": found.learned + _APART * (counts.index(found.examples) - (len(counts) - 1) / 2),
            "next": f"{found.learned + 1}: {found.name}",
            "examples": str(found.examples),
            "how": name,
            "accuracy": 100 * getattr(found, field),
        }
        for found in result.results
        for field, name in _HOW.items()
    ]
    names = [str(count) for count in counts]
    base = chart_of(rows).encode(
        x=altair.X(
            "learned:Q",
            title="tasks learned before the next one",
            axis=altair.Axis(tickMinStep=1, format="d", labelFlush=False, grid=False),
        ),
        y=altair.Y(
            "accuracy:Q",
            title="test accuracy on the next task (%)",
            scale=value_scale((row["accuracy"] for row in rows), ACCURACY),
        ),
        color=altair.Color("examples:N", title="training examples", sort=names, scale=altair.Scale(domain=names)),
        strokeDash=altair.StrokeDash(
            "how:N",
            title="what is learned",
            sort=list(_HOW.values()),
            scale=altair.Scale(domain=list(_HOW.values()), range=[[1, 0], [5, 4]]),
            legend=altair.Legend(orient="top", columns=1, labelLimit=0),
        ),
        tooltip=[
            altair.Tooltip("next:N", title="next task"),
            altair.Tooltip("examples:N", title="training examples"),
            altair.Tooltip("how:N", title="what is learned"),
            altair.Tooltip("accuracy:Q", title="accuracy (%)", format=".2f"),
        ],
    )
    shape = altair.Shape(
        "how:N", sort=list(_HOW.values()), scale=altair.Scale(range=["circle", "diamond"]), legend=None
    )
    points = base.mark_point(filled=True, size=45, opacity=1).encode(shape=shape, strokeDash=altair.value([1, 0]))
    return altair.layer(base.mark_line(strokeWidth=2), points).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=altair.TitleParams(
            f"{result.run}: a new task from few examples",
            subtitle=f"{result.iterations:,} iterations each; an embedding is {result.dimensions} numbers",
        ),
    )


def transfer_text(result: Transfer) -> Iterator[str]:
    """Lines for a terminal: accuracies adapted and from scratch, a line for each number of tasks learned before."""
    counts = _numbers_of_examples(result)
    yield "accuracy on the next task (%): embedding alone / from scratch"
    yield f"{'tasks learned':>13}" + "".join(f"  {f'{count} examples':>15}" for count in counts)
    found = {
        (each.learned, each.examples): f"{100 * each.adapted:.2f} / {100 * each.from_scratch:.2f}"
        for each in result.results
    }
    for learned in sorted({each.learned for each in result.results}):
        yield f"{learned:>13}" + "".join(f"  {found[learned, count]:>15}" for count in counts)


def _numbers_of_examples(result: Transfer) -> list[int]:
    return sorted({found.examples for found in result.results})


ANALYSIS = Analysis(
    name=NAME,
    help="""Learn each next task from few examples by its embedding alone, beside learning it from scratch.

    The hypernetwork is frozen as it was after 0 (where it starts from zero), 1, 2, ... tasks; the run must have been
    made with recording.keep_learners=true. Accuracies are kept as they are measured: give the same command again
    after Ctrl-C.
    """,
    compute=transfer,
    result=Transfer,
    chart=transfer_chart,
    lines=transfer_text,
    title="A new task from few examples",
    alternative="Test accuracy on each next task, learned by its embedding alone, beside a standard network from "
    "scratch.",
    options=(
        Option(
            *("examples", "integers", "", "N,N"),
            "Training examples of the next task. [default: those of 10,100,1000 that every task has]",
        ),
    ),
    steps="tasks learned",
    resumable=True,
)
