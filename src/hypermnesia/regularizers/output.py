"""The output regularizer, which keeps the weights that a hypernetwork generates for past tasks where they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.optim import Optimizer

from hypermnesia.errors import ConfigurationError, shown
from hypermnesia.hypernetwork import Hypernetwork, inner_products
from hypermnesia.regularizers.blocked_step import BlockedStep


class OutputRegularizer:
    """Output regularizer: how far the weights generated for past tasks have moved since a snapshot, given Θ_h.

        mean over past tasks t of ‖ f_h(e^(t), Θ_h*) − f_h(e^(t), Θ_h) ‖²

    The snapshot Θ_h* is taken when the object is made, or given. The surplus of the last chunk does not count. Each
    chunk's part of the squared distance may have a weight (ours): its features times the root of it, all else is as
    without.

    `method="gram"` never forms a generated weight. With `Φ` the features of all (task, chunk) pairs, `A` the
    readout and `Δ` for differences to the snapshot, the output difference is `R = ΔA Φ + A* ΔΦ`, so that

        ‖R‖² = ⟨K₁Φ, Φ⟩ + 2⟨K₂ᵀΦ, ΔΦ⟩ + ⟨K₃ΔΦ, ΔΦ⟩,    K₁ = ΔAᵀΔA,  K₂ = ΔAᵀA*,  K₃ = A*ᵀA*

    costs a few products of the readout with small matrices, whatever the number of tasks. Gradients are in closed
    form too. Only differences enter, so no digits cancel in float32. `method="direct"` is the definition; it costs a
    pass through the readout for every task and is there to check the other against.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, equation 2.

    Args:
        hypernetwork: Hypernetwork to protect.
        tasks: Numbers of the past tasks, whose embeddings are taken as they are now.
        snapshot: Parameters Θ_h* by name, copied; None for the hypernetwork's parameters as they are now.
        weights: What the squared distance of each chunk counts, `[num_chunks]`; None for one each.
        method: Algorithm: `gram` or `direct`.

    Raises:
        ConfigurationError: There is no past task, no such method, or a weight is missing, negative or no finite number.

    Example:
        >>> from hypermnesia.layout import ParameterLayout
        >>> hypernetwork = Hypernetwork(ParameterLayout.of(torch.nn.Linear(3, 2)), chunk_size=4)
        >>> regularizer = OutputRegularizer(hypernetwork, [hypernetwork.add_task()])
        >>> regularizer(hypernetwork.shared_parameters()).item()
        0.0
    """

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        tasks: Sequence[int],
        *,
        snapshot: Mapping[str, Tensor] | None = None,
        weights: Float[Tensor, " chunks"] | None = None,
        method: Literal["gram", "direct"] = "gram",
    ) -> None:
        if not tasks:
            raise ConfigurationError("the output regularizer needs at least one past task")
        if method not in ("gram", "direct"):
            raise ConfigurationError(f"method must be 'gram' or 'direct', not {shown(method)}")
        chunks = hypernetwork.num_chunks
        if weights is not None and not (
            weights.shape == (chunks,) and bool(((weights >= 0) & weights.isfinite()).all())
        ):
            raise ConfigurationError(
                f"weights must be {chunks} finite numbers of at least 0, one for each chunk, not {shown(weights)}"
            )
        self.method = method
        self._hypernetwork = hypernetwork
        self._roots = None if weights is None else weights.to(hypernetwork.readout).sqrt()[:, None]
        self._embeddings = hypernetwork.embeddings(tasks)
        theta = hypernetwork.shared_parameters() if snapshot is None else snapshot
        self._snapshot = {name: tensor.detach().clone() for name, tensor in theta.items()}
        with torch.no_grad():
            self._features = self._weighted(hypernetwork.features(self._embeddings, self._snapshot)).flatten(0, 1)
        self._used = hypernetwork.chunk_size - hypernetwork.surplus
        if method == "gram":
            readout = self._snapshot["readout"]
            # [ΔA | A*], transposed as the readout is: the products with ΔA and with A* become one. The upper half is
            # overwritten at each evaluation.
            self._differences = torch.cat([torch.zeros_like(readout), readout])
            self._snapshot["readout"] = self._differences[len(readout) :]
            self._columns = (slice(0, self._used), slice(self._used, hypernetwork.chunk_size))
            # [[K₁, K₂], [K₂ᵀ, K₃]] of the columns used in every chunk and of the surplus; only K₃ stays.
            self._K = [self._differences[:, part] @ self._differences[:, part].T for part in self._columns]
            self._blocked_step = BlockedStep(hypernetwork.readout)

    def __call__(
        self, parameters: Mapping[str, Tensor], pairs: Int[Tensor, " pairs"] | None = None
    ) -> Float[Tensor, ""]:
        """Compute the regularizer at Θ_h = `parameters`, differentiable with respect to them.

        With `method="gram"`, take the gradient before the next evaluation: both use the same storage.

        Args:
            parameters: Parameters Θ_h, or a candidate for them, by name as from `Hypernetwork.shared_parameters`.
            pairs: Numbers `position in tasks * num_chunks + chunk` of the pairs to look at; None for all. Pairs drawn
                at random give an unbiased estimate.
        """
        features, reference, last = self._features_at(parameters, pairs)
        if self.method == "direct":
            return self._direct(parameters["readout"], features, reference, last)
        distance: Tensor = _GramDistance.apply(parameters["readout"], features, reference, last, self)  # type: ignore[no-untyped-call]
        return distance

    def accumulate_gradients(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
        pairs: Int[Tensor, " pairs"] | None = None,
    ) -> Float[Tensor, ""]:
        """Add `scale` times the gradient of the regularizer at `parameters` to `gradients`, in place.

        This equals `(scale * regularizer(parameters)).backward()`, but needs no temporary of the readout's size.

        Args:
            parameters: Parameters Θ_h, or a candidate for them, by name; taken as constants.
            gradients: Tensors to add to, by the same names.
            scale: Factor of the regularizer in the loss.
            pairs: Numbers of the pairs to look at, as in a call; None for all.

        Returns:
            Value of the regularizer, not scaled and detached.
        """
        trunk = {n: p.detach().requires_grad_() for n, p in parameters.items() if n != "readout"}
        readout = parameters["readout"].detach()
        features, reference, last = self._features_at({**trunk, "readout": readout}, pairs)
        if self.method == "direct":
            readout.requires_grad_()
            value = self._direct(readout, features, reference, last)
            gradients["readout"].add_(torch.autograd.grad(value, readout, retain_graph=True)[0], alpha=scale)
            by_trunk = torch.autograd.grad(value, list(trunk.values())) if trunk else ()
            self._add(gradients, trunk, by_trunk, scale)
            return value.detach()
        compared = self._paired(features, reference, last)
        self._compare(readout)
        for columns, coefficients in zip(self._columns, compared.readout_coefficients(), strict=True):
            gradient = gradients["readout"][:, columns]
            # One product with ΔA and one with A*: BLAS takes longer for a single one of twice the depth.
            for coefficient, rows in zip(coefficients.chunk(2, dim=1), self._differences.chunk(2), strict=True):
                gradient.addmm_(coefficient, rows[:, columns], alpha=scale)
        return self._of_trunk(compared, features, trunk, gradients, scale)

    def can_take_step(self, optimizer: Optimizer) -> bool:
        """Return whether :meth:`take_step` can take that of an optimizer: a large readout, by Adam, with numba."""
        return self.method == "gram" and self._blocked_step.can_take(optimizer)

    def take_step(
        self,
        optimizer: Optimizer,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
        pairs: Int[Tensor, " pairs"] | None = None,
    ) -> Float[Tensor, ""]:
        """Take an optimizer's step of the readout, with the regularizer's gradient at the candidate, in one pass.

        This equals :meth:`accumulate_gradients` at the candidate that the optimizer gives, and then its step, to
        rounding. Of the other parameters the gradient alone is added.

        Args:
            optimizer: Optimizer of the hypernetwork's readout.
            parameters: The candidate for all but the readout, by name; taken as constants.
            gradients: Gradients of the task loss by the same names, to add to, and that of the readout, which is left.
            scale: Factor of the regularizer in the loss.
            pairs: Numbers of the pairs to look at, as in a call; None for all.

        Returns:
            Value of the regularizer, not scaled and detached.
        """
        trunk = {n: p.detach().requires_grad_() for n, p in parameters.items()}
        features, reference, last = self._features_at(trunk, pairs)
        compared = self._paired(features, reference, last)
        coefficients = [scale * each for each in compared.readout_coefficients()]
        new = self._blocked_step(
            optimizer, gradients["readout"], self._snapshot["readout"], self._columns, coefficients
        )
        for K, upper in zip(self._K, new, strict=True):
            self._fill(K, upper)
        return self._of_trunk(compared, features, trunk, gradients, scale)

    def _of_trunk(
        self,
        compared: _Pairs,
        features: Tensor,
        trunk: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
    ) -> Tensor:
        """Add the gradients by the trunk, given K; return the value."""
        value, by_features = self._distance(compared)
        by_trunk = torch.autograd.grad(features, list(trunk.values()), by_features) if trunk else ()
        self._add(gradients, trunk, by_trunk, scale)
        return value

    @staticmethod
    def _add(gradients: Mapping[str, Tensor], names: Iterable[str], added: Sequence[Tensor], scale: float) -> None:
        if added:
            torch._foreach_add_([gradients[name] for name in names], list(added), alpha=scale)

    def _features_at(
        self, parameters: Mapping[str, Tensor], pairs: Tensor | None
    ) -> tuple[Float[Tensor, "pairs features"], Float[Tensor, "pairs features"], slice | Float[Tensor, "pairs 1"]]:
        """The features of all pairs or some, at `parameters` and at the snapshot, and which are of the last chunk."""
        chunks = self._hypernetwork.num_chunks
        if pairs is None:
            features = self._weighted(self._hypernetwork.features(self._embeddings, parameters)).flatten(0, 1)
            return features, self._features, slice(chunks - 1, None, chunks)
        features = self._weighted(self._hypernetwork.features(self._embeddings, parameters, pairs), pairs % chunks)
        # A factor for each pair instead of their numbers, of which there are not always as many.
        return features, self._features[pairs], (pairs % chunks == chunks - 1).to(features)[:, None]

    def _weighted(self, features: Tensor, chunks: Tensor | slice = slice(None)) -> Tensor:
        """Features, of all chunks or of some, times the root of what these count."""
        return features if self._roots is None else features * self._roots[chunks]

    def _paired(self, features: Tensor, reference: Tensor, last: slice | Tensor) -> _Pairs:
        return _Pairs.of(features, reference, last, self._hypernetwork.num_chunks / len(features))

    def _direct(self, readout: Tensor, features: Tensor, reference: Tensor, last: slice | Tensor) -> Float[Tensor, ""]:
        moved = (features @ readout - reference @ self._snapshot["readout"]).square()
        surplus = moved[:, self._used :]
        total = moved.sum() - (surplus[last] if isinstance(last, slice) else last * surplus).sum()
        return self._hypernetwork.num_chunks / len(features) * total

    @torch.no_grad()
    def _compare(self, readout: Tensor) -> None:
        """Write ΔA into the upper half of `_differences`, and what it has in common with itself and A* into `_K`."""
        height = len(readout)
        torch.sub(readout, self._snapshot["readout"], out=self._differences[:height])
        for columns, K in zip(self._columns, self._K, strict=True):
            rows = self._differences[:, columns]
            self._fill(K, inner_products(rows[:height], rows))

    @staticmethod
    def _fill(K: Tensor, upper: Tensor) -> None:
        """Write K₁ and K₂, given beside each other, into [[K₁, K₂], [K₂ᵀ, K₃]]."""
        height = len(upper)
        K[:height] = upper
        K[height:, :height] = upper[:, height:].T

    @torch.no_grad()
    def _distance(self, compared: _Pairs) -> tuple[Tensor, Tensor]:
        """Value, and its gradient by the features, given K."""
        height = compared.rows.shape[1] // 2
        used, surplus = self._K
        value = (used * compared.in_all).sum() + (surplus * compared.in_all_but_last).sum()

        def times_readouts(rows: Tensor, K: Tensor) -> Tensor:
            return rows @ (K[:, :height] + K[:, height:])  # R Aᵀ

        gradient = times_readouts(compared.rows, used + surplus)
        gradient[compared.where] -= times_readouts(compared.last, surplus)
        return compared.mean * value, gradient.mul_(2 * compared.mean)


class _Pairs(NamedTuple):
    """Features of (task, chunk) pairs beside how far they have moved, and what the pairs have in common.

    All matrices are transposed, with a row per pair: the output difference is `R = Φ ΔA + ΔΦ A*`.
    """

    rows: Float[Tensor, "pairs twice"]
    """[Φ | ΔΦ]."""
    last: Float[Tensor, "some twice"]
    """The rows of the last chunk, in which the columns of the surplus generate no weights; or all, others zero."""
    where: slice
    """Where `last` lies among `rows`."""
    in_all: Float[Tensor, "twice twice"]
    in_all_but_last: Float[Tensor, "twice twice"]
    mean: float
    """What makes a sum over the pairs that of all chunks, in the mean over tasks."""

    @classmethod
    @torch.no_grad()
    def of(cls, features: Tensor, reference: Tensor, last: slice | Tensor, mean: float) -> _Pairs:
        rows = torch.cat([features, features - reference], dim=-1)
        where = last if isinstance(last, slice) else slice(None)
        of_last = rows[last] if isinstance(last, slice) else last * rows
        in_all = rows.T @ rows
        return cls(rows, of_last, where, in_all, in_all - of_last.T @ of_last, mean)

    def readout_coefficients(self) -> list[Tensor]:
        """For each part of the columns, what times [ΔA | A*] gives the gradient by the readout."""
        height = self.rows.shape[1] // 2
        return [2 * self.mean * products[:height] for products in (self.in_all, self.in_all_but_last)]


class _GramDistance(torch.autograd.Function):
    """The Gram form as a node of autograd, with its gradients in closed form."""

    @staticmethod
    def forward(
        ctx: Any,
        readout: Tensor,
        features: Tensor,
        reference: Tensor,
        last: slice | Tensor,
        regularizer: OutputRegularizer,
    ) -> Tensor:
        regularizer._compare(readout)
        compared = regularizer._paired(features, reference, last)
        value, by_features = regularizer._distance(compared)
        ctx.columns = regularizer._columns
        # Saved, so that autograd notices if a later evaluation overwrites them before the gradient is taken.
        ctx.save_for_backward(regularizer._differences, by_features, *compared.readout_coefficients())
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        differences, feature_gradient, *coefficients = ctx.saved_tensors
        parts = [c @ differences[:, columns] for c, columns in zip(coefficients, ctx.columns, strict=True)]
        return gradient * torch.cat(parts, dim=1), gradient * feature_gradient, None, None, None
