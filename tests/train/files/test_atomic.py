"""A file is the old one or the new one, whatever happens while it is written."""

from pathlib import Path

import pytest

from symbackprop.train.files.atomic import apart, check_writable, replace_file, shown, write_text


class BrokenError(Exception):
    pass


def half(file):
    file.write(b"half")
    raise BrokenError


@pytest.mark.parametrize("before", [None, "old"])
def test_a_failed_write_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "of" / "its own" / "file.txt"
    if before:
        write_text(path, before)
    with pytest.raises(BrokenError):
        replace_file(path, half)
    assert (path.read_text("utf-8") if path.exists() else None) == before
    assert [p.name for p in path.parent.iterdir()] == [path.name] * bool(before)


def test_the_new_file_is_whole_and_alone(tmp_path):
    for text in ("old", "new Σ"):
        assert write_text(tmp_path / "file.txt", text).read_text("utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_what_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="is a folder, expected the name of a file"):
        write_text(tmp_path, "")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "other")


def test_files_of_a_command_are_apart(tmp_path):
    data, model = tmp_path / "data.csv", tmp_path / "model.npz"
    apart({"the data": data}, {"the model": model, "a picture": None})
    with pytest.raises(ValueError, match=r"data\.csv is the data and would be the model too"):
        apart({"the data": data}, {"the model": tmp_path / "." / "data.csv"})
    with pytest.raises(ValueError, match="is the model and would be a picture too"):
        apart({}, {"the model": model, "a picture": model})


def test_paths_are_shown_from_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "m.py") == "m.py"
    monkeypatch.setattr(Path, "home", lambda: tmp_path.parent)
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "elsewhere")
    assert shown(tmp_path / "m.py") == f"~/{tmp_path.name}/m.py"
