"""Errors meant for the person at the keyboard: one line each, never a traceback."""


class AABenchError(Exception):
    """Wrong usage or input: says what was given, what was expected and what to do."""

    exit_code = 2


class DidNotHold(AABenchError):
    """It ran, and what it had to show it did not show."""

    exit_code = 1


class NotMeasurable(AABenchError):
    """Nothing could be measured because something is missing (data, weights, a device)."""

    exit_code = 3


def listing(names: list[str], shown: int = 10) -> str:
    """The first names, and how many more there are."""
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
