"""Published tables of accuracies, and which of our runs answer for which of their cells. All of it is data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.learners import METHODS
from hypermnesia.settings import Settings, checked

# Keys become parts of the names of files and directories.
Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]

PUBLISHED = "published"
"""What runs with the published settings are called among the variants."""


class Accuracy(NamedTuple):
    """Mean over the seeds and its standard error, both in percent; None where the latter was not published."""

    mean: Annotated[float, Field(ge=0, le=100)]
    sem: Annotated[float, Field(ge=0, le=100)] | None = None


class Variant(Settings):
    """Settings of ours that are not the published ones. What runs with them found stands in columns of its own."""

    label: str
    """Text at the head of these columns, behind `ours`."""
    note: str
    """Sentence for below the table: what differs, and how."""


class CellKey(NamedTuple):
    """What names a figure of ours: the cell it stands beside, and the variant of our settings."""

    benchmark: str
    scenario: str
    method: str
    variant: str = PUBLISHED


class Reproduction(Settings):
    """One of our runs, and the cells it answers for."""

    method: Key
    """Name of a method of ours, which is also its column."""
    benchmark: Key
    preset: str | None = None
    """Name of a preset, or path of a YAML file; null for the preset that is called like the benchmark."""
    settings: Mapping[str, Any] = Field(default_factory=dict)
    """Settings that differ from it, by place."""
    variant: Key = PUBLISHED
    """Name of the variant that these settings are, where they are not the published ones."""
    scenarios: tuple[Key, ...] | None = None
    """Scenarios in which it answers; null for all of its benchmark."""
    separately: bool = False
    """Whether it takes a run of its own, trained for it, for each scenario."""

    @property
    def name(self) -> str:
        """Name that tells it from all others of its table.

        Example:
            >>> Reproduction(method="hnet-r", benchmark="split-mnist", scenarios=("class",)).name
            'split-mnist_hnet-r_class'
            >>> Reproduction(method="hnet", benchmark="split-mnist", variant="module").name
            'split-mnist_hnet_module'
        """
        variant = [] if self.variant == PUBLISHED else [self.variant]
        return "_".join([self.benchmark, self.method, *variant, *(self.scenarios or ())])

    def experiment(self, changes: Mapping[str, Any] | None = None) -> Experiment:
        """The experiment of the run.

        Args:
            changes: Settings that differ, by place.

        Raises:
            ConfigurationError: It cannot be run.
        """
        try:
            changes = {**self.settings, **(changes or {})}
            return load_experiment(self.preset or self.benchmark, changes, self.method)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.name}: {error}") from error


class PublishedTable(Settings):
    """Accuracies as published, for each benchmark, scenario and method, and the runs of ours to set beside them.

    Example:
        >>> load_table("table-1").accuracy["split-mnist"]["class"]["hnet-r"]
        Accuracy(mean=95.3, sem=0.13)
    """

    name: Annotated[str, Field(pattern=r"^\w[\w .+-]*$")]
    """Name of the file, after which the written tables are called."""
    source: str
    """Source in which it was published."""
    seeds: Annotated[int, Field(ge=2)] | None = None
    """Over how many the means were taken; null where that was not published."""
    methods: dict[Key, str]
    """Columns printed for each method, in their order."""
    accuracy: dict[Key, dict[Key, dict[Key, Accuracy]]]
    """By benchmark, scenario and method. A cell that was not published is left out."""
    variants: dict[Key, Variant] = Field(default_factory=dict)
    """What runs may differ in from the published settings, in the order of the columns."""
    by_task: tuple[Key, ...] = ()
    """Benchmarks of which methods are set side by side on each task, too, and beside learning it from scratch."""
    runs: tuple[Reproduction, ...] = ()

    @property
    def published(self) -> str:
        """What stands in front of its source: over how many seeds it was published, where that is known."""
        return f"Published{f', {self.seeds} seeds' if self.seeds else ''}: {self.source}"

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Benchmark and scenario of each row."""
        return [(benchmark, scenario) for benchmark, scenarios in self.accuracy.items() for scenario in scenarios]

    @property
    def reproduced(self) -> list[str]:
        """The methods that runs of ours answer for, in the order of the columns."""
        return [method for method in self.methods if self.variants_of(method)]

    def variants_of(self, method: str) -> list[str]:
        """The variants that runs of a method have, in the order of the columns; the published settings are the first.

        Example:
            >>> load_table("table-1").variants_of("hnet"), load_table("table-1").variants_of("si")
            (['published', 'module'], ['published'])
        """
        ours = {run.variant for run in self.runs if run.method == method}
        return [variant for variant in (PUBLISHED, *self.variants) if variant in ours]

    def scenarios(self, run: Reproduction) -> tuple[str, ...]:
        """The scenarios of this table in which a run answers."""
        return tuple(
            scenario
            for scenario in self.accuracy.get(run.benchmark, ())
            if run.scenarios is None or scenario in run.scenarios
        )

    def cells(self, run: Reproduction) -> list[CellKey]:
        """The cells of this table that a run answers for."""
        return [CellKey(run.benchmark, scenario, run.method, run.variant) for scenario in self.scenarios(run)]


def tables() -> list[str]:
    """Names of the tables that come with the package."""
    files = (resources.files(__package__) / "published").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def load_table(source: str) -> PublishedTable:
    """The table of that name.

    Args:
        source: One of `tables()`, or the path of a YAML file like those.

    Raises:
        ConfigurationError: There is no such table, or it is not well-formed; one sentence for each thing wrong.

    Example:
        >>> load_table("table-1").seeds
        20
    """
    if source in (names := tables()):
        with resources.as_file(resources.files(__package__) / "published" / f"{source}.yaml") as path:
            values = sources.read_file(path)
    elif source.endswith((".yaml", ".yml")):
        values = sources.read_file(Path(source))
    else:
        raise ConfigurationError(
            f"There is no table {shown(source)}.{did_you_mean(source, names)} Tables: {', '.join(names)}; "
            "a file of your own must end in .yaml."
        )
    complaint = f"{source} is no table of accuracies."
    table = checked(PublishedTable, values, complaint)
    if wrong := list(_contradictions(table)):
        raise ConfigurationError("\n".join([complaint, *wrong]))
    return table.model_copy(update={"runs": tuple(_runs(table))})


def select(
    table: PublishedTable, only: Sequence[str] = (), methods: Sequence[str] = (), variants: Sequence[str] = ()
) -> PublishedTable:
    """A part of a table: fewer rows, and runs for fewer methods and variants. Every published column remains.

    Args:
        table: To take it from.
        only: Benchmarks and scenarios to keep; without any benchmark all of them, and likewise for scenarios.
        methods: Those to run; none for all that can be.
        variants: Those to run, `published` for the published settings; none for all.

    Raises:
        ConfigurationError: There is no such benchmark, scenario or method, no run for the method or of the variant, or
            nothing is left.

    Example:
        >>> select(load_table("table-1"), ["split-mnist", "class"]).rows
        [('split-mnist', 'class')]
    """
    benchmarks, scenarios = list(table.accuracy), list(dict.fromkeys(scenario for _, scenario in table.rows))
    for word in only:
        if word not in [*benchmarks, *scenarios]:
            raise ConfigurationError(
                f"only: there is no benchmark or scenario {shown(word)}."
                f"{did_you_mean(word, [*benchmarks, *scenarios])} Benchmarks: {', '.join(benchmarks)};"
                f" scenarios: {', '.join(scenarios)}."
            )
    for method in methods:
        if method not in table.reproduced:
            known = method in table.methods
            wrong = f"{shown(method)} has no run of ours" if known else f"there is no method {shown(method)}"
            raise ConfigurationError(
                f"methods: {wrong}.{did_you_mean(method, table.reproduced)} "
                f"Allowed: {', '.join(table.reproduced) or 'none'}."
            )
    runs = [run for run in table.runs if run.method in (methods or table.methods)]
    allowed = list(dict.fromkeys(run.variant for run in runs))
    for variant in variants:
        if variant not in allowed:
            raise ConfigurationError(
                f"variants: no run of {' or '.join(methods) or 'ours'} is {shown(variant)}."
                f"{did_you_mean(variant, allowed)} Allowed: {', '.join(allowed)}."
            )
    kept_benchmarks = [word for word in benchmarks if word in only] or benchmarks
    kept_scenarios = [word for word in scenarios if word in only] or scenarios
    accuracy = {
        benchmark: {scenario: cells for scenario, cells in rows.items() if scenario in kept_scenarios}
        for benchmark, rows in table.accuracy.items()
        if benchmark in kept_benchmarks
    }
    by_task = tuple(benchmark for benchmark in table.by_task if benchmark in kept_benchmarks)
    part = table.model_copy(update={"accuracy": accuracy, "by_task": by_task})
    if not part.rows:
        raise ConfigurationError(f"only: {table.name} has no row for {', '.join(only)} together.")
    runs = [run for run in runs if part.scenarios(run) and run.variant in (variants or [run.variant])]
    used = {run.variant for run in runs}
    described = {name: variant for name, variant in table.variants.items() if name in used}
    return part.model_copy(update={"runs": tuple(runs), "variants": described})


def _runs(table: PublishedTable) -> Iterator[Reproduction]:
    """The runs as they are carried out: those for each scenario separately, one by one."""
    for run in table.runs:
        if not run.separately:
            yield run
        for scenario in table.scenarios(run) if run.separately else ():
            settings = {**run.settings, "scenario": scenario}
            yield run.model_copy(update={"settings": settings, "scenarios": (scenario,), "separately": False})


def _contradictions(table: PublishedTable) -> Iterator[str]:
    """A sentence for each place that speaks of what the table does not have, or of a cell twice."""
    for benchmark, scenario in table.rows:
        for method in table.accuracy[benchmark][scenario]:
            yield from _unknown(f"accuracy.{benchmark}.{scenario}", method, table.methods)
    for benchmark in table.by_task:
        yield from _unknown("by_task", benchmark, table.accuracy)
    used = {run.variant for run in table.runs}
    for name in table.variants:
        if name == PUBLISHED or name in {scenario for _, scenario in table.rows}:
            yield f"variants.{name}: a scenario, or runs with the published settings, have this name; choose another."
        elif name not in used:
            yield f"variants.{name}: no run has this variant; leave it out."
    answered: dict[CellKey, int] = {}
    for number, run in enumerate(table.runs):
        scenarios = table.accuracy.get(run.benchmark, {})
        for place in sources.flatten(run.settings).keys() & {"learner.method", "name", "seed"}:
            yield f"runs.{number}.settings: {place} is decided by the table's method, name and seeds; leave it out."
        yield from _unknown(f"runs.{number}.method", run.method, table.methods)
        yield from _unknown(f"runs.{number}.method", run.method, METHODS)
        yield from _unknown(f"runs.{number}.benchmark", run.benchmark, table.accuracy)
        yield from _unknown(f"runs.{number}.variant", run.variant, [PUBLISHED, *table.variants])
        for scenario in (run.scenarios or ()) if scenarios else ():
            yield from _unknown(f"runs.{number}.scenarios", scenario, scenarios)
        for cell in table.cells(run):
            if (other := answered.setdefault(cell, number)) != number:
                yield f"runs.{number}: runs.{other} answers for {' '.join(cell[:3])} already, as {run.variant}."


def _unknown(where: str, word: str, known: Iterable[str]) -> Iterator[str]:
    if word not in (words := list(known)):
        yield f"{where}: there is no '{word}'.{did_you_mean(word, words)} Allowed: {', '.join(words)}."
