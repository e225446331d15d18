"""What changed between two logs, or between two revisions run in turns: the regression gate. Imports no torch.

Counts are exact, so any difference counts. Times are not: two logs are never compared by them, only two revisions that
take turns in one run (:mod:`aabench.compare.rerun`, which needs scipy and is imported by its own name).
"""

from aabench.compare.files import compare_files
from aabench.compare.finding import Comparison, Finding, Judgement, NotComparable

__all__ = ["Comparison", "Finding", "Judgement", "NotComparable", "compare_files"]
