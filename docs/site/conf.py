"""Sphinx's settings for the documentation site: `make docs`.

The sources are the whole repository, so that links between pages, to README.md and to sources, which are written for
reading on a hosting site, hold on this one too.
"""

import os
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # for notebooks

project = "hypermnesia"
author = "The hypermnesia authors"
version = release = metadata.version("hypermnesia")
copyright = f"{author}. Apache License 2.0"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "commands",
    "docstrings",
    "mathml",
    "public_names",
]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "notebooks/*.nb.py"]
exclude_patterns = ["docs/site/**"]
nitpicky = True  # a type that cannot be linked is a warning, and warnings are errors
nitpick_ignore_regex = [
    ("py:class", r"jaxtyping\..*|(Float|U?Int)\d*|pydantic\..*|dict\[str"),
    # Types of arguments that nobody but the package makes.
    (
        "py:class",
        r".*\.(ChunkImportance|EmbeddingChoice|Given|Learner|NetworksOfTasks|NoSettings|Result|Rows|SettingsKind|TaskLoss)"
        r"|Answering",
    ),
]

# Pages.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
default_role = "code"
smartquotes = False  # they would make a dash of the two of an option
math_renderer = html_math_renderer = "mathml"
suppress_warnings = ["myst.header"]

# Notebooks are scripts; a cell that fails fails the site.
nb_custom_formats = {".nb.py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"  # what other packages say of notebooks without widgets

# What docstrings say.
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "model_config"}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# Names of others are linked by lists that lie here, so that no build needs a network.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", str(Path(__file__).parent / "inventories" / "python.txt")),
    "torch": ("https://docs.pytorch.org/docs/stable", str(Path(__file__).parent / "inventories" / "torch.txt")),
    "numpy": ("https://numpy.org/doc/stable", str(Path(__file__).parent / "inventories" / "numpy.txt")),
}

html_theme = "furo"
html_title = "hypermnesia"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
templates_path = ["templates"]
html_additional_pages = {"index": "to-first-page.html"}  # the address without a name of a page
