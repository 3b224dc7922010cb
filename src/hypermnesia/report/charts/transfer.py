"""A picture of what old tasks are worth to a new one that is learned from few examples."""

from __future__ import annotations

from collections.abc import Iterator

import altair

from hypermnesia.analyses.transfer import LearnedFromFew, Transfer

_WIDTH, _HEIGHT = 460, 300
_APART = 0.06  # lines that agree stand side by side
_HOW = {"adapted": "embedding alone, hypernetwork frozen", "from_scratch": "standard network, from scratch"}


def transfer_chart(result: Transfer) -> altair.TopLevelMixin:
    """Accuracy on the next task by tasks learned before it: a color for each number of examples."""
    counts = _counts(result)
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
    base = altair.Chart(altair.InlineData(rows)).encode(
        x=altair.X(
            "learned:Q",
            title="tasks learned before the next one",
            axis=altair.Axis(tickMinStep=1, format="d", labelFlush=False, grid=False),
        ),
        y=altair.Y("accuracy:Q", title="test accuracy on the next task (%)", scale=altair.Scale(zero=False)),
        color=altair.Color(
            "examples:N",
            title="training examples",
            sort=names,
            scale=altair.Scale(domain=names),
        ),
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
    """Accuracies adapted and from scratch, a line for each number of tasks learned before."""
    counts = _counts(result)
    yield "accuracy on the next task (%): embedding alone / from scratch"
    yield f"{'tasks learned':>13}" + "".join(f"  {f'{count} examples':>15}" for count in counts)
    found = {(each.learned, each.examples): each for each in result.results}
    for learned in sorted({each.learned for each in result.results}):
        yield f"{learned:>13}" + "".join(f"  {_pair(found[learned, count]):>15}" for count in counts)


def _pair(found: LearnedFromFew) -> str:
    return f"{100 * found.adapted:.2f} / {100 * found.from_scratch:.2f}"


def _counts(result: Transfer) -> list[int]:
    return sorted({found.examples for found in result.results})
