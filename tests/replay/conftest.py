import pytest
import torch
from torch import nn


def _weights_by_definition(
    generator: nn.Module, theta: dict[str, torch.Tensor], embedding: torch.Tensor
) -> dict[str, torch.Tensor]:
    """A pass of a hypernetwork with one hidden layer for each chunk; one chunk behind the other, cut into weights."""
    chunks = []
    for chunk_embedding in theta["chunk_embeddings"]:
        hidden = torch.cat([embedding, chunk_embedding]) @ theta["trunk.0.weight"].T + theta["trunk.0.bias"]
        chunks.append(hidden.relu() @ theta["readout"][:-1] + theta["readout"][-1])
    flat, weights = torch.cat(chunks), {}
    for name, parameter in generator.named_parameters():
        weights[name], flat = flat[: parameter.numel()].view(parameter.shape), flat[parameter.numel() :]
    return weights


@pytest.fixture
def weights_by_definition():
    return _weights_by_definition
