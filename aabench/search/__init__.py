"""The search for where to plug attention in (EAN), independent of networks."""

from aabench.search.engine import LAST_SEARCH, search
from aabench.search.evaluation import SupernetEvaluator
from aabench.search.method import MethodName
from aabench.search.plan import SearchPlan
from aabench.search.progress import SearchProgress, SilentSearch
from aabench.search.result import Scored, SearchResult, Step
from aabench.search.score import Evaluator, Flags, Score

__all__ = [
    "LAST_SEARCH",
    "Evaluator",
    "Flags",
    "MethodName",
    "Score",
    "Scored",
    "SearchPlan",
    "SearchProgress",
    "SearchResult",
    "SilentSearch",
    "Step",
    "SupernetEvaluator",
    "search",
]
