"""The pages do what they say: their Python and their commands run, their links lead somewhere, rooms are as drawn."""

from __future__ import annotations

import os
import re
import shlex
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.importers.keras_by_hand import write_keras

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDERS = ("edgelstm", "models", "deploy", "benchmarks", "tests", ".github")
EVERY_PAGE = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
TITLES = {page.relative_to(ROOT).as_posix(): page.read_text() for page in EVERY_PAGE}
# Pages of figures show what a command printed elsewhere; those of tests and for contributors are no manual.
MANUAL = {name: text for name, text in TITLES.items() if not name.startswith(("benchmarks/", "tests/", ".github/"))}
# The edgelstm commands of each page, by their first word.
COMMANDS = {
    "README.md": ["train", "export", "train"],
    "edgelstm/export/README.md": ["compare"],
    "edgelstm/importers/README.md": ["import", "export"],
    "edgelstm/runtime/README.md": ["verify", "inspect", "predict"],
    "edgelstm/train/README.md": [*["train"] * 5, "evaluate", "evaluate", "finetune"],
}
# The other programs that a page may name: what they do is shown by `tests/deploy`, by the Makefile, and by hand.
OTHERS = {"docker", "echo", "journalctl", "make", "pip", "scp", "seq", "sudo"}
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def typed(text):
    """Every command of the console blocks, in its order, without what it prints."""
    for block in blocks(text, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield shlex.split(line.removeprefix("$ "), comments=True)


def commands(text):
    return [words[1:] for words in typed(text) if words[0] == "edgelstm"]


PYTHON = [(name, i, code) for name, text in MANUAL.items() for i, code in enumerate(blocks(text, "python"))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the committed models, and the tables and the Keras file that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "co2").mkdir(parents=True)
    for file in (ROOT / "models" / "co2").iterdir():
        os.symlink(file.resolve(), tmp_path / "models" / "co2" / file.name)
    write_keras(tmp_path / "tutorial.keras")
    for name, lines in tables().items():
        (tmp_path / name).write_text("\n".join([*lines, ""]))
    return tmp_path


def tables():
    """The tables of four users: a load with a daily rhythm, gestures of different lengths, worn pumps, three stores."""
    rng = np.random.default_rng(0)
    hours = np.datetime64("2024-01-01T00") + np.arange(2000)
    load = 20 + 5 * np.sin(np.arange(2000) / 24 * 2 * np.pi) + rng.normal(size=2000)
    loads = [f"{h}:00,{load[i]:.3f},{10 + i % 24},{int(i // 24 % 7 == 6)}" for i, h in enumerate(hours)]
    gestures = [
        f"{g},{('wave', 'tap')[g % 2]},{','.join(f'{v:.3f}' for v in rng.normal(g % 2, 1, 3))}"
        for g in range(40)
        for _ in range(rng.integers(8, 20))
    ]
    pumps = [
        f"{pump},{left},{200 / (left + 20) + rng.normal():.3f},{40 + rng.normal():.3f}"
        for pump in range(12)
        for left in range(int(rng.integers(80, 200)), -1, -1)
    ]
    days = np.datetime64("2023-01-01") + np.arange(300)
    stores = [
        f"{days[day]},{store},{10**store * (2 + np.sin(day / 7 * 2 * np.pi)) + rng.normal():.2f}"
        for day in range(300)
        for store in range(3)
    ]
    return {
        "load.csv": ["time,load,temperature,holiday", *loads],
        "gestures.csv": ["gesture,name,ax,ay,az", *gestures],
        "pumps.csv": ["pump,hours_left,vibration,heat", *pumps],
        "stores.csv": ["date,store,sales", *stores],
    }


@pytest.mark.parametrize(("name", "code"), [(n, c) for n, _, c in PYTHON], ids=[f"{n}-{i}" for n, i, _ in PYTHON])
def test_the_python_of_a_page_runs(name, code, folder, capsys):
    exec(compile(code, name, "exec"), {})
    printed = [float(number) for number in re.findall(r"\[\[([0-9.]+)\]\]", capsys.readouterr().out)]
    assert all(value == pytest.approx(0.6, abs=0.02) for value in printed)
    assert len(printed) == (2 if "from edgelstm.train import fit" in code else 0)


def test_python_stands_where_it_is_expected():
    pages = [
        "README.md",
        "edgelstm/importers/README.md",
        *["edgelstm/runtime/README.md"] * 2,
        "edgelstm/train/README.md",
    ]
    assert [name for name, _, _ in PYTHON] == pages


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_of_a_page_run(name, folder, cli_here):
    found = commands(TITLES[name])
    assert [command[0] for command in found] == COMMANDS[name]
    for command in found:
        quick = {"train": ["--epochs", "1", "--threads", "1"], "finetune": ["--epochs", "1"]}
        process = cli_here(*command, *quick.get(command[0], []))
        assert process.returncode == 0, process.stderr


def test_no_page_has_commands_that_nothing_runs():
    assert {name: words for name, text in MANUAL.items() if (words := [c[0] for c in commands(text)])} == COMMANDS
    others = {words[0] for text in MANUAL.values() for words in typed(text)} - {"edgelstm"}
    assert {word for word in others if not (ROOT / word).is_file()} <= OTHERS


def test_the_readme_describes_every_command(cli_here):
    listed = re.findall(r"^  (\w+) ", cli_here("--help").stdout.split("Commands:")[1], re.MULTILINE)
    described = re.findall(r"^\| `edgelstm (\w+)", TITLES["README.md"], re.MULTILINE)
    assert described == listed


def test_the_readme_stays_short():
    assert len(TITLES["README.md"].split()) <= 1300


def anchors(text):
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", TITLES)
def test_the_links_of_a_page_lead_somewhere(name):
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", CODE.sub("", TITLES[name])):
        target, _, anchor = link.partition("#")
        place = (ROOT / name).parent / target if target else ROOT / name
        assert place.exists(), link
        assert not anchor or anchor in anchors(place.read_text()), link


@pytest.mark.parametrize("folder", ["edgelstm", "models", "deploy"])
def test_every_page_of_the_manual_can_be_reached_from_the_readme(folder):
    reached, left = set(), ["README.md"]
    while left:
        name = left.pop()
        reached.add(name)
        links = re.findall(r"\]\((?!https?:|mailto:)([^)\s#]+)", CODE.sub("", TITLES[name]))
        places = {os.path.relpath((ROOT / name).parent / link, ROOT) for link in links}
        left += sorted(places & TITLES.keys() - reached)
    assert {name for name in TITLES if name.startswith(f"{folder}/")} <= reached


def test_the_picture_of_the_rooms_is_the_import_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["edgelstm"])
    picture, _ = blocks(TITLES[".github/CONTRIBUTING.md"], "text")
    drawn = []
    for line in picture.splitlines():
        bracket, room, sentence = line[0], *line[2:].split(maxsplit=1)
        assert sentence
        if bracket in " ┌":
            drawn.append([])
        drawn[-1].append(room)
    assert [sorted(rank) for rank in drawn] == [sorted(rank.split(" | ")) for rank in layers if rank != "__main__"]
