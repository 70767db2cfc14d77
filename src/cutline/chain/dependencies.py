"""Dependencies between the steps of a chain, read from the variables in their prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from cutline.errors import ConfigError
from cutline.formatting import nearest

PREVIOUS = "previous"
Dependencies: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each step its prompt's variables that refer to other steps, with the step each refers to."""
_SAMPLE_VARIABLES = ("key", "path", "file_name", "stem", "folder", "text")


def resolve_dependencies(variables: Mapping[str, Sequence[str]]) -> Dependencies:
    """Resolve the variables in each step's prompt to the steps that they refer to.

    ``{name}`` and ``{name.field}`` refer to the step of that name, ``{previous}`` to the one before; any
    other is the sample's.

    Raises:
        ConfigError: steps depend on each other in a circle, the first one on a previous one, or a
            variable is nearly the name of a step.
    """
    names = list(variables)
    dependencies: dict[str, dict[str, str]] = {}
    for position, (name, used) in enumerate(variables.items()):
        dependencies[name] = {}
        for variable in used:
            head = variable.partition(".")[0]
            if head in names:
                dependencies[name][variable] = head
            elif head == PREVIOUS:
                if not position:
                    raise ConfigError(f"step {name}: it is the first, so there is no text for {{{PREVIOUS}}}")
                dependencies[name][variable] = names[position - 1]
            else:
                # A typing error would cost a whole run: every picture would fail at this step.
                near = nearest(head, [*names, PREVIOUS], cutoff=0.8)
                if near and head not in _SAMPLE_VARIABLES:
                    raise ConfigError(
                        f"step {name}: there is no step for {{{head}}}; did you mean {{{near[0]}}}?"
                        " If it is a column of yours, give the step a name that differs more"
                    )
    try:
        TopologicalSorter({name: inputs.values() for name, inputs in dependencies.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ConfigError(
            f"steps wait for each other ({circle}): let none use a text that comes of its own"
        ) from None
    return dependencies


def transitive_inputs(name: str, dependencies: Dependencies) -> set[str]:
    """Every step that ``name`` depends on, directly or through others."""
    found: set[str] = set()
    pending = list(dependencies[name].values())
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(dependencies[step].values())
    return found
