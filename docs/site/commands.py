"""The page of commands, made of what `--help` of each says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hypermnesia.cli.main import app as program


class Commands(SphinxDirective):
    """A section for each command of the program, and for each of their commands."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        command = typer.main.get_command(program)
        lines = list(lines_of(command, command.make_context("hypermnesia", [], resilient_parsing=True)))
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def lines_of(command: Any, context: Any, *, level: int = 0) -> Iterator[str]:
    """A command and what it groups, as reStructuredText.

    Args:
        command: Command of Click, made by Typer.
        context: Its context, which knows by which words it is called.
        level: Number of commands that it is part of.
    """
    name = context.command_path
    if level:
        yield from ("", f".. _{name.replace(' ', '-')}:", "", name, "-~"[level - 1] * len(name), "")
    yield from (inspect.cleandoc(command.help or ""), "")
    yield from ("::", "", f"   {name} {' '.join(command.collect_usage_pieces(context))}", "")
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            term, text = record
            yield from (f"``{term.strip()}``", f"   {' '.join(text.split()) or '…'}", "")
    command.get_help(context)  # which adds to some what they list at the end
    if command.epilog:
        yield from ("::", "", *(f"   {line}" for line in command.epilog.strip("\b\n").split("\n")), "")
    for child in getattr(command, "list_commands", lambda _: [])(context):
        inner = command.get_command(context, child)
        yield from lines_of(
            inner, inner.make_context(child, [], parent=context, resilient_parsing=True), level=level + 1
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive `commands`."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
