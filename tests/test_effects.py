"""Every setting of the package has an effect wherever it may be given, or says with which others it has one."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import hypermnesia
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import LearnerSettings
from hypermnesia.learners import METHODS
from hypermnesia.settings import OnlyWith, Settings, checked, has_effect

CONDITIONAL = {
    ("TrainingSettings", "momentum"): (0.9, {}, {"optimizer": "sgd"}),
    ("TrainingSettings", "betas"): ((0.5, 0.9), {"optimizer": "rmsprop"}, {"optimizer": "adamw"}),
    ("TrainingSettings", "weight_decay"): (0.1, {"optimizer": "rprop"}, {}),
    ("TrainingSettings", "warm_up"): (3, {"optimizer": "rprop"}, {}),
    ("TrainingSettings", "schedule"): ("cosine", {"optimizer": "rprop"}, {}),
    ("TrainingSettings", "plateau"): ({"patience": 3}, {"optimizer": "rprop"}, {}),
    ("TrainingSettings", "step_size"): (3, {"schedule": "cosine"}, {"schedule": "step"}),
    ("TrainingSettings", "step_factor"): (0.5, {}, {"schedule": "step"}),
    ("TrainingSettings", "milestones"): (((1.0, 0.1),), {"schedule": "step"}, {"schedule": "milestones"}),
    ("HypernetworkSettings", "chunk_embedding_dim"): (3, {"chunk_size": "full"}, {"compression": 0.5}),
    ("HypernetworkSettings", "activation"): ("elu", {"hidden": ()}, {}),
    ("HypernetworkSettings", "beta_relative"): (False, {"beta": 0}, {}),
    ("HypernetworkSettings", "lookahead"): ("none", {"beta": 0}, {}),
    ("HypernetworkSettings", "chunk_importance"): ("gradient", {"chunk_size": "full"}, {"compression": 0.5}),
    ("HypernetworkSettings", "lookahead_rate"): (0.1, {"lookahead": "none"}, {"lookahead": "sgd"}),
    ("HypernetworkSettings", "gradient_through_lookahead"): (True, {"lookahead": "none"}, {}),
    ("HypernetworkSettings", "max_tasks"): (2, {"beta": 0}, {}),
    ("HypernetworkSettings", "max_pairs"): (2, {"beta": 0}, {}),
    ("HypernetworkSettings", "regularizer"): ("direct", {"beta": 0}, {}),
    ("HypernetworkSettings", "own_start"): ("drawn", {}, {"own": ("head.*",)}),
    ("FromScratchSettings", "embedding_candidates"): (1, {}, None),  # nowhere
    ("InferenceSettings", "noise"): (0.2, {"criterion": "energy"}, {"criterion": "agreement"}),
    ("InferenceSettings", "samples"): (2, {}, {"criterion": "agreement"}),
    ("MLPSettings", "activation"): ("elu", {"kind": "mlp", "hidden": ()}, {"kind": "mlp", "hidden": (3,)}),
    ("AutoencoderSettings", "activation"): (
        "elu",
        {"encoder_hidden": (), "decoder_hidden": ()},
        {"encoder_hidden": (), "decoder_hidden": (), "channels": (3,)},
    ),
    ("GeneratorSettings", "activation"): ("elu", {"hidden": ()}, {}),
    ("EWCSettings", "fisher"): ("sampled", {"strength": 0}, {}),
    ("EWCSettings", "fisher_examples"): (9, {"strength": 0}, {}),
    ("SISettings", "damping"): (0.2, {"strength": 0}, {}),
}
"""By class and field: a value that is not the default, other settings beside which it has no effect, and has one."""

ALWAYS = {
    # What is learned, by which network, and how: each changes the weights, their number or their values.
    "TrainingSettings": "optimizer optimizer_arguments learning_rate groups iterations epochs clip_norm precision"
    " compile gradient_accumulation_steps",
    "EarlyStopping": "patience min_delta restore_best",
    "ParameterGroup": "parameters rate_factor weight_decay",
    "Plateau": "factor patience least_rate",
    "Augmentation": "crop_border flip",
    "MLPSettings": "kind hidden",
    "NetworkSettings": "kind",
    "PythonNetworkSettings": "kind call arguments outputs_as input_shape_as",
    "ResNetSettings": "kind depth width",
    "ZenkeNetSettings": "kind dropout dense_dropout",
    "ImageNetworkSettings": "normalization",
    "Normalization": "mean deviation",
    "AutoencoderSettings": "latent_dim encoder_hidden decoder_hidden channels distribution",
    "LikelihoodSettings": "hypernetwork",
    "SelfReplayingVAESettings": "kind decoder_hidden",
    "GeneratorSettings": "latent_dim condition_dim hidden channels hypernetwork",
    "VAESettings": "kind encoder_hidden distribution prior",
    "GANSettings": "kind discriminator_hidden gradient_penalty",
    "ReplaySettings": "model weight temperature",
    "HardReplaySettings": "temperature",
    "HypernetworkSettings": "embedding_dim hidden chunk_size compression start embedding_candidates rate_factor beta"
    " initialization shared own",
    "FromScratchSettings": "beta",  # 0 only
    "ConsolidatedHypernetworkSettings": "beta ewc si",  # 0 only
    "LikelihoodLearnerSettings": "likelihood",
    "TaskInferenceLearnerSettings": "replay",
    "ReplayLearnerSettings": "replay",
    "InferenceSettings": "criterion temperature",
    "MemorySettings": "buffer_size",
    "ExperienceReplaySettings": "weight",
    "DERSettings": "alpha beta",
    "LwFSettings": "temperature weight",
    "EWCSettings": "strength decay",  # decay is what online EWC is, of whatever strength
    "SISettings": "strength",
    # Of examples and experiments. Those of recording and evaluation stand in every file that a run or a search writes.
    "CrossEntropy": "kind label_smoothing",
    "OwnLoss": "kind",
    "BinaryCrossEntropy": "kind pos_weight",
    "MeanSquaredError": "kind",
    "FileSettings": "path test",
    "FolderData": "kind size colors",
    "ArraysData": "kind inputs labels tasks leave_out",  # which of them depends on the ending of the path
    "IdxData": "kind path name",
    "PythonData": "kind call arguments",
    "NamedData": "kind name",
    "FurtherTask": "data validation",
    "DealtClasses": "classes_per_task num_tasks first_task shuffle_classes",
    "FromExamples": "validation examples",
    "_Split": "kind",
    "_Permuted": "kind num_tasks padding",
    "_Parts": "kind parts shuffle_tasks",
    "_OfData": "data",
    "DataSettings": "kind",
    "_Listed": "kind classes",
    "_Given": "kind",
    "PolynomialSettings": "coefficients low high",
    "PolynomialTasks": "kind functions examples noise validation",
    "EvaluationSettings": "tasks every_scenario",  # the latter where a learner answers in several, as it says
    "RecordingSettings": "log_every checkpoint_every log keep_learners",
    "Experiment": "name description tasks further network scenario learner training evaluation recording seed device"
    " threads",
    "Variant": "label note",
    "Reproduction": "method benchmark preset settings variant scenarios separately",
    "PublishedTable": "name source seeds methods accuracy variants by_task runs",
}
"""By class, the fields that have an effect whatever is beside them."""

BY_TASK = {
    "TrainingSettings": "early_stopping augmentation batch_size",
    "CrossEntropy": "weight ignore_index",
    "HypernetworkLearnerSettings": "inference",
    "Experiment": "data criterion",
}
"""Those that depend on the tasks: refused when a task is learned that they cannot have an effect on, or with `tasks`.

A batch size is that of replayed and stored examples, too, where a data loader makes its own batches."""


def kinds(base: type[Settings] = Settings) -> Iterator[type[Settings]]:
    for below in base.__subclasses__():
        # Sections of experiments are those of learners with the name of a method.
        if below.__module__.startswith("hypermnesia.") and not issubclass(below, LearnerSettings):
            yield below
        yield from kinds(below)


@pytest.fixture(scope="module", autouse=True)
def _all_modules():
    for module in pkgutil.walk_packages(hypermnesia.__path__, "hypermnesia."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_each_setting_declares_with_which_others_it_has_an_effect_or_is_known_to_have_one_always():
    own = {
        (kind.__name__, name): kind.model_fields[name].metadata
        for kind in kinds()
        for name in kind.__annotations__
        if name in kind.model_fields
    }
    declared = {place for place, metadata in own.items() if any(isinstance(each, OnlyWith) for each in metadata)}
    assert declared == set(CONDITIONAL)
    listed = {(kind, name) for each in (ALWAYS, BY_TASK) for kind, names in each.items() for name in names.split()}
    assert own.keys() - declared == listed


@pytest.mark.parametrize("place", CONDITIONAL, ids=".".join)
def test_where_it_has_no_effect_another_value_than_the_default_is_refused(place):
    (kind, name), (value, without, with_effect) = place, CONDITIONAL[place]
    kinds_there = {each.__name__: each for each in kinds()}
    made = kinds_there["VAESettings" if kind == "GeneratorSettings" else kind]
    if kind == "GeneratorSettings":
        without, with_effect = {**without, "encoder_hidden": ()}, {**with_effect, "encoder_hidden": ()}
    with pytest.raises(
        ConfigurationError, match=rf"^{name}: has an effect only where .*\. Leave {name} out, or set it"
    ):
        checked(made, {**without, name: value})
    default = made.model_fields[name].default
    assert not has_effect(checked(made, {**without, name: default}), name)  # and is accepted
    if with_effect is not None:
        accepted = checked(made, {**with_effect, name: value})
        defaults = {each: made.model_fields[each].default for each in with_effect if each != "kind"}
        assert has_effect(accepted, name)
        # What was accepted reads back, with all fields written down.
        assert checked(made, accepted.model_dump(mode="json")) == accepted
        with pytest.raises(ConfigurationError, match=rf"^{name}: has an effect only where"):
            accepted.model_copy(update={**defaults, **without})


def test_settings_that_methods_come_with_have_an_effect():
    for method in METHODS.values():
        checked(method.learner.Settings, method.settings)
