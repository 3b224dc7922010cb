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

    The snapshot Θ_h* is taken when the object is made, or given. The surplus of the last chunk does not count.

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
        method: Algorithm: `gram` or `direct`.

    Raises:
        ConfigurationError: There is no past task, or no such method.

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
        method: Literal["gram", "direct"] = "gram",
    ) -> None:
        if not tasks:
            raise ConfigurationError("the output regularizer needs at least one past task")
        if method not in ("gram", "direct"):
            raise ConfigurationError(f"method must be 'gram' or 'direct', not {shown(method)}")
        self.method = method
        self._hypernetwork = hypernetwork
        self._embeddings = hypernetwork.embeddings(tasks)
        theta = hypernetwork.shared_parameters() if snapshot is None else snapshot
        self._snapshot = {name: tensor.detach().clone() for name, tensor in theta.items()}
        with torch.no_grad():
            self._features = hypernetwork.features(self._embeddings, self._snapshot)
        if method == "gram":
            readout = self._snapshot["readout"]
            # [ΔA | A*], transposed as the readout is: the products with ΔA and with A* become one. The upper half is
            # overwritten at each evaluation.
            self._differences = torch.cat([torch.zeros_like(readout), readout])
            self._snapshot["readout"] = self._differences[len(readout) :]
            used = hypernetwork.chunk_size - hypernetwork.surplus
            self._columns = (slice(0, used), slice(used, hypernetwork.chunk_size))
            # [[K₁, K₂], [K₂ᵀ, K₃]] of the columns used in every chunk and of the surplus; only K₃ stays.
            self._K = [self._differences[:, part] @ self._differences[:, part].T for part in self._columns]
            self._blocked_step = BlockedStep(hypernetwork.readout)

    def __call__(
        self, parameters: Mapping[str, Tensor], subset: Int[Tensor, " some"] | None = None
    ) -> Float[Tensor, ""]:
        """Compute the regularizer at Θ_h = `parameters`, differentiable with respect to them.

        With `method="gram"`, take the gradient before the next evaluation: both use the same storage.

        Args:
            parameters: Parameters Θ_h, or a candidate for them, by name as from `Hypernetwork.shared_parameters`.
            subset: Positions in `tasks` to average over; None for all. A random subset gives an unbiased estimate.
        """
        features, reference = self._features_at(parameters, subset)
        if self.method == "direct":
            return self._direct(parameters["readout"], features, reference)
        distance: Tensor = _GramDistance.apply(parameters["readout"], features, reference, self)  # type: ignore[no-untyped-call]
        return distance

    def accumulate_gradients(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
        subset: Int[Tensor, " some"] | None = None,
    ) -> Float[Tensor, ""]:
        """Add `scale` times the gradient of the regularizer at `parameters` to `gradients`, in place.

        This equals `(scale * regularizer(parameters)).backward()`, but needs no temporary of the readout's size.

        Args:
            parameters: Parameters Θ_h, or a candidate for them, by name; taken as constants.
            gradients: Tensors to add to, by the same names.
            scale: Factor of the regularizer in the loss.
            subset: Positions in `tasks` to average over; None for all.

        Returns:
            Value of the regularizer, not scaled and detached.
        """
        trunk = {n: p.detach().requires_grad_() for n, p in parameters.items() if n != "readout"}
        readout = parameters["readout"].detach()
        features, reference = self._features_at({**trunk, "readout": readout}, subset)
        if self.method == "direct":
            readout.requires_grad_()
            value = self._direct(readout, features, reference)
            gradients["readout"].add_(torch.autograd.grad(value, readout, retain_graph=True)[0], alpha=scale)
            by_trunk = torch.autograd.grad(value, list(trunk.values())) if trunk else ()
            self._add(gradients, trunk, by_trunk, scale)
            return value.detach()
        pairs = _Pairs.of(features, reference)
        self._compare(readout)
        for columns, coefficients in zip(self._columns, pairs.readout_coefficients(), strict=True):
            gradient = gradients["readout"][:, columns]
            # One product with ΔA and one with A*: BLAS takes longer for a single one of twice the depth.
            for coefficient, rows in zip(coefficients.chunk(2, dim=1), self._differences.chunk(2), strict=True):
                gradient.addmm_(coefficient, rows[:, columns], alpha=scale)
        return self._of_trunk(pairs, features, trunk, gradients, scale)

    def can_take_step(self, optimizer: Optimizer) -> bool:
        """Return whether :meth:`take_step` can take that of an optimizer: a large readout, by Adam, with numba."""
        return self.method == "gram" and self._blocked_step.can_take(optimizer)

    def take_step(
        self,
        optimizer: Optimizer,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
        subset: Int[Tensor, " some"] | None = None,
    ) -> Float[Tensor, ""]:
        """Take an optimizer's step of the readout, with the regularizer's gradient at the candidate, in one pass.

        This equals :meth:`accumulate_gradients` at the candidate that the optimizer gives, and then its step, to
        rounding. Of the other parameters the gradient alone is added.

        Args:
            optimizer: Optimizer of the hypernetwork's readout.
            parameters: The candidate for all but the readout, by name; taken as constants.
            gradients: Gradients of the task loss by the same names, to add to, and that of the readout, which is left.
            scale: Factor of the regularizer in the loss.
            subset: Positions in `tasks` to average over; None for all.

        Returns:
            Value of the regularizer, not scaled and detached.
        """
        trunk = {n: p.detach().requires_grad_() for n, p in parameters.items()}
        features, reference = self._features_at(trunk, subset)
        pairs = _Pairs.of(features, reference)
        coefficients = [scale * each for each in pairs.readout_coefficients()]
        new = self._blocked_step(
            optimizer, gradients["readout"], self._snapshot["readout"], self._columns, coefficients
        )
        for K, upper in zip(self._K, new, strict=True):
            self._fill(K, upper)
        return self._of_trunk(pairs, features, trunk, gradients, scale)

    def _of_trunk(
        self,
        pairs: _Pairs,
        features: Tensor,
        trunk: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        scale: float,
    ) -> Tensor:
        """Add the gradients by the trunk, given K; return the value."""
        value, by_features = self._distance(pairs)
        by_trunk = torch.autograd.grad(features, list(trunk.values()), by_features) if trunk else ()
        self._add(gradients, trunk, by_trunk, scale)
        return value

    @staticmethod
    def _add(gradients: Mapping[str, Tensor], names: Iterable[str], added: Sequence[Tensor], scale: float) -> None:
        if added:
            torch._foreach_add_([gradients[name] for name in names], list(added), alpha=scale)

    def _features_at(
        self, parameters: Mapping[str, Tensor], subset: Tensor | None
    ) -> tuple[Float[Tensor, "tasks chunks features"], Float[Tensor, "tasks chunks features"]]:
        """The features of past tasks, all or a subset, at `parameters` and at the snapshot."""
        if subset is None:
            return self._hypernetwork.features(self._embeddings, parameters), self._features
        return self._hypernetwork.features(self._embeddings[subset], parameters), self._features[subset]

    def _direct(self, readout: Tensor, features: Tensor, reference: Tensor) -> Float[Tensor, ""]:
        size = self._hypernetwork.layout.size
        before = (reference @ self._snapshot["readout"]).flatten(1)[:, :size]
        now = (features @ readout).flatten(1)[:, :size]
        return (now - before).square().sum() / len(features)

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
    def _distance(self, pairs: _Pairs) -> tuple[Tensor, Tensor]:
        """Value, and its gradient by the features, given K."""
        height = pairs.rows.shape[1] // 2
        used, surplus = self._K
        value = (used * pairs.in_all).sum() + (surplus * pairs.in_all_but_last).sum()

        def times_readouts(pairs: Tensor, K: Tensor) -> Tensor:
            return pairs @ (K[:, :height] + K[:, height:])  # R Aᵀ

        gradient = times_readouts(pairs.rows, used + surplus).view(len(pairs.last), -1, height)
        gradient[:, -1] -= times_readouts(pairs.last, surplus)
        mean = 1 / len(pairs.last)
        return mean * value, gradient.mul_(2 * mean)


class _Pairs(NamedTuple):
    """Features of (task, chunk) pairs beside how far they have moved, and what the pairs have in common.

    All matrices are transposed, with a row per pair: the output difference is `R = Φ ΔA + ΔΦ A*`.
    """

    rows: Float[Tensor, "pairs twice"]
    """[Φ | ΔΦ]."""
    last: Float[Tensor, "tasks twice"]
    """The rows of the last chunk, in which the columns of the surplus generate no weights."""
    in_all: Float[Tensor, "twice twice"]
    in_all_but_last: Float[Tensor, "twice twice"]

    @classmethod
    @torch.no_grad()
    def of(cls, features: Tensor, reference: Tensor) -> _Pairs:
        pairs = torch.cat([features, features - reference], dim=-1)
        rows, last = pairs.flatten(0, 1), pairs[:, -1]
        in_all = rows.T @ rows
        return cls(rows, last, in_all, in_all - last.T @ last)

    def readout_coefficients(self) -> list[Tensor]:
        """For each part of the columns, what times [ΔA | A*] gives the gradient by the readout."""
        height = self.rows.shape[1] // 2
        mean = 1 / len(self.last)
        return [2 * mean * products[:height] for products in (self.in_all, self.in_all_but_last)]


class _GramDistance(torch.autograd.Function):
    """The Gram form as a node of autograd, with its gradients in closed form."""

    @staticmethod
    def forward(
        ctx: Any, readout: Tensor, features: Tensor, reference: Tensor, regularizer: OutputRegularizer
    ) -> Tensor:
        regularizer._compare(readout)
        pairs = _Pairs.of(features, reference)
        value, by_features = regularizer._distance(pairs)
        ctx.columns = regularizer._columns
        # Saved, so that autograd notices if a later evaluation overwrites them before the gradient is taken.
        ctx.save_for_backward(regularizer._differences, by_features, *pairs.readout_coefficients())
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        differences, feature_gradient, *coefficients = ctx.saved_tensors
        parts = [c @ differences[:, columns] for c, columns in zip(coefficients, ctx.columns, strict=True)]
        return gradient * torch.cat(parts, dim=1), gradient * feature_gradient, None, None
