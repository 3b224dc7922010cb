"""Answers where nobody says the task: for each input, that of the network which is least unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import Inputs
from hypermnesia.learners.generated import INPUTS_AT_A_TIME
from hypermnesia.learners.inference_criteria import InferenceSettings, certainty, is_surer, margin, uncertainty
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.protection import ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task


def least_unsure(
    networks: Mapping[int, tuple[ProtectedNetwork, int]], inputs: Inputs, settings: InferenceSettings, seeds: Seeds
) -> Prediction:
    """Ask the network of every task. Only the best answer so far is kept, so memory does not grow with tasks.

    Of networks that are equally unsure, the one whose largest logit stands out most; of equals in that, too, that of
    the task that was learned first.

    Args:
        networks: Of each task, by its number, the network that generates its weights, and the number of the task there;
            at least one.
        inputs: Inputs `[inputs, ...]`.
        settings: The criterion by which a network is unsure.
        seeds: Seeds of the noise that a criterion adds to embeddings.

    Raises:
        DataError: No network answers numbers to some input.
    """
    uncertainties = torch.empty(len(networks), len(inputs), device=inputs.device)
    for place, (task, (network, number)) in enumerate(networks.items()):
        logits = _logits_of_copies(network, number, inputs, settings, seeds.child(task))
        # A network that answers no numbers is sure of nothing.
        unsure = uncertainties[place] = uncertainty(logits, settings).nan_to_num(torch.inf, torch.inf, -torch.inf)
        margins, numbers = margin(logits), torch.full_like(unsure, task, dtype=torch.int64)
        if place == 0:
            answer, least, widest, tasks = logits[0], unsure, margins, numbers
            continue
        surer = is_surer(unsure, margins, (least, widest))
        answer = torch.where(surer[:, None], logits[0], answer)
        least, widest = torch.where(surer, unsure, least), torch.where(surer, margins, widest)
        tasks = torch.where(surer, numbers, tasks)
    if (nowhere := least.isposinf().nonzero()).numel():
        raise DataError(
            f"no task's network answers numbers to input {int(nowhere[0])} (counted from 0), so none is surer than"
            " another: leave such inputs out, or replace what is nan or infinite in them"
        )
    return Prediction(answer, tasks, certainty(uncertainties))


def tells_apart(outputs: Sequence[int]) -> bool:
    """Whether how sure networks are can tell tasks apart that have so many outputs: one with a single one is always.

    Example:
        >>> tells_apart([2, 3]), tells_apart([2, 1])
        (True, False)
    """
    return len(outputs) < 2 or min(outputs) > 1


def check_tells_apart(tasks: Sequence[LearnedTask]) -> None:
    """Refuse to infer a task by how sure networks are where one of them is sure of anything.

    Raises:
        ConfigurationError: There are several tasks, and one of them has a single class.
    """
    known = [task for task in tasks if not task.forgotten]
    if not tells_apart([task.outputs for task in known]):
        single = next(task for task in known if task.outputs == 1)
        raise ConfigurationError(
            f"task '{single.name}' has a single class, so its network is sure of that whatever it is asked, which says"
            " nothing about the task: say which task the inputs belong to, as in predict(inputs, task=0), or learn with"
            " a learner that looks at the inputs, as hypermnesia.LikelihoodLearner or hypermnesia.TaskInferenceLearner"
        )


def check_is_asked(settings: InferenceSettings, task: Task) -> None:
    """Refuse a criterion that is never asked.

    Raises:
        ConfigurationError: One was chosen, and the task is a regression.
    """
    if task.labels == "numbers" and settings != InferenceSettings():
        raise ConfigurationError(
            f"inference has no effect on task '{task.name}': of a regression no network says how sure it is, so the"
            " task must be known; leave it out"
        )


@torch.no_grad()
def _logits_of_copies(
    network: ProtectedNetwork, task: int, inputs: Inputs, settings: InferenceSettings, seeds: Seeds
) -> Float[Tensor, "copies inputs outputs"]:
    """Answers of a task's network, and of as many with a noisy embedding as the criterion wants."""
    parts = inputs.split(INPUTS_AT_A_TIME)
    logits = [torch.cat([network.answer(task, part, one_of_all=True) for part in parts])]
    if settings.copies > 1:
        embedding = network.hypernetwork.task_embeddings[task]
        generator = seeds.generator()
        with network.for_use():
            for _ in range(settings.copies - 1):
                noise = torch.randn(embedding.shape, generator=generator).to(embedding)
                tensors = network.tensors(task, embedding + settings.noise * noise)
                logits.append(torch.cat([network(tensors, part) for part in parts]))
    return torch.stack(logits)
