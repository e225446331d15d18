"""The measurement log and the environment's fingerprint. What is not in the log is not in a report."""

from aabench.record.environment import fingerprint
from aabench.record.log import Broken, Log, UnsavedRow, append, check_writable, new, read, status_of
from aabench.record.measurement import DIVERGED, SCHEMA_VERSION, Level, Measurement, Status, Value
from aabench.record.shape import show_shape

__all__ = [
    "DIVERGED",
    "SCHEMA_VERSION",
    "Broken",
    "Level",
    "Log",
    "Measurement",
    "Status",
    "UnsavedRow",
    "Value",
    "append",
    "check_writable",
    "fingerprint",
    "new",
    "read",
    "show_shape",
    "status_of",
]
