"""A command that captions the same input with a model which recognizes objects, fit for this machine."""

from __future__ import annotations

import shlex

from cutline.formatting import printable
from cutline.installation import program
from cutline.job import Job
from cutline.machine import Machine, model_advice


def command_for(job: Job, machine: Machine) -> str:
    """The advice in one line: a command that writes nothing, and how to continue from it."""
    advice = model_advice(machine)
    options, size = advice.options, advice.gigabytes
    install = f"{advice.install} && " if advice.install else ""
    if job.to_dict().keys() <= {"input_path", "output_path", "model"}:
        paths = [
            path if path[:1] != "-" else f"./{path}" for path in (job.input_path, job.output_path) if path
        ]
        words = printable(shlex.join(paths))
        command = f"`{install}{program()} caption {words} {options} --preview 3`"
    else:
        before = f"`{install.removesuffix(' && ')}`, then " if install else ""
        command = f"{before}the same command with `{options} --preview 3`"
    once = f" (downloads {size:.2g} GB once)" if size else " (its use is paid for)"
    return f"{command}{once}; then all of them with `--on-change redo-all` in place of `--preview 3`"
