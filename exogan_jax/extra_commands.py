"""Commands of `exogan` that another package brings, by the entry point that it declares."""

from importlib.metadata import entry_points
from importlib.util import find_spec


def is_there(name: str) -> bool:
    """Whether the package of a command is there: the wheel declares `data` and does not hold it."""
    entries = entry_points(group="exogan.commands", name=name)
    return any(find_spec(entry.module.partition(".")[0]) is not None for entry in entries)
