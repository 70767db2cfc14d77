"""Which step of a chain waits for which: told by the variables in their prompts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from cutline.errors import ConfigError

PREVIOUS = "previous"
_OF_THE_SAMPLE = ("key", "path", "file_name", "stem", "folder", "text")


def links(variables: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """For each step the variables that take from other steps, each with the step it takes from.

    ``variables`` are those in each step's prompt. ``{name}`` and ``{name.field}`` take from the step of
    that name, ``{previous}`` from the one before; any other is the sample's.

    Raises:
        ConfigError: steps wait for each other, the first one for a previous one, or a variable is
            nearly the name of a step.
    """
    names = list(variables)
    found: dict[str, dict[str, str]] = {}
    for place, (name, used) in enumerate(variables.items()):
        found[name] = {}
        for variable in used:
            head = variable.partition(".")[0]
            if head in names:
                found[name][variable] = head
            elif head == PREVIOUS:
                if not place:
                    raise ConfigError(f"step {name}: it is the first, so there is no text for {{{PREVIOUS}}}")
                found[name][variable] = names[place - 1]
            else:
                _refuse_misspelt(name, head, names)
    try:
        TopologicalSorter({name: taken.values() for name, taken in found.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ConfigError(
            f"steps wait for each other ({circle}): let none use a text that comes of its own"
        ) from None
    return found


def inputs_of(name: str, linked: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Every step that ``name`` takes from, directly or through others."""
    found: set[str] = set()
    wanted = list(linked[name].values())
    while wanted:
        step = wanted.pop()
        if step not in found:
            found.add(step)
            wanted.extend(linked[step].values())
    return found


def _refuse_misspelt(step: str, head: str, names: Sequence[str]) -> None:
    """A slip would cost a whole run: every picture would fail at this step."""
    near = difflib.get_close_matches(head, [*names, PREVIOUS], n=1, cutoff=0.8)
    if near and head not in _OF_THE_SAMPLE:
        raise ConfigError(
            f"step {step}: there is no step for {{{head}}}; did you mean {{{near[0]}}}?"
            " If it is a column of yours, give the step a name that differs more"
        )
