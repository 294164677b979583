"""The list of files in docs/how-it-works.md is the first sentence of each: `--rewrite` writes it again."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-it-works.md"
BEGIN, END = "<!-- files: tests/test_documents.py writes what follows -->\n", "<!-- end of files -->\n"
ROOMS = ("expr", "parse", "train", "definitions", "calculus", "loops", "precision", "derivation", "kernels", "emit",
         "compiler.py", "explain", "estimators", "check", "bench", "cli")  # fmt: skip


def first_paragraph(path):
    return " ".join(ast.get_docstring(ast.parse(path.read_text("utf-8"))).split("\n\n")[0].split())


def listed():
    lines = []
    for room in ROOMS:
        place = ROOT / "symbackprop" / room
        lines += [f"\n**`{room}{'/' * place.is_dir()}`** {first_paragraph(place / '__init__.py' if place.is_dir() else place)}\n"]
        inside = sorted(place.rglob("*.py"), key=lambda path: (path.parent, path.name))
        lines += [f"- `{path.relative_to(place).as_posix()}`: {first_paragraph(path)}" for path in inside
                  if path.name not in {"__init__.py", "__main__.py"}]  # fmt: skip
    return "\n".join(lines).lstrip("\n") + "\n"


def test_the_list_of_files_is_what_the_files_say(request):
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    page = f"{before}{BEGIN}\n{listed()}\n{END}{after}"
    if request.config.getoption("--rewrite"):
        PAGE.write_text(page, "utf-8")
    assert page == PAGE.read_text("utf-8"), "where the files are right: pytest tests/test_documents.py --rewrite"


def test_every_room_is_listed():
    found = {path.name for path in (ROOT / "symbackprop").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found == {*ROOMS, "__init__.py", "__main__.py"}
