"""The report: Markdown, CSV and plots, from the log alone. It measures nothing and imports no torch."""

from aabench.report.write import render, write_report

__all__ = ["render", "write_report"]
