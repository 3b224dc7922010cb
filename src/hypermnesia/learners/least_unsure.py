"""Answers where nobody says the task: for each input, that of the network which is least unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import Inputs
from hypermnesia.learners.generated import INPUTS_AT_A_TIME
from hypermnesia.learners.inference_criteria import InferenceSettings, certainty, is_surer, margin, uncertainty
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.protection import ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.standard.network import IMPOSSIBLE
from hypermnesia.tasks.task import Task


def least_unsure(
    networks: Mapping[int, tuple[ProtectedNetwork, int]],
    outputs: Sequence[int],
    inputs: Inputs,
    settings: InferenceSettings,
    seeds: Seeds,
) -> Prediction:
    """Ask the network of every task. Only the best answer so far is kept, so memory does not grow with tasks.

    Of networks that are equally unsure, the one whose largest logit stands out most; of equals in that, too, that of
    the task that was learned first.

    Args:
        networks: Of each task, by its number, the network that generates its weights, and the number of the task there;
            at least one.
        outputs: Of each task, by its number, how many outputs it has; a network may have more.
        inputs: Inputs `[inputs, ...]`.
        settings: The criterion by which a network is unsure.
        seeds: Seeds of the noise that a criterion adds to embeddings.

    Raises:
        DataError: No network answers numbers to some input.
    """
    # Of few inputs, the answers of many tasks are compared at once.
    at_once = max(1, INPUTS_AT_A_TIME // max(1, len(inputs)))
    everywhere = torch.arange(len(inputs), device=inputs.device)
    uncertainties: list[Tensor] = []
    best: tuple[Tensor, ...] = ()  # answer, uncertainty, margin and task of each input
    for start in range(0, len(networks), at_once):
        some = list(networks.items())[start : start + at_once]
        logits = torch.stack(
            [_logits_of_copies(*network, inputs, settings, seeds.child(task)) for task, network in some], dim=1
        )
        tasks = torch.tensor([task for task, _ in some], device=inputs.device)
        of_its_classes = _without_others(logits, torch.tensor(outputs, device=inputs.device)[tasks])
        together = of_its_classes.flatten(1, 2)
        # A network that answers no numbers is sure of nothing.
        unsure = (
            uncertainty(together, settings).nan_to_num(torch.inf, torch.inf, -torch.inf).view(len(some), len(inputs))
        )
        margins = margin(together).view(len(some), len(inputs))
        # The widest margin of the least unsure ones; of equals the first.
        surest = torch.where(unsure == unsure.amin(0), margins, -torch.inf).argmax(0)
        found = logits[0, surest, everywhere], unsure[surest, everywhere], margins[surest, everywhere], tasks[surest]
        uncertainties.append(unsure)
        if not best:
            best = found
            continue
        surer = is_surer(found[1], found[2], (best[1], best[2]))
        best = tuple(
            torch.where(surer.view(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(found, best, strict=True)
        )
    answer, least, _, tasks = best
    if (nowhere := least.isposinf().nonzero()).numel():
        raise DataError(
            f"no task's network answers numbers to input {int(nowhere[0])} (counted from 0), so none is surer than"
            " another: leave such inputs out, or replace what is nan or infinite in them"
        )
    return Prediction(answer, tasks, certainty(torch.cat(uncertainties)))


def _without_others(
    logits: Float[Tensor, "copies tasks inputs outputs"], counts: Int64[Tensor, " tasks"]
) -> Float[Tensor, "copies tasks inputs outputs"]:
    """Logits of which those beyond the number of outputs that a task has are impossible."""
    absent = torch.arange(logits.shape[-1], device=logits.device) >= counts[:, None, None]
    return logits.masked_fill(absent, IMPOSSIBLE)


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
                noise = torch.randn(embedding.shape, dtype=torch.float32, generator=generator).to(embedding)
                tensors = network.tensors(task, embedding + settings.noise * noise)
                logits.append(torch.cat([network.functional(tensors, part) for part in parts]))
    return torch.stack(logits)
