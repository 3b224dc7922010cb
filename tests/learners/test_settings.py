"""Settings of every registered learner: fields and keyword arguments are the same, and so is what they make."""

import inspect
from typing import Any

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import METHODS, ContinualLearner
from hypermnesia.learners.inference_criteria import InferenceSettings
from hypermnesia.settings import Settings
from hypermnesia.training import TrainingSettings
from tests.methods import ONE_EACH, TRAINING, Case
from tests.nested import equal

KINDS = list(dict.fromkeys(method.learner for method in METHODS.values()))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request) -> type[ContinualLearner]:
    return request.param


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    return request.param


def parameters(kind: type[ContinualLearner]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind).parameters)


def test_the_constructor_takes_the_fields_and_what_all_learners_take(kind):
    fields = list(kind.Settings.model_fields)
    of_all = [*(["scenario"] if kind.trained_for_scenario else []), "criterion", "metric", "training", "seed", "device"]
    assert list(parameters(kind)) == ["module", "settings", *fields, *of_all]
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    assert not variable & {parameter.kind for parameter in parameters(kind).values()}
    assert all(parameters(kind)[name].kind is inspect.Parameter.KEYWORD_ONLY for name in (*fields, *of_all))


def test_defaults_of_fields_and_keyword_arguments_are_equal(kind):
    for name, field in kind.Settings.model_fields.items():
        assert parameters(kind)[name].default == field.default, name
        assert not field.is_required()
    common = {"settings": None, "criterion": None, "metric": None, "training": None, "seed": 0, "device": "cpu"}
    assert {name: parameters(kind)[name].default for name in common} == common


def test_every_setting_and_argument_is_documented(kind):
    for name in parameters(kind):
        assert name in kind.__doc__, name
    undocumented = [name for name, field in kind.Settings.model_fields.items() if not field.description]
    assert not undocumented


def test_a_settings_object_its_fields_and_keyword_arguments_make_the_same_learner(case):
    settings = case.settings
    fields = {name: getattr(settings, name) for name in type(settings).model_fields}
    learners = [
        case.make(),
        case.make(settings=settings.model_dump()),
        case.make(settings=settings.model_dump(mode="json")),  # as read from a file
        case.make(settings=None, **fields),
        case.make(settings=None, **settings.model_dump()),
    ]
    for learner in learners:
        assert type(learner.settings) is case.kind.Settings
        assert learner.settings == settings
        assert equal(learner.state_dict(), case.learned.states[0])
    learners[-1].learn(case.tasks[0])
    assert equal(learners[-1].state_dict(), case.learned.states[1])


def test_settings_and_keyword_arguments_together_are_refused(case):
    changed = {
        name: getattr(case.settings, name)
        for name, field in type(case.settings).model_fields.items()
        if getattr(case.settings, name) != field.default
    }
    for name, value in changed.items():
        for settings in (case.settings, case.settings.model_dump()):
            with pytest.raises(
                ConfigurationError, match=rf"^{name}: give either settings or keyword arguments, not both; settings may"
            ):
                case.make(settings=settings, **{name: value})


def sections(case: Case) -> dict[str, Settings]:
    """Settings within the settings."""
    return {name: value for name, value in case.settings if isinstance(value, Settings)}


def test_a_section_may_be_settings_or_their_fields(case):
    of_all: dict[str, Any] = {"training": TrainingSettings(**TRAINING)}
    if "inference" in sections(case):
        assert isinstance(sections(case)["inference"], InferenceSettings)
    base = {name: value for name, value in case.settings.model_dump().items() if name not in sections(case)}
    as_objects = case.make(settings=None, **base, **sections(case), **of_all)
    as_fields = case.make(settings=None, **base, **{name: s.model_dump() for name, s in sections(case).items()})
    assert as_objects.settings == as_fields.settings == case.settings
    assert as_objects.training == as_fields.training == of_all["training"]


def test_what_is_misspelt_is_explained(case):
    """An argument by Python itself, a field by the settings."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'setings'"):
        case.make(setings=None)
    wrong = {f"{name}s": value for name, value in case.settings.model_dump().items()} or {"strength": 1.0}
    for name, value in wrong.items():
        message = rf"^{name}: unknown setting\." + (r" Did you mean '" if case.method.tunable else "")
        with pytest.raises(ConfigurationError, match=message):
            case.make(settings={name: value})
    for section, settings in sections(case).items():
        for name, value in settings.model_dump().items():
            if name == "kind":
                continue
            misspelt = {**settings.model_dump(), f"{name}s": value}
            with pytest.raises(ConfigurationError, match=rf"{section}\.{name}s: unknown setting\. Did you mean '"):
                case.make(settings=None, **{**case.settings.model_dump(), section: misspelt})


def test_settings_of_another_kind_are_refused(case, unchecked):
    """As those of training in the place of the method's, which some methods have none of."""
    with pytest.raises(ConfigurationError, match=r"(?m)^learning_rate: unknown setting\."):
        case.make(settings=TrainingSettings(iterations=4))


def test_settings_say_themselves_what_is_wrong(unchecked):
    with pytest.raises(ConfigurationError, match=r"epoch: unknown setting\. Did you mean 'epochs'\?"):
        TrainingSettings(epoch=3)
    with pytest.raises(ConfigurationError, match=r"^momentum: .*2\.\nbatch_size: "):
        TrainingSettings(batch_size=0, momentum=2)
    with pytest.raises(ConfigurationError, match=r"must be given as TrainingSettings, or as a dict.*not as str"):
        ONE_EACH[0].make(training="adam")
    # Sections are named where they stand.
    with pytest.raises(ConfigurationError, match=r"^inference\.samples: "):
        ONE_EACH[0].kind.Settings(inference={"samples": 0})
