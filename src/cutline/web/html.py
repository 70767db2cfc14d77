"""Render this package's templates: values are escaped, and a missing one is an error."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import re
from typing import Any, Final

import jinja2
import pybase64
from markupsafe import Markup

from cutline.formatting import plural
from cutline.serialization import valid_unicode

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def render(template: str, **values: Any) -> str:
    """Render the template of that name; characters invalid in HTML become U+FFFD."""
    return _environment().get_template(template).render(values)


def page_policy(script: str = "") -> str:
    """The Content-Security-Policy of a page that loads nothing; it allows ``script`` alone, by its hash."""
    allowed = ""
    if script:
        digest = pybase64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"script-src 'sha256-{digest}'; "
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {allowed}"
        "base-uri 'none'; form-action 'none'"
    )


def style(*names: str) -> Markup:
    """``base.css`` and the style sheets of those names, for inclusion in a page."""
    folder = importlib.resources.files("cutline.web")
    return Markup("".join(folder.joinpath(sheet).read_text("utf-8") for sheet in ("base.css", *names)))  # noqa: S704 - ours


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cutline.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_valid,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["plural"] = plural
    environment.globals["policy"] = page_policy()  # of pages without a script
    return environment


def _valid(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", valid_unicode(value))
    return value
