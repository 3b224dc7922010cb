"""Files of what a learner has learned, for programs that have no learner: a task's network, or all tasks in one."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from hypermnesia.errors import ConfigurationError
from hypermnesia.files import say_what_cannot_be_written, write_atomically
from hypermnesia.learners import ContinualLearner
from hypermnesia.protection import GeneratedForAnyTask, ProtectedNetwork
from hypermnesia.standard import StandardForAnyTask, StandardNetwork

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
    In ONNX the input is called `inputs`, the output `outputs`; of all tasks together a second input, `task`, is the
    task's number.

    Args:
        learner: Learner of at least one task.
        path: File to write; an existing one is replaced, at once and whole.
        task: Number or name of the task whose network is written (:meth:`ContinualLearner.network`); None for all tasks
            in one file. Tasks of fewer outputs than another have others behind theirs, which are minus infinity.
        format: Format of the file; None for the one that the ending of its name says: .onnx, .pt2 or .safetensors.
        example: Inputs `[n, ...]` with which the module is traced; None for zeros of the shape and kind learned from.
        dynamic: Dimensions of the inputs that may differ from the example's: the number of inputs, and others such as a
            length.

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
    path = Path(path)
    if format is None and path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path.name} says no format: end it in {', '.join(SUFFIXES)}, or name the format")
    chosen = SUFFIXES[path.suffix] if format is None else format
    if chosen not in SUFFIXES.values():
        raise ConfigurationError(f"format must be {', '.join(SUFFIXES.values())}, not {chosen!r}")
    network = _of_all_tasks(learner) if task is None else learner.network(task)
    if chosen == "state-dict":
        if task is None:
            raise ConfigurationError("a state dict is of one task's network: say which, or choose another format")
        # Copies: safetensors refuses tensors that share storage.
        content = safetensors.torch.save({name: tensor.cpu().clone() for name, tensor in network.state_dict().items()})
    else:
        with _tracing():
            program = _traced(network, _example(learner, example), dynamic, of_all=task is None)
            content = _onnx(program) if chosen == "onnx" else _torch_export(program)
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
    return copy.deepcopy(made).eval()


def _example(learner: ContinualLearner, example: Any) -> Tensor:
    shape, kind = learner.input_shape, learner.input_kind
    assert shape is not None
    assert kind is not None
    return kind.of(torch.zeros(2, *shape, dtype=kind.type) if example is None else example).to(learner.device)


def _traced(network: nn.Module, example: Tensor, dynamic: tuple[int, ...], *, of_all: bool) -> ExportedProgram:
    if wrong := [each for each in dynamic if not 0 <= each < example.ndim]:
        raise ConfigurationError(
            f"dynamic: inputs have dimensions 0 … {example.ndim - 1}, not {wrong[0]}; 0 is the number of inputs"
        )
    if 0 in dynamic and len(example) == 1:
        example = example.expand(2, *example.shape[1:])  # one input alone would be traced as a constant
    sizes = dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC)
    # An example number of a task, and no sizes of it.
    inputs, shapes = ((example, torch.tensor(0)), (sizes, {})) if of_all else ((example,), (sizes,))
    try:
        with torch.no_grad():
            # Inside of another, whose name goes before those of its tensors: one may be called "inputs" too.
            return torch.export.export(_Network(network), inputs, dynamic_shapes=(shapes,))
    except Exception as error:  # whatever the module's forward method cannot do while it is traced
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigurationError(
            f"the module cannot be traced by torch.export ({text}): give an example of usual inputs, make no dimension"
            " dynamic that the module fixes, or take learner.network(task) and export it in another way"
        ) from error


class _Network(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs)


def _torch_export(program: ExportedProgram) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _onnx(program: ExportedProgram) -> bytes:
    names = ["inputs", "task"][: len(program.graph_signature.user_inputs)]
    try:
        made = torch.onnx.export(program, dynamo=True, input_names=names, output_names=["outputs"], verbose=False)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"ONNX files are written with the help of the package {error.name}, which is not installed: pip install"
            " 'hypermnesia[onnx]'"
        ) from error
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
