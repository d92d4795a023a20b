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


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    def refuse(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name, name="matplotlib")
        return original(name, *arguments, **options)

    original = builtins.__import__
    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r"edgelstm\[report\]"):
        draw_result(OLD)
