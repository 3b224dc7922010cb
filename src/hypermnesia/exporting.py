"""Files of what a learner has learned, for programs that have no learner: a task's network, or all tasks in one."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils._pytree import tree_map

from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError, shown
from hypermnesia.extras import needed
from hypermnesia.files import say_what_cannot_be_written, write_atomically
from hypermnesia.inputs import Graphs, Inputs, Tree
from hypermnesia.learners import ContinualLearner
from hypermnesia.modules import answer_of
from hypermnesia.protection import GeneratedForAnyTask, ProtectedNetwork
from hypermnesia.standard import StandardForAnyTask, StandardNetwork
from hypermnesia.tasks.input_kind import InputKind

Format = Literal["onnx", "torch-export", "state-dict"]
SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".pt2": "torch-export", ".safetensors": "state-dict"}


def export(
    learner: ContinualLearner,
    path: str | Path,
    task: int | str | None = None,
    *,
    format: Format | None = None,
    example: Any = None,
    dynamic: tuple[int, ...] = (0,),
) -> None:
    """Write what a learner has learned to a file that is used without it.

    `onnx` is for onnxruntime and others, `torch-export` for `torch.export.load(path).module()`. A `state-dict`, in a
    safetensors file, is for a module of the same class, `module.load_state_dict(safetensors.torch.load_file(path))`.
    In ONNX the input is called `inputs`, or each of its parts by its own name, the output `outputs`; of all tasks
    together a further input, `task`, is the task's number.

    Args:
        learner: Learner of at least one task.
        path: File to write; an existing one is replaced, at once and whole.
        task: Number or name of the task whose network is written (:meth:`ContinualLearner.network`); None for all tasks
            in one file. Tasks of fewer outputs than another have others behind theirs, which are minus infinity.
        format: Format of the file; None for the one that the ending of its name says: .onnx, .pt2 or .safetensors.
        example: Inputs `[n, ...]` with which the module is traced; None for zeros of the shape and kind learned from,
            where they are one tensor.
        dynamic: Dimensions of the inputs, or of all their parts, that may differ from the example's: the number of
            inputs, and others such as a length.

    Raises:
        ConfigurationError: There is no such task or format, the learner has not one network for all tasks, a package is
            missing, or the module cannot be exported.
        CheckpointError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> import hypermnesia as hm
        >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> path = tempfile.mkdtemp() + "/network.pt2"
        >>> hm.export(learner, path, task=0)
        >>> torch.equal(torch.export.load(path).module()(torch.eye(2)), learner.predict(torch.eye(2), 0).outputs)
        True
    """
    if not isinstance(learner, ContinualLearner):
        raise ConfigurationError(
            f"a learner is exported, not a {type(learner).__name__}; for a network alone there is torch.onnx"
        )
    if not isinstance(dynamic, tuple | list):
        raise ConfigurationError(f"dynamic lists dimensions, as in dynamic=(0, 1), and is not {dynamic!r}")
    path = Path(path)
    if format is None and path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path.name} says no format: end it in {', '.join(SUFFIXES)}, or name the format")
    chosen = SUFFIXES[path.suffix] if format is None else format
    if chosen not in SUFFIXES.values():
        raise ConfigurationError(f"format must be {', '.join(SUFFIXES.values())}, not {shown(chosen)}")
    network = _of_all_tasks(learner) if task is None else learner.network(task)
    if chosen == "state-dict":
        if task is None:
            raise ConfigurationError("a state dict is of one task's network: say which, or choose another format")
        # Copies: safetensors refuses tensors that share storage.
        content = safetensors.torch.save({name: tensor.cpu().clone() for name, tensor in network.state_dict().items()})
    else:
        with _tracing():
            inputs = _example(learner, example)
            program = _traced(_without_cache(network), inputs, dynamic, of_all=task is None)
            names = [*(["inputs"] if isinstance(inputs, Tensor) else inputs.parts), *(["task"] if task is None else [])]
            content = _onnx(program, names) if chosen == "onnx" else _torch_export(program)
    with say_what_cannot_be_written(path):
        write_atomically(path, content)


def _of_all_tasks(learner: ContinualLearner) -> nn.Module:
    there = [number for number, task in enumerate(learner.tasks) if not task.forgotten]
    if not there:
        raise ConfigurationError("there is nothing to export yet: learn a task first")
    networks, _ = learner.networks_with(there[0])
    of_all = all(learner.networks_with(task) == (networks, task) for task in there)
    if not (of_all and isinstance(networks, ProtectedNetwork | StandardNetwork)):
        raise ConfigurationError(
            f"a {type(learner).__name__} has a network of its own for each task, none for all: export them one by one,"
            " with task=0 and so on"
        )
    made = GeneratedForAnyTask(networks) if isinstance(networks, ProtectedNetwork) else StandardForAnyTask(networks)
    return detached_copy(made).eval()


def _without_cache(network: nn.Module) -> nn.Module:
    """A network of Hugging Face that keeps nothing for the next call, which would be one output more."""
    for part in network.modules():
        if getattr(getattr(part, "config", None), "use_cache", False):
            part.config.use_cache = False  # type: ignore[union-attr]
    return network


def _example(learner: ContinualLearner, example: Any) -> Inputs:
    shape, kind = learner.input_shape, learner.input_kind
    assert shape is not None
    assert kind is not None
    if example is None:
        if not (isinstance(shape, tuple) and isinstance(kind, InputKind)):
            raise ConfigurationError("inputs have several parts: give an example of them (example=)")
        example = torch.zeros(2, *shape, dtype=kind.type)
    inputs: Inputs = kind.of(example).to(learner.device)
    if isinstance(inputs, Graphs):
        raise ConfigurationError("a network of graphs cannot be traced: choose the format state-dict")
    return inputs


def _traced(network: nn.Module, example: Inputs, dynamic: tuple[int, ...], *, of_all: bool) -> ExportedProgram:
    parts = [example] if isinstance(example, Tensor) else list(example.parts.values())
    most = max(part.ndim for part in parts)
    if wrong := [each for each in dynamic if not 0 <= each < most]:
        raise ConfigurationError(
            f"dynamic: inputs have dimensions 0 … {most - 1}, not {wrong[0]}; 0 is the number of inputs"
        )
    if 0 in dynamic and len(example) == 1:
        example = example[torch.zeros(2, dtype=torch.int64)]  # one input alone would be traced as a constant
    positional, named = ((example,), {}) if isinstance(example, Tensor) else example.arguments()
    if of_all and named:
        named = {**named, "task": torch.tensor(0)}  # any number of a task
    elif of_all:
        positional = (*positional, torch.tensor(0))
    sizes = tree_map(lambda part: {each: Dim.DYNAMIC for each in dynamic if each < part.ndim}, (positional, named))
    # Inside of another, whose name goes before those of its tensors: one may be called "inputs" too.
    traced = _Network(network, of_all=of_all, in_parts=not isinstance(example, Tensor))
    if named:
        _takes_named(traced, named)
    try:
        with torch.no_grad():
            shapes = sizes[1] if named else {"inputs": sizes[0]}
            # As newer versions of torch do by themselves; strict, it takes the module's own weights for generated ones.
            return torch.export.export(traced, positional, named, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # whatever the module's forward method cannot do while it is traced
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigurationError(
            f"the module cannot be traced by torch.export ({text}): give an example of usual inputs, make no dimension"
            " dynamic that the module fixes, or take learner.network(task) and export it in another way"
        ) from error


class _Network(nn.Module):
    """A network of inputs by place, or one to which the task is an input behind them."""

    def __init__(self, network: nn.Module, *, of_all: bool, in_parts: bool) -> None:
        super().__init__()
        self.network, self.of_all, self._in_parts = network, of_all, in_parts

    def forward(self, *inputs: Tensor) -> Tensor:
        if not self.of_all:
            return answer_of(self.network(*inputs))
        *places, task = inputs
        return self.of_task(tuple(places), task)

    def of_task(self, content: Any, task: Tensor) -> Tensor:
        answers: Tensor = self.network(Tree.unchecked(content) if self._in_parts else content[0], task)
        return answers


def _takes_named(network: _Network, names: Iterable[str]) -> None:
    """Let a network take inputs of these names; torch.export asks the signature for them."""

    def forward(**inputs: Tensor) -> Tensor:
        if not network.of_all:
            return answer_of(network.network(**inputs))
        return network.of_task({name: part for name, part in inputs.items() if name != "task"}, inputs["task"])

    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    forward.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    network.forward = forward  # type: ignore[method-assign,assignment]


def _torch_export(program: ExportedProgram) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _onnx(program: ExportedProgram, names: list[str]) -> bytes:
    try:
        with needed("Writing ONNX files", "onnx"):
            made = torch.onnx.export(program, dynamo=True, input_names=names, output_names=["outputs"], verbose=False)
    except torch.onnx.OnnxExporterError as error:
        text = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"the module cannot be written as ONNX ({text}): choose the format torch-export or state-dict"
        ) from error
    assert made is not None
    content: bytes = made.model_proto.SerializeToString()
    return content


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """Without what torch tells of packages that are not there, and of its own old calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", (FutureWarning, DeprecationWarning))
            yield
    finally:
        logger.setLevel(level)
