import re

import numpy as np
import pytest

from symbackprop.train import read_data, read_inputs

NLL = {"target": "label", "loss": "nll", "output": "softmax"}
BCE = {"target": "vector", "loss": "bce", "output": "sigmoid"}
SQUARED = {"target": "vector", "loss": "squared", "output": "identity"}
IRIS = "length,width,species\n1.5,2,setosa\n3,4,virginica\n5,6,setosa\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content, name="d.csv"):
        if isinstance(content, dict):
            name = "d.npz"
            np.savez(tmp_path / name, **content)
        elif isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            (tmp_path / name).write_text(content, encoding="utf-8")
        return name

    return write


@pytest.mark.parametrize(
    "text", [IRIS, IRIS.split("\n", 1)[1], IRIS.replace(",", ";"), "\ufeff" + IRIS, IRIS + "\n  \n"]
)
def test_header_separator_mark_and_blank_lines_change_nothing(write, text):
    data = read_data(write(text), NLL)
    np.testing.assert_array_equal(data.X, [[1.5, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(data.y, [0, 1, 0])
    assert data.classes == ("setosa", "virginica")
    assert data.features in {("length", "width"), ()}


@pytest.mark.parametrize("label", ["species", "2", "-1"])
def test_label_by_name_or_number(write, label):
    assert read_data(write(IRIS), NLL, [label]).labels == ("2",)


def test_label_in_front(write):
    data = read_data(write("y,a,b\n3,1,2\n10,3,4\n3,5,6\n"), NLL, ["y"])
    assert data.classes == ("3", "10")
    np.testing.assert_array_equal(data.X, [[1, 2], [3, 4], [5, 6]])


def test_header_of_numbers_with_a_named_label(write):
    data = read_data(write("0,1,target\n5,6,1\n7,8,0\n"), NLL)
    assert (data.features, len(data)) == (("0", "1"), 2)


def test_several_targets(write):
    data = read_data(write("a,u,v\n1,0,1\n2,1,1\n"), BCE, ["u", "v"])
    np.testing.assert_array_equal(data.y, [[0, 1], [1, 1]])
    np.testing.assert_array_equal(data.X, [[1], [2]])
    assert data.classes == ()


def test_images_are_flattened(write):
    data = read_data(write({"X": np.zeros((4, 3, 2), np.uint8), "y": [7, 9, 7, 9]}), NLL)
    assert (data.X.shape, data.X.dtype, data.classes) == ((4, 6), np.uint8, ("7", "9"))


def test_label_names_the_array(write):
    data = read_data(write({"X": np.ones((2, 1)), "digit": np.array(["b", "a"])}), NLL, ["digit"])
    np.testing.assert_array_equal(data.y, [1, 0])


@pytest.mark.parametrize("y", [[1, 2, 2], [[1], [2], [2]], [1.0, 2.0, 2.0], ["1", "2", "2.0"]])
def test_kinds_of_labels(write, y):
    data = read_data(write({"X": np.ones((3, 1)), "y": np.array(y)}), NLL)
    assert data.classes == ("1", "2")
    np.testing.assert_array_equal(data.y, [0, 1, 1])
    assert data.y.dtype == np.int64


X3 = np.ones((3, 2))
NAN = np.array([[1, 2], [3, np.nan], [5, 6]])
BAD = [
    ("", NLL, "d.csv is empty: expected one line for each example"),
    ("a,b\n", NLL, "d.csv has a header and nothing else"),
    ("a,y\n1,0\nx,1\n", NLL, "d.csv line 3, column 'a': 'x', expected a number"),
    ("a,y\n1,0\n,1\n", NLL, "d.csv line 3, column 'a': empty, expected a number"),
    ("1,x,0\n1,2,1\n", NLL, "d.csv line 1, column '1': 'x', expected a number; if line 1 is a header"),
    ("a,y\n1,0\n2\n", NLL, "d.csv line 3 has 1 fields, expected 2 as in the first line"),
    ("a,y\n1,0\nnan,1\n", NLL, "d.csv line 3, column 'a': nan, expected a finite number"),
    ("a,y\n1,0\n-inf,1\n", NLL, "d.csv line 3, column 'a': -inf, expected a finite number"),
    ("a,y\n1,u\n2,\n", NLL, "label 'y' of d.csv line 3: the label is empty"),
    (
        "a,y\n1,0.5\n2,0\n",
        NLL,
        "label 'y' of d.csv line 2: 0.5, expected a whole number as label; for a measured",
    ),
    ("a,y\n1,c\n2,c\n", NLL, "label 'y' of d.csv is c in every example: expected at least two classes"),
    ("y\n1\n2\n", NLL, "d.csv has 1 column(s), all labels"),
    (
        "a,y\n1,u\n",
        SQUARED,
        "d.csv line 2, column 'y': 'u', expected a number; for classes by name use --loss nll",
    ),
    ("a,y\n1,0\n1,2\n", BCE, "d.csv line 3, column 'y': 2, binary cross-entropy expects 0 to 1"),
    ("a,y\n1,nan\n", SQUARED, "d.csv line 2, column 'y': nan, expected a finite number"),
    (b"a,y\n\xff,1\n", NLL, "d.csv is not UTF-8 text: invalid start byte at byte 4"),
    ('a,y\n"1,0\n', NLL, "d.csv cannot be read as CSV"),
    ({"X": X3}, NLL, "d.npz has no array 'y'; its arrays are X"),
    (
        {"X": X3, "y": [0, 1]},
        NLL,
        "y of d.npz has shape (2,), expected one target for each of the 3 rows of X",
    ),
    ({"X": X3, "y": np.eye(3)}, NLL, "y of d.npz has shape (3, 3), expected (examples,); for one-hot rows"),
    ({"X": X3, "y": 1}, NLL, "y of d.npz has shape ()"),
    ({"X": X3, "y": [0, 1j, 0]}, NLL, "y of d.npz has dtype complex128, expected whole numbers or text"),
    ({"X": X3, "y": [0, 1, np.nan]}, NLL, "y of d.npz row 2, column 0: nan, expected a finite number"),
    ({"X": X3, "y": [0, 1, 1e300]}, NLL, "y of d.npz row 2: 1e+300, expected a whole number"),
    ({"X": NAN, "y": [0, 1, 0]}, NLL, "X of d.npz row 1, column 1: nan, expected a finite number"),
    (
        {"X": np.ones(3), "y": [0, 1, 0]},
        NLL,
        "X of d.npz has shape (3,), expected (examples, inputs); for one input",
    ),
    ({"X": np.ones((0, 2)), "y": []}, NLL, "X of d.npz has shape (0, 2), expected at least one example"),
    (
        {"X": np.ones((3, 0)), "y": [0, 1, 0]},
        NLL,
        "X of d.npz has shape (3, 0), expected at least one example",
    ),
    ({"X": np.array([["a"]] * 3), "y": [0, 1, 0]}, NLL, "X of d.npz has dtype <U1, expected real numbers"),
    (
        {"X": X3.astype(object), "y": [0, 1, 0]},
        NLL,
        "d.npz is not a readable .npz file: it holds Python objects",
    ),
    (
        {"X": np.ones((300, 1)), "y": np.arange(300)},
        NLL,
        "y of d.npz has 300 distinct values in 300 examples, too many for classes; for a measured",
    ),
]


@pytest.mark.parametrize(("content", "spec", "message"), BAD, ids=[message[:45] for *_, message in BAD])
def test_bad_data_is_named_in_one_line(write, content, spec, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_data(write(content), spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("missing.csv", (), "missing.csv does not exist"),
        ("d.txt", (), "d.txt ends in '.txt', expected a .csv or .npz file"),
        ("folder.npz", (), "folder.npz is a folder, expected a file"),
        ("d.csv", ("kind",), "d.csv has no column 'kind': its first line is length, width, species"),
        ("d.csv", ("3",), "d.csv has no column 3: it has 3 columns, numbered from 0"),
        ("text.npz", (), "text.npz is not a readable .npz file"),
        ("plain.npz", (), "plain.npz is not a readable .npz file"),
        ("half.npz", (), "half.npz is not a readable .npz file"),
    ],
)
def test_bad_file(write, tmp_path, name, labels, message):
    (tmp_path / "folder.npz").mkdir()
    write(IRIS)
    write("no zip", "text.npz")
    with (tmp_path / "plain.npz").open("wb") as file:
        np.save(file, np.ones(3))
    write(b"PK\x03\x04" + bytes(40), "half.npz")
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_data(name, NLL, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "features", "labels"),
    [
        (IRIS, ("length", "width"), ("2",)),
        ("width,other,length\n2,0,1.5\n4,0,3\n6,0,5\n", ("length", "width"), ("2",)),
        ("1.5,2\n3,4\n5,6\n", ("length", "width"), ("2",)),
        ("1.5,2,setosa\n3,4,setosa\n5,6,setosa\n", (), ("2",)),
        ("setosa,1.5,2\nsetosa,3,4\nsetosa,5,6\n", (), ("0",)),
    ],
)
def test_inputs_to_predict_are_found(write, text, features, labels):
    np.testing.assert_array_equal(read_inputs(write(text), 2, features, labels), [[1.5, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "d.csv has no column 'length', which the model was trained with"),
        ("1,2,3,4\n", "d.csv has 4 columns of inputs, the model expects 2"),
        ({"X": np.ones((3, 5))}, "X of d.npz has 5 inputs, the model expects 2"),
    ],
)
def test_other_inputs_are_refused(write, content, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_inputs(write(content), 2, ("length", "width"), ("2",))
