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
# # Protect your network in ten minutes
#
# A small network for handwritten digits, three tasks that arrive one after another, and no old data. First without
# protection, then with it.
#
# This notebook is a script, `notebooks/protect_your_network.nb.py`; Jupyter opens it with jupytext (`pip install
# jupytext`), and a test runs it.

# %%
import altair
import torch
from torch import nn

import hypermnesia as hm

altair.renderers.enable("svg")
torch.manual_seed(0)

# %% [markdown]
# ## Tasks
#
# The digits come with the installation. Each task is to tell two of them apart. Yours would be `hm.Task.of((inputs,
# labels), test=…, name=…)`, with arrays, tensors, a dataset or a data loader.

# %%
tasks = hm.tasks.split("digits", classes_per_task=2)[:3]
[(task.name, len(task.train), len(task.test)) for task in tasks]

# %% [markdown]
# ## A network of your own
#
# Nothing in it knows of tasks.


# %%
def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 16, 64),
        nn.ReLU(),
        nn.Linear(64, 2),
    )


# %% [markdown]
# ## Without protection
#
# The usual loop, one task after another. After each task, accuracy on the test examples of all so far.


# %%
def accuracy(net, task):
    images, labels = next(task.test.in_order(1000))
    return (net(images).argmax(1) == labels).float().mean().item()


net, unprotected = network(), []
for number, task in enumerate(tasks):
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    images, labels = next(task.train.in_order(1000))
    for _ in range(200):
        batch = torch.randint(len(labels), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
    unprotected.append([accuracy(net, known) for known in tasks[: number + 1]])
unprotected

# %% [markdown]
# The first number of each row is the first task, and it fades.
#
# ## With protection
#
# `HypernetworkLearner` takes the network as it is. A small hypernetwork generates its weights from an embedding of
# each task; a regularizer keeps what it generates for old ones.

# %%
learner = hm.HypernetworkLearner(network(), compression=1, training={"iterations": 200, "batch_size": 32})
matrix = hm.learn_sequence(learner, tasks, progress=False)
matrix

# %%
rows = [
    {"after task": after + 1, "accuracy (%)": 100 * row[0], "first task": name}
    for name, rows in (("unprotected", unprotected), ("hypernetwork", matrix))
    for after, row in enumerate(rows)
]
altair.Chart(altair.InlineData(rows)).mark_line(point=True).encode(
    x=altair.X("after task:O", axis=altair.Axis(labelAngle=0)),
    y=altair.Y("accuracy (%):Q", scale=altair.Scale(domain=[0, 100])),
    color=altair.Color("first task:N", legend=altair.Legend(orient="bottom")),
).properties(width=320, height=220, title="Accuracy on the first task, as further ones are learned")

# %%
forgotten = hm.evaluation.forgetting(matrix)
assert forgotten < 0.03, forgotten
assert matrix[-1].min() > 0.9, matrix[-1]
print(f"forgetting {forgotten:.3f}, {learner.num_weights:,} weights for all tasks")

# %% [markdown]
# ## Months later
#
# A file holds all that is needed; no data are in it. The network's class comes from you, the values from the file.

# %%
learner.save("digits.safetensors")
later = hm.load("digits.safetensors", network())
later.learn(hm.tasks.split("digits", classes_per_task=2)[3])
[round(later.score(task), 2) for task in tasks]

# %% [markdown]
# ## To use it
#
# `predict` answers for a task. `network` is one task's network alone, of your own class, for programs that do not
# have this package.

# %%
images, labels = next(tasks[1].test.in_order(5))
alone = later.network(tasks[1].name)
later.predict(images, task=1).names, torch.equal(alone(images), later.predict(images, task=1).outputs)

# %% [markdown]
# Where nobody says the task, it is inferred. By how sure the networks are it is a guess; see the guide on an unknown
# task for learners that do this better.

# %%
answer = later.predict(images)
answer.names, answer.certainty
