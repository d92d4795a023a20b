import builtins
import io
from dataclasses import replace

import pytest

from edgelstm.bench import draw_result
from edgelstm.errors import MissingDependencyError
from tests.bench.test_compare import OLD


def test_a_picture_is_a_png_with_something_on_it():
    image = pytest.importorskip("PIL.Image")
    alone = image.open(io.BytesIO(draw_result(OLD)))
    both = image.open(io.BytesIO(draw_result(replace(OLD, throttled=("throttled",)), OLD)))
    assert alone.format == both.format == "PNG"
    assert alone.size == both.size
    assert len(alone.convert("L").getcolors()) > 20
    assert alone.tobytes() != both.tobytes()


def test_the_lines_are_the_figures(monkeypatch):
    figure = pytest.importorskip("matplotlib.figure").Figure
    drawn = []
    monkeypatch.setattr(figure, "savefig", lambda self, *given, **more: drawn.append(self))
    draw_result(replace(OLD, step=replace(OLD.step, p50_us=5.0)), OLD)
    step, window, streams = drawn[0].axes
    latencies = [[line.get_ydata().tolist() for line in axes.lines] for axes in (step, window)]
    assert latencies[0] == [[10.0, 11.0, 12.0, 13.0, 14.0], [5.0, 11.0, 12.0, 13.0, 14.0]]
    assert latencies[1] == [[100.0, 110.0, 120.0, 130.0, 140.0]] * 2
    assert [line.get_ydata().tolist() for line in streams.lines] == [[1e5, 1e6]] * 2
    assert [axes.get_yscale() for axes in drawn[0].axes] == ["log"] * 3
    assert [text.get_text() for text in step.get_legend().get_texts()] == ["before", "now"]
    assert [text.get_text() for text in window.texts] == ["100", "110", "120", "130", "140"]  # of the new line alone
    assert [text.get_text() for text in streams.texts] == ["100,000", "1,000,000"]
    for axes in drawn[0].axes:  # room for the texts around the lines
        assert axes.margins() == (0.15, 0.2)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    def refuse(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name, name="matplotlib")
        return original(name, *arguments, **options)

    original = builtins.__import__
    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r"edgelstm\[report\]"):
        draw_result(OLD)
