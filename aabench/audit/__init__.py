"""Does somebody's attention augmented convolution compute what the paper says? Importing this imports no torch."""

from aabench.audit.adapter import Adapter, load_adapter
from aabench.audit.finding import Finding, Report
from aabench.audit.process import audit

__all__ = ["Adapter", "Finding", "Report", "audit", "load_adapter"]
