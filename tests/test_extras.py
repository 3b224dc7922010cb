import sys

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.extras import lacking, missing, needed, packages_of, version_of


def test_the_installed_package_says_what_its_extras_bring():
    assert {"typer", "altair"} <= set(packages_of("cli"))
    assert packages_of("no-such-extra") == []
    assert missing("cli") == []
    assert version_of("numpy")
    assert version_of("no-such-package") is None


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"^A cluster needs distributed, which is not .*hypermnesia\[cluster\]'$"):
        with needed("A cluster", "cluster"):
            import distributed  # noqa: F401
    assert lacking("It", "cli", ["one", "two"]).startswith("It needs one, two, which are not installed")


def test_a_package_that_is_there_but_broken_is_not_called_missing():
    with pytest.raises(ImportError, match="cannot be loaded"), needed("A cluster", "cluster"):
        raise ImportError("it cannot be loaded")
