"""Answers where nobody says the task: for each input, that of the network which is least unsure."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from hypermnesia.learners.generated import INPUTS_AT_A_TIME
from hypermnesia.learners.inference_criteria import InferenceSettings, infer, uncertainty
from hypermnesia.learners.prediction import Prediction
from hypermnesia.protection import ProtectedNetwork
from hypermnesia.seeds import Seeds


def least_unsure(
    networks: Mapping[int, tuple[ProtectedNetwork, int]], inputs: Tensor, settings: InferenceSettings, seeds: Seeds
) -> Prediction:
    """Ask the network of every task. Only the best answer so far is kept, so memory does not grow with tasks.

    Args:
        networks: Of each task, by its number, the network that generates its weights, and the number of the task there.
        inputs: Inputs `[inputs, ...]`.
        settings: The criterion by which a network is unsure.
        seeds: Seeds of the noise that a criterion adds to embeddings.
    """
    uncertainties = torch.empty(len(networks), len(inputs), device=inputs.device)
    answer: Tensor | None = None
    for place, (task, (network, number)) in enumerate(networks.items()):
        logits = _logits_of_copies(network, number, inputs, settings, seeds.child(task))
        uncertainties[place] = uncertainty(logits, settings)
        if answer is None:
            answer, least = logits[0], uncertainties[0].clone()
        else:
            better = uncertainties[place] < least
            answer = torch.where(better[:, None], logits[0], answer)
            least = torch.where(better, uncertainties[place], least)
    assert answer is not None
    places, certainty = infer(uncertainties)
    return Prediction(answer, torch.tensor(list(networks), device=inputs.device)[places], certainty)


@torch.no_grad()
def _logits_of_copies(
    network: ProtectedNetwork, task: int, inputs: Tensor, settings: InferenceSettings, seeds: Seeds
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
