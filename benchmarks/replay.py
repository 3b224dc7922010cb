"""Time of a step of the learner with replay, and of each of its parts alone."""

from __future__ import annotations

import itertools

import torch

from benchmarks.contenders import hypermnesia, trained_directly, with_breaks
from benchmarks.timing import Sample, Steps, in_turns, repeated, waiting
from benchmarks.workload import ENDLESS, Workload
from hypermnesia.replay import ReplayClassifier
from hypermnesia.replay.classifier import BATCHES_IN_A_BLOCK
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork
from hypermnesia.training.trainer import Trainer

PRESET, METHOD, PAST_TASKS = "split-mnist", "hnet-r", 2
PARTS = ("classifier", "replay model", "drawing replay")


def replay_step_times(device: torch.device, rounds: int, seconds: float) -> dict[str, Sample]:
    """Seconds per step of the learner with replay and of each part of the step, all measured in the same rounds."""
    contenders = replay_steps(Workload(PRESET, device, METHOD), PAST_TASKS)
    return in_turns(contenders, rounds=rounds, seconds=seconds, wait=waiting(device), multiple=BATCHES_IN_A_BLOCK)


def replay_steps(workload: Workload, past_tasks: int) -> dict[str, Steps]:
    """The whole step of the learner in the task after `past_tasks`, and its parts.

    The classifier's part is a standard network on as many images as are new and replayed together; that of the replay
    model is its task loss, lookahead and regularizer; drawing replay is making images of past tasks, a block for many
    steps, and what the classifier takes them for.
    """
    experiment = workload.experiment
    standard = StandardNetwork(workload.network(), experiment.scenario, experiment.training, Seeds(0))
    classifier = ReplayClassifier(standard, experiment.learner.replay, experiment.training, Seeds(0))
    # Past tasks are as chance began them: nothing takes longer once they are learned.
    for _ in range(past_tasks):
        classifier.begin_task(workload.outputs, workload.task.train.input_shape)
        classifier.end_task(workload.task)
    classifier.begin_task(workload.outputs, workload.task.train.input_shape)
    of_classifier, of_replay_model = classifier.objectives()
    trainer = Trainer(of_replay_model, workload.task.train, workload.training(ENDLESS), Seeds(0), workload.device)
    # Made beforehand: the replay model's part has the making of batches in it, as the whole has, once.
    batches = itertools.cycle(list(itertools.islice(workload.batches(times=2), BATCHES_IN_A_BLOCK)))
    iterations = itertools.count()
    parts = (
        trained_directly(workload.network(len(standard.outputs)), workload, batches),
        with_breaks(trainer.run, workload.device),
        repeated(lambda: of_classifier.prepare(next(iterations))),
    )
    return {"whole": hypermnesia(workload, past_tasks), **dict(zip(PARTS, parts, strict=True))}
