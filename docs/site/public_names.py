"""Links from the names that docstrings and signatures have to where the reference shows them.

A class is defined in one module and public in another, as `hypermnesia.tasks.task.Task` and `hypermnesia.Task`; and
docstrings call it `Task`. Where the last part of a name is that of one thing in the reference, it is meant.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

ELSEWHERE = {
    "ndarray": "numpy.ndarray",
    "Tensor": "torch.Tensor",
    "torch._C.Generator": "torch.Generator",
    "torch.nn.modules.container.Sequential": "torch.nn.Sequential",
    "torch.nn.modules.module.Module": "torch.nn.Module",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.optim.optimizer.Optimizer": "torch.optim.Optimizer",
    "torch.utils.data.dataloader.DataLoader": "torch.utils.data.DataLoader",
}
"""Names under which others document what is defined elsewhere."""


def link(app: Sphinx, env: BuildEnvironment, node: Any, text: nodes.TextElement) -> nodes.reference | None:
    """Link a name of Python's domain that nothing is registered by."""
    if node.get("refdomain") != "py":
        return None
    if node["reftarget"] in ELSEWHERE:
        node["reftarget"] = ELSEWHERE[node["reftarget"]]
        return None  # for intersphinx
    domain, target = env.domains.python_domain, node["reftarget"]
    kinds = domain.objtypes_for_role(node["reftype"]) or ()
    for end in (target, target.rpartition(".")[2]):
        found = {
            (entry.docname, entry.node_id)
            for name, entry in domain.objects.items()
            if f".{name}".endswith(f".{end}") and entry.objtype in (*kinds, "data") and not entry.aliased
        }
        if len(found) == 1:
            [(page, place)] = found
            return make_refnode(app.builder, node.get("refdoc", page), page, place, text, target)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Ask this before the lists of other projects."""
    app.connect("missing-reference", link, priority=400)
    return {"parallel_read_safe": True}
