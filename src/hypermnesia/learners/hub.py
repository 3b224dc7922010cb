"""Learners in repositories of the Hugging Face hub: a file as `save` writes it, and a page about it."""

from __future__ import annotations

import contextlib
import tempfile
from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.errors import CheckpointError
from hypermnesia.extras import needed
from hypermnesia.learners.model_card import model_card
from hypermnesia.learners.saving import Saved

Learner = TypeVar("Learner", bound="OnHub")
FILE = "learner.safetensors"
"""The learner's file in a repository."""


class OnHub(Saved, ABC):
    """Base class of learners: how they go to the hub and come from there. Needs the extra `hub`."""

    def push_to_hub(
        self,
        repo: str,
        *,
        accuracies: Float64[np.ndarray, "tasks tasks"] | None = None,
        module: bool = True,
        private: bool = False,
        token: str | None = None,
    ) -> str:
        """Put the learner into a repository of the hub, which is made if need be, with a page about it.

        Args:
            repo: Name of the repository, as `somebody/digits`.
            accuracies: What :func:`hypermnesia.learn_sequence` returned, for the page; None where it is not known.
            module: As for :meth:`save`: whether values of the module that are used as they are go along.
            private: Whether a new repository is seen by its owner alone.
            token: Who pushes; None for who has logged in by `hf auth login`, or HF_TOKEN.

        Returns:
            Address of what was pushed.

        Raises:
            CheckpointError: The hub does not take it; says why.
            ConfigurationError: The package huggingface_hub is missing, or accuracies are not those of its tasks.
        """
        with needed("push_to_hub", "hub"):
            import huggingface_hub
        described = {"settings": self.settings.model_dump(mode="json"), **self._described(self._arguments())}
        card = model_card(repo, type(self).__name__, described, str(self._module), self.tasks, self.metric, accuracies)
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder) / FILE, module=module)
            (Path(folder) / "README.md").write_text(card, "utf-8")
            with _said(f"{repo} cannot be pushed"):
                hub = huggingface_hub.HfApi(token=token)
                name = hub.create_repo(repo, private=private, exist_ok=True).repo_id
                done = hub.upload_folder(repo_id=name, folder_path=folder, commit_message=repr(self))
        return done.commit_url

    @classmethod
    def from_pretrained(
        cls: type[Learner],
        repo: str,
        module: nn.Module,
        *,
        revision: str | None = None,
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        device: str | torch.device = "cpu",
        token: str | None = None,
    ) -> Learner:
        """Read a learner that :meth:`push_to_hub` has put into a repository; downloaded once into the hub's cache.

        Args:
            repo: Name of the repository, as `somebody/digits`.
            module: A network of the same architecture as the learner was made with, as for :meth:`load`.
            revision: Branch, tag or commit; None for the newest.
            criterion: As for :meth:`load`.
            metric: As for :meth:`load`.
            device: Where to continue.
            token: Who asks, where the repository is private; None for who has logged in.

        Raises:
            CheckpointError: There is no such learner, it cannot be reached, or it does not fit the module.
            ConfigurationError: The package huggingface_hub is missing.
        """
        with needed("from_pretrained", "hub"):
            import huggingface_hub
        with _said(f"{repo} cannot be read from the hub"):
            path = huggingface_hub.hf_hub_download(repo, FILE, revision=revision, token=token)
        return cls.load(path, module, criterion=criterion, metric=metric, device=device)


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    """Turn whatever a network and a server may answer into a sentence.

    Raises:
        CheckpointError: There was such an answer.
    """
    try:
        yield
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{what}: {why[:500]}") from error
