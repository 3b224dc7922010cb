"""Lets PyPI's torchvision for Linux, which is built for CUDA, be imported beside a torch for CPUs alone.

Its operators cannot be loaded there, and without these two it does not import; no test needs what they do.
"""

import importlib.util
from pathlib import Path

import torch

try:
    if torchvision := importlib.util.find_spec("torchvision"):
        torch.ops.load_library(next(Path(torchvision.origin).parent.glob("_C.*")))
except OSError:
    operators = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
