"""The README does what it says: its Python runs, and its commands are the commands there are."""

from __future__ import annotations

import os
import re
import shlex

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.importers.keras_by_hand import write_keras

README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    """The edgelstm commands of the console blocks, in their order, without what they print."""
    for block in blocks("console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ edgelstm "):
                yield shlex.split(line.removeprefix("$ edgelstm "))


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


@pytest.mark.parametrize("code", blocks("python"), ids=["device", "first-example", "own-network", "guard-and-streams"])
def test_its_python_runs(code, folder, capsys):
    exec(compile(code, "README.md", "exec"), {})
    printed = [float(number) for number in re.findall(r"\[\[([0-9.]+)\]\]", capsys.readouterr().out)]
    assert all(value == pytest.approx(0.6, abs=0.02) for value in printed)
    assert len(printed) in (0, 2)


def test_its_commands_run(folder, cli_here):
    found = list(commands())
    assert [command[0] for command in found] == ["train", "export", *["train"] * 5, "import", "export"]
    for command in found:
        quick = ["--epochs", "1", "--threads", "1"] if command[0] == "train" else []
        process = cli_here(*command, *quick)
        assert process.returncode == 0, process.stderr


def test_it_describes_every_command(cli_here):
    listed = re.findall(r"^  (\w+) ", cli_here("--help").stdout.split("Commands:")[1], re.MULTILINE)
    described = re.findall(r"^\| `edgelstm (\w+)", README, re.MULTILINE)
    assert described == listed


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
