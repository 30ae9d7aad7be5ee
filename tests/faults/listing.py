"""Writes the list of all faults, with what was seen of each, from the report of a whole run of the table:

pytest tests/faults/test_table.py -m long --junitxml=faults.xml
python -m tests.faults.listing faults.xml
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"

_HEAD = """# The two hundred faults

What was injected in the last whole run of [the table of faults](../reliability.md#the-table-of-faults), and what was
seen of each. What is promised of each kind stands there. Whole means that the records, the events and the counts are
those of the same work without a fault, and that there is one end.

| # | fault | work | seen |
|---:|---|---|---|
"""


def page(report: str) -> str:
    """The page, of a report in the JUnit form."""
    rows = []
    for case in ET.fromstring(report).iter("testcase"):
        said = {each.get("name"): each.get("value", "") for each in case.iter("property")}
        number = case.get("name", "").partition("[")[2][:3]
        failed = case.find("failure") is not None or case.find("error") is not None
        seen = "NOT AS PROMISED" if failed else said.get("seen", "")
        rows.append((number, said.get("fault", ""), said.get("work", ""), seen))
    lines = (
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in sorted(rows)
    )
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1]).read_text()))
