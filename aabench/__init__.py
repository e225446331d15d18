"""aabench turns a paper's claims into verdicts."""

__version__ = "0.1.0"
