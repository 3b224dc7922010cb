"""Labeled images in memory: uint8 pixels and integer labels, from which tasks are made."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from hypermnesia.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Training and test images of one classification problem.

    Pixels stay uint8, a quarter of what float32 needs; they become float32 in [0, 1] batch by batch.

    Args:
        name: Name of the dataset, such as "mnist".
        train_images: Training images `[n, c, h, w]`, gray levels 0 to 255.
        train_labels: Labels of the training images `[n]`, each the index of a name in `class_names`.
        test_images: Test images `[m, c, h, w]`, of the same `c, h, w`.
        test_labels: Labels of the test images `[m]`.
        class_names: Names of the classes, in the order of their labels.

    Raises:
        DataError: The tensors do not fit together, or hold no images at all.

    Example:
        >>> images = torch.zeros(6, 1, 8, 8, dtype=torch.uint8)
        >>> labels = torch.arange(6) % 2
        >>> ImageDataset("blank", images, labels, images, labels, class_names=("a", "b")).num_classes
        2
    """

    name: str
    train_images: UInt8[Tensor, "n c h w"]
    train_labels: Int64[Tensor, " n"]
    test_images: UInt8[Tensor, "m c h w"]
    test_labels: Int64[Tensor, " m"]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        self._check("training", self.train_images, self.train_labels)
        self._check("test", self.test_images, self.test_labels)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: training images have shape {list(self.train_images.shape[1:])}, test images "
                f"{list(self.test_images.shape[1:])}; both must have the same channels, height and width."
            )

    def _check(self, split: str, images: Tensor, labels: Tensor) -> None:
        where = f"{self.name}, {split} split"
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise DataError(
                f"{where}: images must be uint8 of shape [n, c, h, w], not {images.dtype} of shape "
                f"{list(images.shape)}."
            )
        if labels.dtype != torch.int64 or labels.ndim != 1:
            raise DataError(
                f"{where}: labels must be int64 of shape [n], not {labels.dtype} of shape {list(labels.shape)}."
            )
        if len(images) != len(labels):
            raise DataError(f"{where}: {len(images)} images but {len(labels)} labels; each image needs one.")
        if len(images) == 0:
            raise DataError(f"{where}: there are no images.")
        low, high = (int(bound) for bound in torch.aminmax(labels))
        if low < 0 or high >= self.num_classes:
            raise DataError(
                f"{where}: labels run from {low} to {high}; with {self.num_classes} classes they must lie in "
                f"0 to {self.num_classes - 1}."
            )

    @property
    def num_classes(self) -> int:
        """Number of classes, whether or not each has examples."""
        return len(self.class_names)

    def to(self, device: torch.device | str) -> ImageDataset:
        """Return the same images on `device`; tasks made of them stay there, so no batch is copied from the host."""
        return dataclasses.replace(
            self,
            train_images=self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            test_images=self.test_images.to(device),
            test_labels=self.test_labels.to(device),
        )
