import inspect

import pytest

from edgelstm import errors

BUILTINS = {
    "InputError": ValueError,
    "DataError": ValueError,
    "RecipeError": ValueError,
    "TrainingError": RuntimeError,
    "RunError": ValueError,
    "ModelFileError": ValueError,
    "ModelFileNotFoundError": FileNotFoundError,
    "ContractError": ValueError,
    "ProviderError": RuntimeError,
    "MissingDependencyError": ImportError,
    "NetworkError": ValueError,
    "ExportError": RuntimeError,
    "ParityError": RuntimeError,
    "SharingError": RuntimeError,
    "SignatureError": ValueError,
    "SigningFileError": ValueError,
    "OutputError": OSError,
}


def every_error():
    found = inspect.getmembers(errors, lambda member: inspect.isclass(member) and issubclass(member, Exception))
    return {name: kind for name, kind in found if kind is not errors.EdgeLstmError}


def test_every_error_is_in_this_list():
    assert sorted(every_error()) == sorted(BUILTINS)


@pytest.mark.parametrize("name", BUILTINS)
def test_every_error_has_one_base_and_the_builtin_a_caller_expects(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.EdgeLstmError)
    assert issubclass(kind, BUILTINS[name])


@pytest.mark.parametrize("name", sorted(set(BUILTINS) - {"ParityError"}))
def test_the_message_is_all_that_an_error_says(name):
    assert str(getattr(errors, name)("expected this, got that")) == "expected this, got that"


def test_a_missing_file_is_a_model_file_error_too():
    assert issubclass(errors.ModelFileNotFoundError, errors.ModelFileError)
    assert issubclass(errors.ContractError, errors.ModelFileError)


def test_a_parity_error_carries_its_report():
    error = errors.ParityError("it differs", {"co2": {"error": 1.0, "limit": 0.5}})
    assert str(error) == "it differs"
    assert error.report["co2"]["limit"] == 0.5


def test_a_missing_package_names_the_install_that_mends_it():
    with pytest.raises(errors.MissingDependencyError, match=r"pip install 'edgelstm\[train\]'"):
        errors.require("a_package_nobody_has", "train")
    with pytest.raises(ImportError, match="a_package_nobody_has"):
        errors.require("a_package_nobody_has.of_a_module", "train")


def test_a_package_that_is_there_is_imported():
    assert errors.require("xml.dom", "train").__name__ == "xml.dom"


def test_a_package_that_is_there_but_broken_inside_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import something_else_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_else_that_is_missing") as caught:
        errors.require("broken_inside", "train")
    assert not isinstance(caught.value, errors.EdgeLstmError)
