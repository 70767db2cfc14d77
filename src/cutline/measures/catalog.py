"""Look up measures by the names that rules use."""

from __future__ import annotations

import contextlib

from cutline import registry
from cutline.errors import ConfigError
from cutline.interfaces import Measure, MeasureOptions, check_members

_CLASS = "class"  # of class.LABEL


def make_measure(name: str, options: MeasureOptions) -> Measure:
    """Make the measure with a name such as ``sharpness`` or ``class.watermark``.

    Raises:
        ConfigError: there is no such measure, or it cannot run; MissingExtra: it needs an extra.
    """
    kind, _, label = name.partition(".")
    if kind == _CLASS and not label:
        raise ConfigError("class needs a label of the classifier: write class.LABEL, such as class.watermark")
    if kind == _CLASS:
        measure: Measure = registry.load("measures", _CLASS)(options, label)
        return measure
    made = registry.load("measures", name)
    if not (isinstance(made, type) and Measure in made.__mro__):
        raise ConfigError(f"the measure {name!r} is not a class derived from cutline.Measure")
    check_members(f"the measure {name!r}", made, Measure, "measure")
    return made(options)  # type: ignore[no-any-return]


def is_built_in(measure: Measure) -> bool:
    """Whether it is one of cutline's own, ``class.LABEL`` included."""
    return measure.name.partition(".")[0] in registry.BUILT_IN["measures"]


def usual_measures(options: MeasureOptions) -> list[Measure]:
    """The measures that cost milliseconds; they are computed for every decoded picture."""
    made = [registry.load("measures", name) for name in registry.BUILT_IN["measures"]]
    return [measure(options) for measure in made if not measure.is_slow]


def all_measures() -> list[type[Measure]]:
    """The classes of all measures, built-in ones first, without plug-ins that fail to load."""
    found = []
    for name in registry.names("measures"):
        with contextlib.suppress(ConfigError):
            found.append(registry.load("measures", name))
    return found
