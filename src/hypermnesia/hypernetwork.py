"""The task-conditioned hypernetwork, from a task embedding to all weights of a target network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.initialization import Initialization, decorrelating, hyperfan_variances, learned_dtype, xavier_uniform
from hypermnesia.layout import ParameterLayout
from hypermnesia.networks.perceptron import ACTIVATIONS, ActivationName
from hypermnesia.seeds import default_generators_kept


class Hypernetwork(nn.Module):
    """Hypernetwork f_h(e, Θ_h): an MLP that generates the weights of a target network, whole or chunk by chunk.

    The MLP maps a task embedding `e` and a chunk embedding `c_i` to chunk `i`; the chunks follow one another in the
    flat vector of the layout, and the surplus of the last one is dropped. A full hypernetwork is the case of a single
    chunk, without chunk embedding. The number of tasks, which are added one by one, is not limited.

    Everything before the last layer is called the trunk, its output (a one appended, for the bias) the features
    `Φ`, and the last layer with its bias the `readout` `A`, kept transposed as `[features, chunk_size]`: then
    all chunks are one matrix product, already in the order of the flat vector.

    With a `base` Θ_0 it generates the difference from these weights, Θ_trgt = Θ_0 + f_h(e, Θ_h), and its readout starts
    at zero: the target starts as it is, with the scale of each layer that whoever made it has chosen. The features may
    then start `decorrelated`: the trunk ends in a square linear layer, which starts as :func:`decorrelating` says.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, sections 2.1 and 2.3.

    Args:
        layout: Layout of the weights to generate.
        embedding_dim: Dimension of a task embedding.
        chunk_embedding_dim: Dimension of a chunk embedding; unused by a full hypernetwork.
        hidden: Widths of the trunk's layers; may be empty.
        activation: Activation function after each layer of the trunk.
        chunk_size: Number of weights in a chunk; None for a full hypernetwork.
        initialization: Initialization of the weights: `xavier` (as published); with a base also `decorrelated`, without
            one `hyperfan-in` or `hyperfan-out`.
        base: Weights Θ_0 by name that the generated ones are a difference from; they are copied. None to generate from
            zero, and gains of normalizations from one.
        generator: Generator of the initial weights; None for the global one.

    Attributes:
        base: Θ_0 as the chunks have it, `[num_chunks, chunk_size]`; None where there is none.

    Raises:
        ConfigurationError: A size is below one, or the initialization does not go with a base, or its absence.

    Example:
        >>> hypernetwork = Hypernetwork(ParameterLayout.of(nn.Linear(3, 2)), chunk_size=4, hidden=(5,))
        >>> task = hypernetwork.add_task()
        >>> {name: tuple(weight.shape) for name, weight in hypernetwork(task).items()}
        {'weight': (2, 3), 'bias': (2,)}
    """

    def __init__(
        self,
        layout: ParameterLayout,
        *,
        embedding_dim: int = 24,
        chunk_embedding_dim: int = 16,
        hidden: Sequence[int] = (20, 20),
        activation: ActivationName = "relu",
        chunk_size: int | None = None,
        initialization: Initialization = "xavier",
        base: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if base is not None and initialization.startswith("hyperfan"):
            raise ConfigurationError(
                f"initialization '{initialization}' is that of a readout, which starts at zero where weights are a"
                " difference from given ones: leave it out, or generate from zero"
            )
        if base is None and initialization == "decorrelated":
            raise ConfigurationError(
                "initialization 'decorrelated' goes with weights that are a difference from given ones: give a base, or"
                " choose xavier, hyperfan-in or hyperfan-out"
            )
        sizes = {
            "embedding_dim": embedding_dim,
            "chunk_size": layout.size if chunk_size is None else chunk_size,
            "chunk_embedding_dim": chunk_embedding_dim,
            **{f"hidden[{i}]": width for i, width in enumerate(hidden)},
        }
        for name, size in sizes.items():
            if size < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {size}")
        self.layout = layout
        self.embedding_dim = embedding_dim
        self.chunk_size = min(sizes["chunk_size"], layout.size)
        self.num_chunks = math.ceil(layout.size / self.chunk_size)
        self.activation = ACTIVATIONS[activation]()
        self.initialization: Initialization = initialization

        dtype = learned_dtype()
        self.chunk_embeddings = nn.Parameter(
            torch.empty(self.num_chunks, chunk_embedding_dim if self.is_chunked else 0, dtype=dtype)
        )
        widths = [embedding_dim + self.chunk_embeddings.shape[1], *hidden]
        with default_generators_kept():  # from which a linear layer draws; its weights are initialized below
            self.trunk = nn.ModuleList(nn.Linear(i, o, dtype=dtype) for i, o in itertools.pairwise(widths))
        if initialization == "decorrelated":
            self.mixing = nn.Parameter(torch.empty(widths[-1] + 1, widths[-1] + 1, dtype=dtype))
        self.readout = nn.Parameter(torch.empty(widths[-1] + 1, self.chunk_size, dtype=dtype))
        self.task_embeddings = nn.ParameterList()
        self.base: Tensor | None
        self.register_buffer("base", None if base is None else self._in_chunks(base), persistent=False)
        self.reset_parameters(generator)

    @classmethod
    def with_compression(cls, layout: ParameterLayout, compression: float, **settings: Any) -> Hypernetwork:
        """Make a hypernetwork whose chunk size meets a compression ratio.

        The hypernetwork has the fewest chunks with which its weights, chunk embeddings and one task embedding included,
        are at most `compression` times the target's weights.

        Args:
            layout: Layout of the weights to generate.
            compression: Wanted ratio of hypernetwork weights to target weights, above 0; :attr:`compression` is the
                ratio reached.
            settings: Arguments of the constructor, without `chunk_size`.

        Raises:
            ConfigurationError: No chunk size is small enough; the text names the smallest possible ratio.

        Example:
            >>> layout = ParameterLayout.of(nn.Linear(100, 100))
            >>> hypernetwork = Hypernetwork.with_compression(layout, 0.5, embedding_dim=8, hidden=(10,))
            >>> _ = hypernetwork.add_task()
            >>> 0.45 < hypernetwork.compression <= 0.5
            True
        """
        if not compression > 0:
            raise ConfigurationError(f"compression must be above 0, not {compression}")
        # With a target of two weights these widths show which weights do not depend on the chunk size.
        two = {"two": torch.zeros(2)} if settings.get("base") is not None else None
        small = cls(
            ParameterLayout(("two",), ((2,),)),
            chunk_size=1,
            **{**settings, "base": two, "generator": torch.Generator()},
        )
        varying = small.chunk_embeddings.numel() + small.readout.numel()
        fixed = sum(p.numel() for p in small.parameters()) - varying + small.embedding_dim
        features, chunk_embedding_dim = small.readout.shape[0], small.chunk_embeddings.shape[1]

        def weights(num_chunks: int) -> int:
            chunk_size = math.ceil(layout.size / num_chunks)
            chunk_weights = num_chunks * chunk_embedding_dim if num_chunks > 1 else 0
            return fixed + features * chunk_size + chunk_weights

        budget = compression * layout.size
        # Falls until √(features · weights / chunk_embedding_dim) chunks and rises from there.
        turn = min(layout.size, max(1, round(math.sqrt(features * layout.size / chunk_embedding_dim))))
        num_chunks = next((n for n in range(1, turn + 1) if weights(n) <= budget), None)
        if num_chunks is None:
            least = min(weights(n) for n in range(1, turn + 1)) / layout.size
            raise ConfigurationError(
                f"compression {compression:g} cannot be met: with these widths the smallest ratio is {least:.3g};"
                " make hidden, embedding_dim or chunk_embedding_dim smaller, or ask for a higher ratio"
            )
        return cls(layout, chunk_size=math.ceil(layout.size / num_chunks), **settings)

    @property
    def is_chunked(self) -> bool:
        """Whether there is more than one chunk."""
        return self.num_chunks > 1

    @property
    def num_tasks(self) -> int:
        """Number of tasks added so far, removed ones included."""
        return len(self.task_embeddings)

    @property
    def tasks(self) -> list[int]:
        """Numbers of the tasks that have an embedding: of all but the removed ones."""
        return [number for number, embedding in enumerate(self.task_embeddings) if embedding.numel()]

    @property
    def surplus(self) -> int:
        """Number of elements of the last chunk that are dropped."""
        return self.num_chunks * self.chunk_size - self.layout.size

    @property
    def compression(self) -> float:
        """Ratio of the hypernetwork's weights, embeddings of all tasks so far included, to the target's weights."""
        return sum(parameter.numel() for parameter in self.parameters()) / self.layout.size

    def shared_parameters(self) -> dict[str, nn.Parameter]:
        """Return Θ_h: the parameters that all tasks share, by name; all but the task embeddings."""
        return {n: p for n, p in self.named_parameters() if not n.startswith("task_embeddings.") and p.numel()}

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw Θ_h anew, according to `initialization`; task embeddings stay as they are."""
        self.chunk_embeddings.normal_(generator=generator)
        for layer in self.trunk:
            assert isinstance(layer, nn.Linear)
            layer.weight.copy_(xavier_uniform(layer.in_features, layer.out_features, generator).T)
            layer.bias.zero_()
        features = self.readout.shape[0] - 1
        self.readout.zero_()
        if self.base is None:
            self.readout[:-1] = xavier_uniform(features, self.chunk_size, generator)
        if self.initialization == "decorrelated":
            self.mixing.copy_(torch.eye(features + 1))
            enough = max(128, math.ceil(8 * (features + 1) / self.num_chunks))  # to see all directions of the features
            anywhere = torch.randn(enough, self.embedding_dim, dtype=torch.float32, generator=generator)
            self.mixing.copy_(decorrelating(self.features(anywhere.to(self.readout))))
        elif self.initialization != "xavier":
            self._rescale_readout(self.initialization, generator)

    def _rescale_readout(self, mode: Literal["hyperfan-in", "hyperfan-out"], generator: torch.Generator | None) -> None:
        """Give every generated weight its hyperfan variance.

        A column of the readout serves one weight of each chunk, so it gets the mean of their variances. The size of
        the features, which the source assumes, is measured over random embeddings.
        """
        wanted = hyperfan_variances(self.layout, mode)
        counts = functional.pad(torch.ones_like(wanted), (0, self.surplus)).view(self.num_chunks, -1).sum(0)
        wanted = functional.pad(wanted, (0, self.surplus)).view(self.num_chunks, -1).sum(0) / counts
        embeddings = torch.randn(64, self.embedding_dim, dtype=torch.float32, generator=generator).to(self.readout)
        energy = self.features(embeddings)[..., :-1].square().sum(-1).mean()
        unit = math.sqrt(3) * torch.empty(self.readout.shape[0] - 1, self.chunk_size, dtype=torch.float32).uniform_(
            -1, 1, generator=generator
        )
        self.readout[:-1] = unit.to(self.readout) * (wanted.to(self.readout) / energy).sqrt()

    def add_task(self, generator: torch.Generator | None = None) -> int:
        """Begin a new task: freeze the old embeddings, add one drawn from N(0, 1), return the task's number."""
        self.task_embeddings.requires_grad_(False)
        embedding = torch.randn(self.embedding_dim, dtype=torch.float32, generator=generator)
        self.task_embeddings.append(nn.Parameter(embedding.to(self.readout)))
        return self.num_tasks - 1

    def remove_task(self, task: int) -> None:
        """Drop the embedding of a task; the others keep theirs and their numbers.

        Raises:
            ConfigurationError: There is no such task.
        """
        self._check_there(task)
        nothing = self.readout.detach().new_empty(0)
        self.task_embeddings[task] = nn.Parameter(nothing, requires_grad=False)

    def embeddings(self, tasks: Sequence[int]) -> Float[Tensor, "tasks embedding"]:
        """Return the embeddings of several tasks, detached."""
        return torch.stack([self.task_embeddings[task].detach() for task in tasks])

    def features(
        self,
        embeddings: Float[Tensor, "tasks embedding"],
        parameters: Mapping[str, Tensor] | None = None,
        pairs: Int[Tensor, " pairs"] | None = None,
    ) -> Float[Tensor, "*pairs features"]:
        """Compute the features Φ: the trunk's output for tasks and chunks, with a one appended, mixed if it mixes.

        Args:
            embeddings: Task embeddings, `[tasks, embedding_dim]`.
            parameters: Parameters Θ_h by name, as from :meth:`shared_parameters`; None for the hypernetwork's own.
            pairs: Numbers `task * num_chunks + chunk` of the pairs wanted; None for all.

        Returns:
            `[pairs, features]`, or of all `[tasks, chunks, features]`.
        """
        theta = self.shared_parameters() if parameters is None else parameters
        chunks = theta.get("chunk_embeddings", self.chunk_embeddings)
        split = self.embedding_dim
        if not self.trunk:
            hidden = torch.cat(self._of_pairs(embeddings, chunks, pairs), -1)
        else:
            # The first layer is linear in [e, c]: a sum of a part per task and a part per chunk.
            weight = theta["trunk.0.weight"]
            of_task = embeddings @ weight[:, :split].T
            of_chunk = functional.linear(chunks, weight[:, split:], theta["trunk.0.bias"])
            task, chunk = self._of_pairs(of_task, of_chunk, pairs)
            hidden = self.activation(task + chunk)
            for i in range(1, len(self.trunk)):
                layer = functional.linear(hidden, theta[f"trunk.{i}.weight"], theta[f"trunk.{i}.bias"])
                hidden = self.activation(layer)
        features = functional.pad(hidden, (0, 1), value=1.0)
        return features @ theta["mixing"] if "mixing" in theta else features

    @staticmethod
    def _of_pairs(of_task: Tensor, of_chunk: Tensor, pairs: Tensor | None) -> tuple[Tensor, Tensor]:
        """What each pair's task has, and what its chunk has."""
        if pairs is not None:
            return of_task[pairs // len(of_chunk)], of_chunk[pairs % len(of_chunk)]
        shape = (len(of_task), len(of_chunk), -1)
        return of_task[:, None].expand(*shape), of_chunk[None].expand(*shape)

    @torch.no_grad()
    def squared_norms(
        self, embeddings: Float[Tensor, "tasks embedding"], parameters: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, " tasks"]:
        """Compute ‖Θ_trgt‖² for several embeddings, without generating any weights.

        Arguments are those of :meth:`features`. With readout `A` and base `B`, it is `⟨AᵀA Φ, Φ⟩ + 2⟨AᵀB, Φ⟩ + ‖B‖²`.
        """
        theta = self.shared_parameters() if parameters is None else parameters
        features, readout = self.features(embeddings, theta), theta["readout"]
        gram = inner_products(readout, readout)
        norms = ((features @ gram) * features).sum((1, 2))
        if self.surplus:
            last, surplus = features[:, -1], readout[:, self.chunk_size - self.surplus :]
            norms = norms - ((last @ (surplus @ surplus.T)) * last).sum(1)
        if self.base is not None:
            norms = norms + 2 * (features * inner_products(self.base, readout)).sum((1, 2)) + self.base.square().sum()
        return norms

    def forward(self, task: int) -> dict[str, Tensor]:
        """Generate the target's weights for one task, by parameter name: Θ_trgt = f_h(e^(task), Θ_h).

        Raises:
            ConfigurationError: There is no such task.
        """
        self._check_there(task)
        return self.generate(self.task_embeddings[task])

    def generate(
        self, embedding: Float[Tensor, " embedding"], parameters: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Generate the target's weights for any embedding, by parameter name.

        Args:
            embedding: Task embedding, `[embedding_dim]`.
            parameters: Parameters Θ_h by name, as from :meth:`shared_parameters`; None for the hypernetwork's own.
        """
        theta = self.shared_parameters() if parameters is None else parameters
        features = self.features(embedding[None], theta)[0]
        chunks: Tensor = _Readout.apply(features, theta["readout"], self.base)  # type: ignore[no-untyped-call]
        weights = self.layout.unflatten(chunks.view(-1))
        for name in self.layout.scales if self.base is None else ():
            weights[name] = weights[name] + 1
        for name, row in self.layout.padding:
            weight = weights[name]
            weights[name] = torch.cat([weight[:row], self._padding_row(name, row), weight[row + 1 :]])
        return weights

    def _check_there(self, task: int) -> None:
        if not 0 <= task < self.num_tasks:
            raise ConfigurationError(f"there is no task {task}: {self.num_tasks} tasks were added, counted from 0")
        if not self.task_embeddings[task].numel():
            raise ConfigurationError(f"task {task} was removed")

    def _padding_row(self, name: str, row: int) -> Float[Tensor, "1 numbers"]:
        """The row for padding of an embedding: that of the base, or zeros."""
        if self.base is None:
            return self.readout.new_zeros(1, *self.layout.shape_of(name)[1:])
        return self.layout.unflatten(self.base.view(-1))[name][row : row + 1]

    def _in_chunks(self, tensors: Mapping[str, Tensor]) -> Float[Tensor, "chunks size"]:
        """Copy weights by name into the order of the chunks, with zeros for the surplus."""
        flat = self.layout.flatten(tensors).detach().to(self.readout.dtype)
        return functional.pad(flat, (0, self.surplus)).view(self.num_chunks, self.chunk_size)


class _Readout(torch.autograd.Function):
    """`base + features @ readout`, with a gradient that is fast for few features and long chunks."""

    generate_vmap_rule = True  # for gradients of single examples

    @staticmethod
    def forward(features: Tensor, readout: Tensor, base: Tensor | None) -> Tensor:
        return features @ readout if base is None else torch.addmm(base, features, readout)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features, readout = ctx.saved_tensors
        of_features, of_readout, _ = ctx.needs_input_grad
        return (
            inner_products(gradient, readout) if of_features else None,
            features.T @ gradient if of_readout else None,
            None,
        )


def inner_products(left: Float[Tensor, "n long"], right: Float[Tensor, "m long"]) -> Float[Tensor, "n m"]:
    """Compute `left @ right.T`; for a few long rows on a CPU in pieces, where BLAS would leave cores idle."""
    (n, length), m = left.shape, right.shape[0]
    pieces = length // 2048
    if not left.is_cpu or pieces < 2 or n * m > 4096:
        return left @ right.T
    whole = length - length % pieces
    left_pieces, right_pieces = (x[:, :whole].unflatten(1, (pieces, -1)).transpose(0, 1) for x in (left, right))
    return torch.bmm(left_pieces, right_pieces.mT).sum(0) + left[:, whole:] @ right[:, whole:].T
