"""Write docs/findings: a page for each finding code, their table, and codes.json.

usage: python tools/finding_pages.py

Everything comes from the registry in capsule/verdict/codes. A page whose code is gone is deleted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "findings"
sys.path.insert(0, str(PROJECT))

from capsule.report.findings import code_json, code_page, codes_enum, index_page  # noqa: E402
from capsule.verdict.codes import REGISTRY  # noqa: E402


def pages() -> dict[str, str]:
    """Return the text of each file in the folder, by its name."""
    codes = [REGISTRY[name] for name in codes_enum()]
    texts = {f"{code.name}.md": code_page(code) for code in codes}
    keys = ("code", "title", "severity", "decides", "cases")
    facts = [{key: code_json(code)[key] for key in keys} for code in codes]
    table = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    return {**texts, "index.md": index_page(codes), "codes.json": table}


def main() -> None:
    """Write the files, and delete those of codes that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = pages()
    for path in FOLDER.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
