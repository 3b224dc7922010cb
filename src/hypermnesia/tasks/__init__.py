"""Tasks that learners learn, and sequences of them."""

from hypermnesia.tasks.dataset_examples import DatasetExamples
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.given_tasks import given
from hypermnesia.tasks.joined_sequences import join
from hypermnesia.tasks.listed_classes import listed
from hypermnesia.tasks.loader_examples import LoaderExamples
from hypermnesia.tasks.permuted_pixels import permuted
from hypermnesia.tasks.polynomial_regression import Polynomial, polynomials
from hypermnesia.tasks.python_tasks import PythonData
from hypermnesia.tasks.scenario import SCENARIOS, Scenario
from hypermnesia.tasks.split_classes import split
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples

__all__ = [
    "SCENARIOS",
    "DatasetExamples",
    "Examples",
    "LoaderExamples",
    "Polynomial",
    "PythonData",
    "Scenario",
    "Task",
    "TensorExamples",
    "given",
    "join",
    "listed",
    "permuted",
    "polynomials",
    "split",
]
