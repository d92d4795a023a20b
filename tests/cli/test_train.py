"""`edgelstm train`: options to recipe, what is told while it runs, what it leaves and how it ends."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgelstm.cli.train import INTERRUPTED
from edgelstm.recipe.sections import DataRecipe, NetworkRecipe, TrainingRecipe
from edgelstm.run import read_run

CO2 = ("builtin:co2", "--time", "date", "--target", "co2", "--missing", "interpolate", "--window", "24")
SMALL = (*CO2, "--horizon", "3", "--stride", "16", "--hidden-size", "8", "--threads", "1")
ESCAPE = "\x1b"


@pytest.fixture
def checked(tmp_path, monkeypatch, cli_here):
    """Give the recipe that options amount to, without training."""
    import edgelstm.train

    found = []

    def fit_recipe(recipe, directory, *, overwrite=False):
        found.append((recipe, directory, overwrite))
        raise KeyboardInterrupt

    monkeypatch.setattr(edgelstm.train, "fit_recipe", fit_recipe)

    def check(*options):
        done = cli_here("train", *options)
        assert found, done.stderr
        return found.pop()

    return check


def test_options_of_each_kind_become_values_of_the_recipe(checked, tmp_path):
    recipe, directory, overwrite = checked(
        *("table.csv", "-o", "out", "--overwrite", "--name", "mine", "--time", "t", "--missing", "drop"),
        *("--feature", "a", "--feature", "b", "--target", "b", "--ahead", "a", "--calendar", "hour"),
        *("--unit", "a=m/s", "--unit", "b=%=", "--drift", "a=2.5", "--border", "1000", "--border", "2001-05-01"),
        *("--window", "48", "--quantile", "0.1", "--quantile", "0.9", "--overlap", "--no-layer-norm"),
        *("--dropout", "0.1", "--time-limit", "90s", "--gradient-clip", "0"),
    )
    assert (str(directory), overwrite, recipe.name) == ("out", True, "mine")
    assert recipe.data == DataRecipe(
        path=str(tmp_path / "table.csv"),
        time=("t",),
        missing="drop",
        features=("a", "b"),
        targets=("b",),
        ahead=("a",),
        calendar=("hour",),
        units={"a": "m/s", "b": "%="},
        drift={"a": 2.5},
    )
    assert (recipe.split.borders, recipe.split.overlap) == ((1000, "2001-05-01"), True)
    assert recipe.window.model_dump() == {"steps": 48, "horizon": 1, "stride": 1, "quantiles": (0.1, 0.9)}
    assert recipe.network == NetworkRecipe(dropout=0.1)
    assert recipe.training == TrainingRecipe(time_limit="90s", gradient_clip=0)


def test_every_option_of_other_tasks_and_windows_becomes_its_key(checked, tmp_path):
    window = ("--target", "y", "--window", "8", "--segment", "2", "--shared", "--bidirectional", "--pooling", "mean")
    recipe, _, _ = checked("a.csv", *window)
    assert recipe.network == NetworkRecipe(segment=2, shared=True, bidirectional=True, pooling="mean")
    classes = ("--target", "y", "--class-weights", "balanced", "--label-smoothing", "0.1", "--series", "id")
    recipe, _, _ = checked("a.csv", "--task", "classify", *classes)
    assert (recipe.task, recipe.data.series, recipe.network.state) == ("classify", "id", "window")
    assert (recipe.training.class_weights, recipe.training.label_smoothing) == ("balanced", 0.1)
    recipe, _, _ = checked("a.csv", "--task", "label", "--target", "y", "--window", "8", "--cap", "125")
    assert (recipe.task, recipe.data.cap, recipe.network.state) == ("label", 125, "carried")
    recipe, _, _ = checked("a.csv", "--task", "label", "--target", "y", "--window", "8", "--classes")
    assert recipe.data.classes


def test_what_is_not_given_is_left_to_the_recipe(checked):
    recipe, directory, overwrite = checked("sub/wind.csv", "--target", "y", "--window", "5")
    assert (recipe.name, str(directory), overwrite) == ("wind", "runs/wind", False)
    assert (recipe.network, recipe.training) == (NetworkRecipe(), TrainingRecipe())


def test_fractions_and_files_split_the_data(checked, tmp_path):
    recipe, _, _ = checked("a.csv", "--target", "y", "--window", "5", "--split", "0.5,0.25,0.25")
    assert (recipe.split.training, recipe.split.validation, recipe.split.test) == (0.5, 0.25, 0.25)
    files = ("--validation-file", "b.csv", "--test-file", "c.csv")
    recipe, _, _ = checked("a.csv", "--target", "y", "--window", "5", *files)
    assert recipe.split.validation_path == str(tmp_path / "b.csv")
    assert recipe.split.test_path == (str(tmp_path / "c.csv"),)


def test_options_win_over_a_recipe_and_may_switch_off(checked, tmp_path):
    text = (
        'name = "r"\n[data]\npath = "a.csv"\ntargets = ["y"]\n[window]\nsteps = 5\n'
        "[split]\noverlap = true\n[training]\nepochs = 9\nseed = 3\n"
    )
    (tmp_path / "r.toml").write_text(text)
    recipe, _, _ = checked("--recipe", "r.toml", "--epochs", "1", "--no-overlap")
    assert (recipe.training.epochs, recipe.training.seed) == (1, 3)
    assert (recipe.name, recipe.split.overlap) == ("r", False)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--unit", "ppm"), "--unit: expected COLUMN=VALUE such as co2=ppm, got 'ppm'"),
        (("--split", "70,30"), "--split: expected three fractions such as 0.7,0.15,0.15, got '70,30'"),
        (("--split", "a,b,c"), "--split: expected three fractions"),
        (
            ("--scaling", "log"),
            "edgelstm: --scaling: expected 'standard', 'minmax', 'none', ",
        ),
        (("--devices", "0"), "edgelstm: --devices: expected 1 or more, got 0"),
        (("--quantile", "0.1", "--quantile", "2"), "edgelstm: --quantile: expected less than 1, got 2.0"),
        (("--drift", "co2=x"), "edgelstm: --drift: co2: expected a number, got 'x'"),
        (("--split", "0.9,0.9,0.1"), "edgelstm: --split: expected more than 0, and fractions that sum to at most 1"),
        (("--name", "a b"), "edgelstm: --name: expected a name of letters, digits, "),
        (("--time-limit", "5"), "edgelstm: --time-limit: expected a duration such as 90s, 10m or 2h, got '5'"),
        (("--state", "carried", "--scaling", "relative"), "edgelstm: --scaling: relative needs a whole window"),
        (("--recipe", "no.toml"), "no.toml: file not found"),
        (("--target", "co3"), "there is no column 'co3'"),
        (("--window", "4000"), "the training part has 1599 rows, one window needs 4003"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_left(cli_here, tmp_path, options, complaint):
    done = cli_here("train", *SMALL, *options, "-o", "run")
    assert done.returncode == 2
    assert done.stderr.startswith("edgelstm: ")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.glob("run*")) == []


def test_a_refused_value_is_named_as_it_was_given_by_its_flag_or_by_its_key(cli_here, tmp_path):
    (tmp_path / "my.toml").write_text("[training]\ndevices = 0\nseed = 1\n")
    ours = cli_here("train", *SMALL, "--recipe", "my.toml", "--seed", "2")
    assert ours.stderr == "edgelstm: my.toml: training.devices: expected 1 or more, got 0\n"
    typed = cli_here("train", *SMALL, "--recipe", "my.toml", "--devices", "-1", "--show-recipe")
    assert typed.stderr == "edgelstm: --devices: expected 1 or more, got -1\n"
    (tmp_path / "my.toml").write_text('[network]\nscaling = "relative"\n')
    both = cli_here("train", *SMALL, "--recipe", "my.toml", "--state", "carried")
    assert both.stderr.startswith("edgelstm: my.toml: network.scaling: relative needs a whole window")


def test_without_a_terminal_about_ten_plain_lines_tell_of_progress(cli_here, tmp_path):
    done = cli_here("train", *SMALL, "--epochs", "25", "--unit", "co2=ppm", "-o", "run")
    assert done.returncode == 0
    assert ESCAPE not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert 10 <= len(lines) <= 15
    for line in lines:
        assert re.fullmatch(r"epoch \d+/25  loss \S+  validation \S+ \(best: epoch \d+\)  [\d,]+ windows/s", line)
    assert lines[0].startswith("epoch 1/25")
    assert lines[-1].startswith("epoch 25/25")
    before = done.stderr.split("epoch 1/25")[0]  # what was read is told before the training, not after
    assert all(words in before for words in ("2,284 rows", "59 of 2,284 samples are missing", "test: rows"))
    for words in ("LSTM", "persistence", "ridge", "test RMSE (ppm)", "edgelstm export run"):
        assert words in done.stdout
    again = cli_here("train", *SMALL, "-o", "run")
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    assert "--overwrite" in again.stderr


def begin(folder, *options, **streams):
    """Start a training in a process of its own."""
    command = [sys.executable, "-m", "edgelstm", "train", *SMALL, "-o", "run", *options]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    return subprocess.Popen(command, cwd=folder, env=environment, **streams)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A training on a terminal, stopped by Ctrl-C after its tenth epoch: its folder, exit status and what was shown."""
    folder = tmp_path_factory.mktemp("interrupted")
    ours, theirs = pty.openpty()
    process = begin(folder, "--epochs", "100", stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown, pressed = b"", False
    while select.select([ours], [], [], 120)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not pressed and re.search(rb"\D[1-9]\d/100", shown):
            process.send_signal(signal.SIGINT)
            pressed = True
    os.close(ours)
    return folder / "run", process.wait(), shown.decode()


def test_a_terminal_gets_a_progress_bar(interrupted):
    _, _, shown = interrupted
    assert ESCAPE in shown
    assert re.search("[━╸╺]{5}", shown)
    assert re.search(r"epoch.*\d+/100", shown)
    assert "best: epoch" in shown
    assert "windows/s" in shown


def test_ctrl_c_keeps_the_best_weights_and_exits_130(interrupted, cli_here):
    folder, status, shown = interrupted
    assert status == INTERRUPTED == 130
    assert "stopping soon" in shown
    assert "resume with `edgelstm train --resume --output run`" in " ".join(shown.split())
    assert "Traceback" not in shown
    assert 1 <= read_run(folder).record.best_epoch < 100
    assert cli_here("export", folder).returncode == 0


def test_an_interrupted_training_goes_on_with_the_same_settings_until_it_is_finished(interrupted, cli_here, tmp_path):
    folder = shutil.copytree(interrupted[0], tmp_path / "run")
    other = cli_here("train", *SMALL, "--epochs", "5", "--resume", "-o", folder)
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    assert "started with other settings (training.epochs 100, not 5)" in other.stderr
    done = cli_here("train", *SMALL, "--epochs", "100", "--resume", "-o", folder)
    assert done.returncode == 0, done.stderr
    assert int(re.search(r"epoch (\d+)/100", done.stderr).group(1)) > 10
    assert len((folder / "loss.csv").read_text().splitlines()) == 1 + 100
    finished = cli_here("train", "--resume", "-o", folder)
    assert (finished.returncode, len(finished.stderr.splitlines())) == (2, 1)


def wait_for(path, words, process):
    while words not in path.read_text():
        assert process.poll() is None, path.read_text()
        time.sleep(0.01)


def test_kill_9_and_resume_end_with_a_run_that_exports(tmp_path, cli_here):
    told = tmp_path / "told"
    with open(told, "w") as file:
        process = begin(tmp_path, "--epochs", "30", stdout=subprocess.DEVNULL, stderr=file)
        wait_for(told, "epoch 3/30", process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    unfinished = cli_here("export", "run")
    assert (unfinished.returncode, len(unfinished.stderr.splitlines())) == (2, 1)
    assert "--resume --output run" in unfinished.stderr
    done = cli_here("train", "--resume", "-o", "run")
    assert done.returncode == 0, done.stderr
    assert int(re.search(r"epoch (\d+)/30", done.stderr).group(1)) >= 3
    assert cli_here("export", "run").returncode == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--resume", "-o", "nowhere"), "nowhere: there is no training to resume; omit --resume"),
        (("--resume",), "--resume needs the run to continue"),
    ],
)
def test_nothing_to_resume_is_one_line(cli_here, tmp_path, options, complaint):
    done = cli_here("train", *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_fine_tuned_and_exported_in_its_form(cli_here):
    assert cli_here("train", *SMALL, "--epochs", "1", "-o", "run").returncode == 0
    tuned = cli_here("finetune", "run", "--epochs", "1", "--per-tensor", "--head", "fp32")
    assert tuned.returncode == 0
    rows = re.findall(r"^(\S.*?)  +[0-9.]+", tuned.stdout.partition("\n\n")[2], re.MULTILINE)
    assert rows[:4] == ["LSTM", "LSTM as int8", "LSTM before fine-tuning", "LSTM as int8 before fine-tuning"]
    assert "persistence" in rows[4:]
    assert "look at run-int8/report.html; next: edgelstm export run-int8 --quantize int8\n" in tuned.stdout
    exported = cli_here("export", "run-int8", "--quantize", "int8", "--max-metric-drop", "100%", "--clip", "mse")
    assert exported.returncode == 2
    assert "fine-tuned for int8 per tensor, clip none, head fp32" in exported.stderr
    again = cli_here("finetune", "run", "--epochs", "1")
    assert again.returncode == 2
    assert "already exists there" in again.stderr


def test_quantization_aware_training_is_asked_for_by_a_flag_or_a_section(checked, tmp_path):
    from edgelstm.recipe.sections import QuantizationRecipe

    assert checked(*SMALL)[0].quantization is None
    assert checked(*SMALL, "--quantization-aware")[0].quantization == QuantizationRecipe()
    recipe = tmp_path / "recipe.toml"
    table = '[data]\npath = "x.csv"\ntargets = ["y"]\n[window]\nsteps = 9\n'
    recipe.write_text(table + '[quantization]\nprecision = "int8w"\nstart = "runs/a"\n')
    asked = QuantizationRecipe(precision="int8w", start=str(tmp_path / "runs" / "a"))
    assert checked("--recipe", recipe, "--quantization-aware")[0].quantization == asked


HARM = ("--learning-rate", "100", "--schedule", "constant", "--epochs", "2")


def test_what_was_chosen_what_it_starts_from_and_a_line_that_is_as_good_are_said(cli_here, tmp_path):
    """Nothing but its last value tells where a walk goes."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=300))
    (tmp_path / "walk.csv").write_text("\n".join(["v", *map(str, walk), ""]))
    done = cli_here("train", "walk.csv", "--target", "v", *HARM, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert "chosen: window 48" in done.stderr
    assert "chosen: hidden size 32" in done.stderr
    assert "start: " in done.stderr
    assert "no epoch improved on the line it started from, which is kept" in done.stdout
    assert "line alone" in done.stdout
    assert "A straight line is as good as the LSTM here: edgelstm export run --line ships it." in done.stdout
    assert "A straight line is as good" in (tmp_path / "run" / "report.html").read_text()


def test_a_training_whose_last_epoch_was_the_best_says_what_to_do(cli_here, tmp_path):
    done = cli_here(
        "train", *SMALL, "--start", "none", "--learning-rate", "1e-5", "--schedule", "constant", "--epochs", "3"
    )
    assert done.returncode == 0, done.stderr
    assert "the last epoch was the best: try more, --epochs 6" in done.stdout


def test_a_training_that_ran_out_of_time_says_so(cli_here, tmp_path):
    done = cli_here("train", *SMALL, "--epochs", "3", "--time-limit", "0.001s")
    assert "stopped after 1 of 3 epochs, the limit of 0.001s: raise --time-limit" in done.stdout
