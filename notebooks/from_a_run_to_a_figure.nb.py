# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .nb.py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a run to a figure in a paper
#
# Methods side by side with several seeds, a table, and a figure as PDF: from the command line, and from the files
# that a run leaves.
#
# This notebook is a script, `notebooks/from_a_run_to_a_figure.nb.py`; Jupyter opens it with jupytext (`pip install
# jupytext`), and a test runs it. Lines that begin with an exclamation mark are commands of a terminal.

# %% [markdown]
# ## Runs
#
# Two methods with two seeds each, so short that they take some seconds. For a paper leave out what is set here, and
# take more seeds. The same command, given again, goes on where it was stopped, and makes nothing twice.

# %%
# !hypermnesia compare split-digits training.iterations=60 --methods hnet,fine-tuning --seeds 2 --out runs

# %% [markdown]
# The comparison is also there as Markdown and as CSV, with every figure's standard error.

# %%
from pathlib import Path

sorted(str(path) for path in Path("runs").iterdir())

# %% [markdown]
# ## Figures that are made for you
#
# One page of all runs, and each of its figures as SVG and PDF.

# %%
# !hypermnesia report runs -o report.html --figures figures

# %%
from IPython.display import SVG

print(*sorted(path.name for path in Path("figures").glob("*.pdf")), sep="\n")
SVG(filename="figures/curves-average.svg")

# %% [markdown]
# ## A figure of your own
#
# Each run directory holds its accuracy matrix: row = after a task, column = on a task.

# %%
import altair
import numpy as np

import hypermnesia as hm

altair.renderers.enable("svg")
matrices = {}
for file in sorted(Path("runs").glob("**/accuracy.csv")):
    matrix = np.genfromtxt(file, delimiter=",", skip_header=1)[:, 1:]
    matrices.setdefault(file.parent.name.rpartition("-seed")[0], []).append(matrix)
{method: np.mean(found, axis=0).round(3) for method, found in matrices.items()}

# %% [markdown]
# Forgetting of each method, mean and standard error over seeds, as a chart, and as rows for LaTeX:

# %%
rows = []
for method, found in matrices.items():
    lost = [100 * hm.evaluation.forgetting(matrix) for matrix in found]
    mean, error = np.mean(lost), np.std(lost, ddof=1) / np.sqrt(len(lost))
    rows.append({"method": method, "forgetting": mean, "low": mean - error, "high": mean + error})
    print(rf"{method} & ${mean:.2f} \pm {error:.2f}$ \\")

# %%
base = altair.Chart(altair.InlineData(rows)).encode(y=altair.Y("method:N", title=None))
chart = (
    base.mark_rule().encode(x=altair.X("low:Q", title="forgetting (percentage points)"), x2="high:Q")
    + base.mark_point(filled=True, size=60).encode(x="forgetting:Q")
).properties(width=360, height=120)
chart.save("forgetting.pdf")
assert Path("forgetting.pdf").stat().st_size > 1000
chart

# %% [markdown]
# ## What to say beside it
#
# The commands, the seeds, and where the runs were made: each run directory has them in `config.yaml` and
# `environment.json`.

# %%
import json

first = next(iter(sorted(Path("runs").glob("**/environment.json"))))
started = json.loads(first.read_text())[-1]  # an entry for each time the run was started or resumed
{key: value for key, value in started.items() if key in ("hypermnesia", "torch", "python", "platform")}
