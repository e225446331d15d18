"""A comparison as JUnit XML: a test case for each compared value, for whatever shows test results."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from aabench.compare.finding import SETTLED, Comparison, Finding

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 (section 2.2) has no way to write."""


def to_junit(comparison: Comparison) -> bytes:
    """The document. A regression is a failure; what was not judged or not comparable is skipped, with the reason."""
    counts = comparison.counts
    failures = counts.get("regression", 0)
    passed = sum(count for judgement, count in counts.items() if judgement in SETTLED)
    tests = len(comparison.findings)
    numbers = {
        "tests": str(tests),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(tests - passed - failures),
    }
    root = ElementTree.Element("testsuites", numbers)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "aabench compare", **numbers})
    for finding in comparison.findings:
        suite.append(_case(finding))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(finding: Finding) -> ElementTree.Element:
    name = _clean(f"{finding.metric} ({finding.place})")
    case = ElementTree.Element("testcase", {"classname": _clean(finding.task), "name": name})
    said = _clean("; ".join(filter(None, (finding.numbers, finding.reason))))
    if finding.judgement == "regression":
        ElementTree.SubElement(case, "failure", {"type": "regression", "message": said})
    elif finding.judgement not in SETTLED:
        ElementTree.SubElement(case, "skipped", {"message": f"{finding.judgement}: {said}"})
    elif finding.judgement != "same":
        ElementTree.SubElement(case, "system-out").text = f"{finding.judgement}: {said}"
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
