"""Writes docs/commands.md from the command line's own help: python docs/make_commands.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from workbench.cli import main_group

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Commands

Written by `python docs/make_commands.py` from the help of the commands; a test compares the two.

Exit status: 0 where the job was done; 1 where a part of it failed (a notebook, a benchmark's limit);
2 where the call cannot be (an unknown option or parameter, a source that is not there); 130 after Ctrl-C.
"""


def page() -> str:
    """The page as it should be."""
    return "\n".join(
        [
            HEAD,
            *_command(
                main_group, click.Context(main_group, info_name="workbench", **main_group.context_settings)
            ),
        ]
    )


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    yield f"{command.help}\n"
    yield f"    {context.command_path} {' '.join(command.collect_usage_pieces(context))}\n"
    options = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    yield "| option | what it does |\n| --- | --- |"
    yield from (f"| {_code(name)} | {_cell(text)} |" for name, text in options)
    yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _command(child, click.Context(child, info_name=name, parent=context))


def _code(names: str) -> str:
    return f"`{_cell(names)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
