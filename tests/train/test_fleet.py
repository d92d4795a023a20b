"""One network of many series: what is read of stores, folders, words and gaps, and what a training makes of it."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from edgelstm.errors import DataError, RecipeError
from edgelstm.recipe.file import check_recipe
from edgelstm.run import read_run
from edgelstm.train import fit_recipe
from edgelstm.train.tasks import TASKS

DAY = np.datetime64("2024-01-01")


def sales(number, days, seed=0):
    """A weekly wave of the size of the store, with noise."""
    rng = np.random.default_rng(seed + number)
    size = 10.0**number
    return (size * (10 + np.sin(2 * np.pi * np.arange(days) / 7) + rng.normal(0, 0.1, days))).round(6)


def write(path, lengths=(80, 60, 70), begins=(0, 5, 20), interleaved=True, more=None):
    """A table of stores: `day,store,sales`, in the order of time or one store behind the other."""
    rows = []
    for number, (days, begin) in enumerate(zip(lengths, begins, strict=True)):
        for day, value in enumerate(sales(number, days)):
            extra = "" if more is None else f",{more(number, day)}"
            rows.append((begin + day, number, f"{DAY + begin + day},store {number},{value}{extra}"))
    rows.sort(key=lambda row: row[:2] if interleaved else row[1::-1])
    header = "day,store,sales" + ("" if more is None else ",extra")
    path.write_text("\n".join([header, *(row[2] for row in rows), ""]))
    return str(path)


def recipe(path, task="forecast", **changes):
    content = {
        "task": task,
        "data": {"path": path, "time": "day", "series": "store", "targets": ["sales"]},
        "window": {"steps": 8, "horizon": 3},
        "split": {"overlap": True},
        "training": {"epochs": 2, "threads": 1},
        "network": {"hidden_size": 4},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return check_recipe(content, "test")


def problem(path, **changes):
    return TASKS["forecast"].read(recipe(path, **changes))


def one(tmp_path, number, days, name="one.csv"):
    path = tmp_path / name
    path.write_text("\n".join(["day,sales", *(f"{DAY + i},{v}" for i, v in enumerate(sales(number, days))), ""]))
    return problem(str(path), data__series=None)


@pytest.mark.parametrize("interleaved", [True, False])
def test_the_windows_of_a_fleet_are_those_of_each_store_alone(tmp_path, interleaved):
    found = problem(write(tmp_path / "t.csv", interleaved=interleaved))
    alone = [one(tmp_path, number, days, f"{number}.csv") for number, days in enumerate((80, 60, 70))]
    for part in ("training", "validation", "test"):
        windows, each = getattr(found, part), [getattr(other, part) for other in alone]
        np.testing.assert_array_equal(windows.x(), np.concatenate([w.x() for w in each]))
        np.testing.assert_array_equal(windows.y(), np.concatenate([w.y() for w in each]))
        assert windows.names == ("store 0", "store 1", "store 2")
    spreads = [sales(number, days)[: round(0.7 * days)].std() for number, days in enumerate((80, 60, 70))]
    np.testing.assert_allclose(found.training.spreads[:, 0], spreads)
    assert found.many_series
    assert not alone[0].many_series
    assert found.reading.series == "store"
    assert "3 series, 210 rows" in found.report
    assert any(line.startswith("training: 3 series, 147 rows, 117 windows") for line in found.report)


def test_stores_that_are_too_short_are_left_out_and_counted(tmp_path):
    found = problem(write(tmp_path / "t.csv", lengths=(80, 9, 80)))
    assert found.training.names == ("store 0", "store 2")
    assert any("1 series skipped, too short for a window" in line for line in found.report)


def test_borders_that_are_dates_hold_for_every_store(tmp_path):
    path = write(tmp_path / "t.csv", lengths=(80, 60, 30), begins=(0, 5, 45))
    found = problem(path, split__borders=["2024-02-10", "2024-02-28", "2024-03-20"])
    assert found.training.names == ("store 0", "store 1")  # the last begins behind the border
    assert "store 2" in found.test.names
    first = found.validation.times[found.validation.y_starts].min().astype("datetime64[s]").astype("datetime64[D]")
    assert first == np.datetime64("2024-02-10")


def test_a_border_where_no_store_has_data_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a border within the data, .* to .*, got '2031-01-01'"):
        problem(write(tmp_path / "t.csv"), split__borders=["2024-02-01", "2031-01-01"])


def test_files_of_their_own_go_on_with_the_stores_by_name_and_bring_new_ones(tmp_path):
    first = write(tmp_path / "a.csv", lengths=(60, 60, 60), begins=(0, 0, 0))
    rows = [f"{DAY + 60 + day},{store},{100.0 + day}" for day in range(30) for store in ("store 1", "store 9")]
    (tmp_path / "b.csv").write_text("\n".join(["day,store,sales", *rows, ""]))
    found = problem(first, split__test_path=str(tmp_path / "b.csv"), split__overlap=True)
    assert found.test.names == ("store 1", "store 9")
    assert len(found.test) == (30 - 2) + (30 - 10)  # the new one has no past to reach back into
    assert len(found.data_sha256.split("+")) == 2


def test_a_training_on_a_fleet_scores_each_store_by_its_own_spread_and_says_so(tmp_path):
    fitted = fit_recipe(recipe(write(tmp_path / "t.csv"), network__scaling="instance"), tmp_path / "run")
    contract = fitted.run.record.contract
    assert contract.many_series
    assert contract.metric == "scaled_rmse"
    assert contract.reading.series == "store"
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for scored in (metrics["parts"]["test"]["network"], metrics["parts"]["test"]["persistence"]):
        each = scored["by_series"]
        assert [entry["name"] for entry in each] == ["store 0", "store 1", "store 2"]
        assert scored["scaled_mse"] == pytest.approx(np.mean([entry["scaled_mse"] for entry in each]))
    again = read_run(tmp_path / "run").heldout
    assert again.names == fitted.problem.test.names
    np.testing.assert_array_equal(again.spreads, fitted.problem.test.spreads)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Which series are difficult?" in page
    assert "better than the best baseline on" in page


@pytest.mark.parametrize("scaling", ["relative", "instance"])
@pytest.mark.parametrize("state", ["window"])
def test_a_store_whose_windows_never_move_does_not_break_the_training(tmp_path, scaling, state):
    """A window of zeros has no spread to divide by."""
    path = tmp_path / "t.csv"
    rows = [f"{DAY + d},{s},{v}" for s in range(3) for d, v in enumerate(sales(s, 60) if s else np.zeros(60))]
    path.write_text("\n".join(["day,store,sales", *rows, ""]))
    fitted = fit_recipe(recipe(str(path), network__scaling=scaling, network__state=state), tmp_path / "run")
    assert all(np.isfinite(fitted.run.golden_y.ravel()))
    assert np.isfinite(fitted.evaluation.parts[-1].networks["network"].score["scaled_mse"])


@pytest.mark.parametrize("state", ["window", "carried"])
def test_the_loss_of_a_fleet_is_the_error_in_the_spread_of_each_store(tmp_path, state):
    """With as many windows in each store, the validation loss is the scaled error that decides."""
    path = write(tmp_path / "t.csv", lengths=(80, 80, 80), begins=(0, 0, 0))
    scaling = "instance" if state == "window" else "standard"
    fitted = fit_recipe(recipe(path, network__scaling=scaling, network__state=state), tmp_path / "run")
    best = fitted.run.record.best_epoch
    row = (tmp_path / "run" / "loss.csv").read_text().splitlines()[best]
    score = fitted.evaluation.parts[0].networks["network"].score["scaled_mse"]
    assert float(row.split(",")[2]) == pytest.approx(score, rel=1e-3)


def test_a_store_that_sells_once_a_month_does_not_drown_the_others(tmp_path):
    """Of its windows most stand still, and what comes then is many thousand times their spread."""
    rows = []
    for store in range(3):
        values = sales(0, 90) if store else np.where(np.arange(90) % 30 == 29, 100.0, 0.0)
        rows += [f"{DAY + day},{store},{value}" for day, value in enumerate(values)]
    (tmp_path / "t.csv").write_text("\n".join(["day,store,sales", *rows, ""]))
    fit_recipe(recipe(str(tmp_path / "t.csv"), network__scaling="instance"), tmp_path / "run")
    losses = [float(row.split(",")[1]) for row in (tmp_path / "run" / "loss.csv").read_text().splitlines()[1:]]
    assert max(losses) < 100


def test_a_carried_network_learns_a_fleet_store_by_store(tmp_path):
    path = write(tmp_path / "t.csv")
    fitted = fit_recipe(recipe(path, network__state="carried", network__scaling="standard"), tmp_path / "run")
    part = fitted.evaluation.parts[-1]
    assert [entry["name"] for entry in part.networks["network"].details["by_series"]] == list(part_names(fitted))


def part_names(fitted):
    return fitted.problem.test.names


# Folders and patterns


def write_folder(folder, lengths=(80, 60, 70)):
    folder.mkdir()
    for number, days in enumerate(lengths):
        lines = ["day,sales", *(f"{DAY + i},{v}" for i, v in enumerate(sales(number, days)))]
        (folder / f"store {number}.csv").write_text("\n".join([*lines, ""]))
    return folder


@pytest.mark.parametrize("source", ["folder", "pattern"])
def test_a_folder_of_files_is_a_fleet_named_by_them(tmp_path, source):
    folder = write_folder(tmp_path / "stores")
    (folder / "notes.md").write_text("no table")
    (folder / ".hidden.csv").write_text("no,table\n")
    path = str(folder) if source == "folder" else str(folder / "*.csv")
    found, table = problem(path, data__series=None), problem(write(tmp_path / "t.csv", begins=(0, 0, 0)))
    for part in ("training", "validation", "test"):
        np.testing.assert_array_equal(getattr(found, part).x(), getattr(table, part).x())
        assert getattr(found, part).names == getattr(table, part).names
    assert found.reading.series is None
    assert "+" in found.data_sha256


def test_a_column_of_series_beside_a_folder_is_refused(tmp_path):
    folder = write_folder(tmp_path / "stores")
    with pytest.raises(
        DataError, match=r"--series store: each file of a folder or pattern is already a series: omit --series"
    ):
        problem(str(folder))


# Words, constants, gaps


def test_a_column_of_words_becomes_a_channel_for_each(tmp_path):
    path = write(tmp_path / "t.csv", more=lambda store, day: ("NW", "SE", "calm")[day % 3])
    found = problem(path, data__features=["sales", "extra"], data__units={"extra": "direction"})
    assert [c.name for c in found.inputs] == ["sales", "extra=NW", "extra=SE", "extra=calm"]
    assert [(c.column, c.category) for c in found.inputs[1:]] == [("extra", w) for w in ("NW", "SE", "calm")]
    assert found.inputs[0].category is None
    x = found.training.x()
    np.testing.assert_array_equal(x[..., 1:].sum(axis=-1), 1.0)


def test_words_that_are_known_ahead_stand_where_they_will_be(tmp_path):
    path = write(tmp_path / "t.csv", more=lambda store, day: ("NW", "SE", "calm", "none")[day % 4])
    found = problem(path, data__features=["sales", "extra"], data__ahead=["extra"])
    assert [c.ahead for c in found.inputs] == [0, 3, 3, 3, 3]
    first = found.training.x(slice(0, 1))[0]
    assert first[0, 1:].argmax() == 3  # of three days later


def test_words_do_not_drift(tmp_path):
    path = write(tmp_path / "t.csv", more=lambda store, day: ("NW", "SE")[day % 2])
    with pytest.raises(DataError, match=r"data\.drift: 'extra' holds words"):
        problem(path, data__features=["sales", "extra"], data__drift={"extra": 1.0})


def test_a_feature_that_never_changes_is_left_out_with_a_note(tmp_path):
    path = write(tmp_path / "t.csv", more=lambda store, day: 7)
    found = problem(path, data__features=["sales", "extra"])
    assert [c.name for c in found.inputs] == ["sales"]
    assert "not used, because constant in training: extra" in found.report
    with pytest.raises(
        DataError, match=r"expected inputs that change in the training part, got only constants \(extra\)"
    ):
        problem(path, data__features=["extra"])


def test_a_feature_that_changes_only_behind_the_border_is_left_out(tmp_path):
    path = write(tmp_path / "t.csv", lengths=(80, 80, 80), more=lambda store, day: int(day >= 60))
    assert [c.name for c in problem(path, data__features=["sales", "extra"]).inputs] == ["sales"]


def test_rows_that_are_not_there_are_gaps_and_long_ones_stay_open(tmp_path):
    values = sales(1, 120)
    kept = [day for day in range(120) if not 20 <= day < 22 and not 50 <= day < 62]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["day,sales", *(f"{DAY + day},{values[day]}" for day in kept), ""]))
    found = problem(str(path), data__series=None, data__max_gap=3)
    seen = np.unique(found.training.x_starts[:, None] + np.arange(11))
    assert {20, 21} <= set(seen.tolist())
    assert set(range(50, 62)).isdisjoint(seen.tolist())
    assert (found.reading.gaps, found.reading.max_gap) == ("interpolate", 3)
    line = "sales: 14 of 120 samples are missing, in 2 gaps: 1 interpolated, 1 longer than 3 not filled"
    assert f"{line} (--max-gap)" in found.report


def test_how_long_a_gap_is_filled_follows_the_season_and_is_told(tmp_path):
    values = sales(1, 120)
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["day,sales", *(f"{DAY + d},{values[d]}" for d in range(120) if d != 20), ""]))
    found = problem(str(path), data__series=None, data__season=28, window__steps=30, split__borders=[80])
    assert found.reading.max_gap == 9
    assert any("interpolated, up to 9 in a row (--max-gap)" in line for line in found.report)
    assert problem(str(path), data__series=None, data__missing="drop").reading.max_gap is None


def test_the_contract_says_how_the_table_was_read(tmp_path):
    fitted = fit_recipe(recipe(write(tmp_path / "t.csv")), tmp_path / "run")
    reading = read_run(tmp_path / "run").record.contract.reading
    assert reading == fitted.problem.reading
    assert (reading.format, reading.time.columns, reading.rhythm.name) == ("csv", ("day",), "day")


# Classes from folders and tables beside


def gesture(name, number):
    rng, length = np.random.default_rng(number), 6 + number % 4
    x = np.stack([np.sin(np.arange(length) * {"wave": 2.0, "circle": 0.5}[name]), rng.normal(size=length)], axis=1)
    return "\n".join(["a,b", *(f"{p:.6f},{q:.6f}" for p, q in x), ""]), x


def classify(path, **changes):
    content = {
        "task": "classify",
        "data": {"path": str(path)},
        "window": {},
        "split": {"validation": 0.25, "test": 0.25},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return TASKS["classify"].read(check_recipe(content, "test"))


@pytest.fixture
def gestures(tmp_path):
    """A folder for each class; one file is packed, and some have the same name."""
    for name in ("wave", "circle"):
        (tmp_path / "gestures" / name).mkdir(parents=True)
        for number in range(8):
            text, _ = gesture(name, number)
            path = tmp_path / "gestures" / name / f"{number}.csv"
            path.write_text(text)
    packed = tmp_path / "gestures" / "wave" / "3.csv"
    (packed.parent / "3.csv.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    return tmp_path / "gestures"


def check_gestures(found, names):
    seen = []
    for part in (found.training, found.validation, found.test):
        for i, name in enumerate(part.names):
            label, number = names(name)
            assert found.outputs[part.truth(i)].name == label
            np.testing.assert_allclose(part.x(i), gesture(label, int(number))[1], atol=1e-6)
            seen.append(name)
    assert len(set(seen)) == len(seen) == 16


def test_a_folder_for_each_class_gives_the_classes(gestures):
    found = classify(gestures)
    assert [c.name for c in found.outputs] == ["circle", "wave"]
    assert {c.column for c in found.outputs} == {"class"}
    assert [c.name for c in found.inputs] == ["a", "b"]
    check_gestures(found, lambda name: name.split("/"))


def test_a_table_beside_the_files_gives_the_classes_even_in_their_own_folder(gestures, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    rows = []
    for number, path in enumerate(sorted(gestures.rglob("*.csv*"))):
        (flat / f"{path.parent.name}_{number:02}.csv{'.gz' if path.suffix == '.gz' else ''}").write_bytes(
            path.read_bytes()
        )
        rows.append(f"{number},{path.parent.name}")
    (flat / "labels.csv").write_text("\n".join(["id,kind", *rows, ""]))
    found = classify(flat, data__labels=str(flat / "labels.csv"))
    assert [c.name for c in found.outputs] == ["circle", "wave"]
    assert len(found.training) + len(found.validation) + len(found.test) == 16


def test_without_folders_labels_or_a_column_the_class_is_asked_for(tmp_path):
    with pytest.raises(RecipeError, match=r"expected the class of each file of .*--labels"):
        classify(write_folder(tmp_path / "stores"))


def test_groups_that_are_held_out_are_nowhere_else(gestures, tmp_path):
    rows = [f"{path.parent.name}/{path.name},{int(path.name[0]) // 2}" for path in sorted(gestures.rglob("*.csv*"))]
    (tmp_path / "people.csv").write_text("\n".join(["file,group", *rows, ""]))
    options = {"split__groups": str(tmp_path / "people.csv"), "split__test_groups": ["3"]}
    found = classify(gestures, **options)
    assert sorted(found.test.names) == ["circle/6", "circle/7", "wave/6", "wave/7"]
    assert len(found.training) + len(found.validation) == 12
    both = classify(gestures, **options, split__validation_groups=["0", "1"])
    assert len(both.validation) == 8
    assert len(both.training) == 4
    with pytest.raises(DataError, match=r"split\.test_groups: unknown group '9'; the groups are 0, 1, 2, 3"):
        classify(gestures, split__groups=str(tmp_path / "people.csv"), split__test_groups=["9"])
    with pytest.raises(DataError, match="every group is held out"):
        classify(gestures, split__groups=str(tmp_path / "people.csv"), split__test_groups=["0", "1", "2", "3"])


def test_the_same_gestures_as_one_table_are_the_same_problem(gestures, tmp_path):
    """Rows of different gestures are interleaved in it."""
    rows = []
    for path in sorted(gestures.rglob("*.csv*")):
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        name = f"{path.parent.name}/{path.name[0]}"
        rows += [(i, f"{name},{path.parent.name},{line}") for i, line in enumerate(text.splitlines()[1:])]
    rows.sort(key=lambda row: row[0])
    (tmp_path / "all.csv").write_text("\n".join(["name,kind,a,b", *(row for _, row in rows), ""]))
    table = classify(tmp_path / "all.csv", data__series="name", data__targets=["kind"], data__features=["a", "b"])
    folder = classify(gestures)
    for part in ("training", "validation", "test"):
        one_part, other = getattr(table, part), getattr(folder, part)
        assert one_part.names == other.names
        np.testing.assert_array_equal(one_part.x_rows, other.x_rows)
        np.testing.assert_array_equal(one_part.targets, other.targets)


def test_many_files_have_one_digest(gestures):
    assert len(classify(gestures).data_sha256) == 64


def test_labels_at_every_step_come_from_a_folder_too(tmp_path):
    folder = tmp_path / "pumps"
    folder.mkdir()
    for number in range(6):
        rows = [f"{np.sin(i + number):.5f},{'on' if np.sin(i + number) > 0 else 'off'}" for i in range(30)]
        (folder / f"pump {number}.csv").write_text("\n".join(["heat,state", *rows, ""]))
    content = {
        "task": "label",
        "data": {"path": str(folder), "features": ["heat"], "targets": ["state"], "classes": True},
    }
    found = TASKS["label"].read(check_recipe(content, "test"))
    names = sorted(name for part in (found.training, found.validation, found.test) for name in part.names)
    assert names == [f"pump {number}" for number in range(6)]
    assert found.answer == "class"


# Real ones

NEEDS_DATA = pytest.mark.skipif("EDGELSTM_DATA" not in os.environ, reason="EDGELSTM_DATA names no folder with data")


@NEEDS_DATA
def test_nine_weekly_series_of_the_energy_administration_are_one_problem():
    path = Path(os.environ["EDGELSTM_DATA"]) / "tables" / "eia_weekly_long" / "eia_weekly.csv"
    columns = {"data__time": "datetime", "data__series": "series_id", "data__targets": ["value"]}
    found = problem(str(path), **columns, window__steps=104, window__horizon=4)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_hand = {}
    for row in rows:
        by_hand.setdefault(row["series_id"], []).append(float(row["value"]))
    assert found.training.names == tuple(by_hand)
    learnt = [np.array(values)[: round(0.7 * len(values))] for values in by_hand.values()]
    np.testing.assert_allclose(found.training.spreads[:, 0], [values.std() for values in learnt])
    assert len(found.training) == sum(len(values) - 104 - 4 + 1 for values in learnt)
    assert found.reading.rhythm.name == "week"


@NEEDS_DATA
def test_rooms_one_and_two_of_indoor_movement_are_held_against_the_third():
    folder = Path(os.environ["EDGELSTM_DATA"]) / "indoor_movement"
    found = classify(
        folder / "dataset",
        data__labels=str(folder / "dataset" / "MovementAAL_target.csv"),
        split__groups=str(folder / "groups" / "MovementAAL_DatasetGroup.csv"),
        split__test_groups=["3"],
    )
    lines = (folder / "groups" / "MovementAAL_DatasetGroup.csv").read_text().splitlines()[1:]
    third = {f"MovementAAL_RSS_{line.split(',')[0].strip()}" for line in lines if line.split(",")[1].strip() == "3"}
    assert set(found.test.names) == third
    assert len(found.training) + len(found.validation) == 314 - len(third)
    assert len(found.inputs) == 4
    assert [channel.name for channel in found.outputs] == ["-1", "1"]
