"""The output regularizer, which keeps the weights that a hypernetwork generates for past tasks where they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from hypermnesia.errors import ConfigurationError, shown
from hypermnesia.hypernetwork import Hypernetwork, inner_products


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
        leaves = list(trunk.values())
        readout = parameters["readout"].detach()
        features, reference = self._features_at({**trunk, "readout": readout}, subset)
        if self.method == "direct":
            readout.requires_grad_()
            value = self._direct(readout, features, reference)
            gradients["readout"].add_(torch.autograd.grad(value, readout, retain_graph=bool(leaves))[0], alpha=scale)
            if leaves:
                of_leaves = torch.autograd.grad(value, leaves)
        else:
            distance = self._gram(readout, features.detach(), reference)
            value = distance.value
            for columns, coefficients in zip(self._columns, distance.readout_coefficients, strict=True):
                gradient = gradients["readout"][:, columns]
                # One product with ΔA and one with A*: BLAS takes longer for a single one of twice the depth.
                for coefficient, rows in zip(coefficients.chunk(2, dim=1), self._differences.chunk(2), strict=True):
                    gradient.addmm_(coefficient, rows[:, columns], alpha=scale)
            if leaves:
                of_leaves = torch.autograd.grad(features, leaves, distance.feature_gradient)
        if leaves:
            torch._foreach_add_([gradients[name] for name in trunk], list(of_leaves), alpha=scale)
        return value.detach()

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

    def _gram(self, readout: Tensor, features: Tensor, reference: Tensor) -> _Distance:
        """Value and gradients; writes ΔA into the upper half of `_differences`.

        All matrices are transposed, with a row per (task, chunk) pair: `R = Φ ΔA + ΔΦ A*`.
        """
        height = len(readout)
        torch.sub(readout, self._snapshot["readout"], out=self._differences[:height])
        for columns, K in zip(self._columns, self._K, strict=True):
            rows = self._differences[:, columns]
            K[:height] = inner_products(rows[:height], rows)  # K₁, K₂
            K[height:, :height] = K[:height, height:].T

        # [Φ | ΔΦ], a row for each task and chunk. The columns of the surplus generate no weights in the last chunk.
        pairs = torch.cat([features, features - reference], dim=-1)
        rows, last = pairs.flatten(0, 1), pairs[:, -1]
        in_all = rows.T @ rows
        in_all_but_last = in_all - last.T @ last
        used, surplus = self._K
        value = (used * in_all).sum() + (surplus * in_all_but_last).sum()

        def times_readouts(pairs: Tensor, K: Tensor) -> Tensor:
            return pairs @ (K[:, :height] + K[:, height:])  # R Aᵀ

        gradient = times_readouts(rows, used + surplus).view_as(features)
        gradient[:, -1] -= times_readouts(last, surplus)
        mean = 1 / len(features)
        coefficients = [2 * mean * products[:height] for products in (in_all, in_all_but_last)]
        return _Distance(mean * value, gradient.mul_(2 * mean), coefficients)


class _Distance(NamedTuple):
    """Value, its gradient by the features, and coefficients that times [ΔA | A*] give that by each readout part."""

    value: Tensor
    feature_gradient: Tensor
    readout_coefficients: list[Tensor]


class _GramDistance(torch.autograd.Function):
    """The Gram form as a node of autograd, with its gradients in closed form."""

    @staticmethod
    def forward(
        ctx: Any, readout: Tensor, features: Tensor, reference: Tensor, regularizer: OutputRegularizer
    ) -> Tensor:
        distance = regularizer._gram(readout, features, reference)
        ctx.columns = regularizer._columns
        # Saved, so that autograd notices if a later evaluation overwrites them before the gradient is taken.
        ctx.save_for_backward(regularizer._differences, distance.feature_gradient, *distance.readout_coefficients)
        return distance.value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        differences, feature_gradient, *coefficients = ctx.saved_tensors
        parts = [c @ differences[:, columns] for c, columns in zip(coefficients, ctx.columns, strict=True)]
        return gradient * torch.cat(parts, dim=1), gradient * feature_gradient, None, None
