"""A command that captions the same input with a model which recognizes objects, fit for this machine."""

from __future__ import annotations

import shlex

from cutline.cli.installation import exact
from cutline.errors import install_line
from cutline.formatting import printable
from cutline.job import Job
from cutline.machine import Machine, options_for


def command_for(job: Job, machine: Machine) -> str:
    """The advice in one line: a command that writes nothing, and how to go on from it."""
    options, size = options_for(machine)
    install = "" if machine.ollama or machine.local or machine.key else exact(install_line("local")) + " && "
    if job.to_dict().keys() <= {"input_path", "output_path", "model"}:
        paths = [
            path if path[:1] != "-" else f"./{path}" for path in (job.input_path, job.output_path) if path
        ]
        words = printable(shlex.join(paths))
        command = f"`{install}cutline caption {words} {options} --preview 3`"
    else:
        before = f"`{install.removesuffix(' && ')}`, then " if install else ""
        command = f"{before}the same command with `{options} --preview 3`"
    once = f" (downloads {size:.2g} GB once)" if size else " (its use is paid for)"
    return f"{command}{once}; then all of them with `--on-change redo-all` in place of `--preview 3`"
