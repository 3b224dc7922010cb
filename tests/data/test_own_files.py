"""Files of one's own: what is read of them, and what is said of those that cannot be."""

import os
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from safetensors.numpy import save_file

from hypermnesia.data import ArraysData, FolderData, IdxData, LabeledData
from hypermnesia.data.pictures import read_picture
from hypermnesia.errors import DataError, HypermnesiaError
from tests.pictures import write_idx, write_pictures, write_table


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def folder(path: str = "pictures", **settings: object) -> LabeledData:
    return FolderData(kind="folder", path=path, **settings).load(None)


def arrays(path: str, **settings: object) -> LabeledData:
    return ArraysData(kind="arrays", path=path, **settings).load(None)


def test_a_folder_is_read_as_image_folder_reads_it():
    write_pictures(Path("pictures"), ["bee", "ant", "cat"], number=5)
    data = folder(test=0.2)
    assert data.class_names == ("ant", "bee", "cat")
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((12, 3, 8, 8), (3, 3, 8, 8))
    assert data.test_labels.tolist() == [0, 1, 2]
    everything = torch.cat([data.train_inputs, data.test_inputs])
    with Image.open("pictures/bee/02.png") as image:
        wanted = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert (everything == wanted).flatten(1).all(1).sum() == 1


def test_the_same_share_is_split_off_each_time_and_every_class_keeps_a_picture():
    write_pictures(Path("pictures"), ["ant", "bee"], number=9)
    write_pictures(Path("pictures"), ["one"], number=1)
    write_pictures(Path("pictures"), ["two"], number=2)
    once, again = folder(test=0.1), folder(test=0.1)
    assert torch.equal(once.test_inputs, again.test_inputs)
    assert once.test_labels.bincount(minlength=4).tolist() == [1, 1, 0, 1]
    assert once.train_labels.bincount(minlength=4).tolist() == [8, 8, 1, 1]


def test_a_folder_of_test_pictures_has_the_same_classes_and_sizes():
    write_pictures(Path("train"), ["ant", "bee"], number=3)
    write_pictures(Path("test"), ["bee"], number=2)
    assert folder("train", test="test").test_labels.tolist() == [1, 1]
    write_pictures(Path("test"), ["be"], number=2)
    with pytest.raises(DataError, match=r"no class 'be' among .* Did you mean 'bee'\?"):
        folder("train", test="test")


def test_pictures_are_brought_to_one_size_and_to_the_colors_asked_for_and_turned_upright():
    write_pictures(Path("pictures"), ["ant"], number=2, size=8)
    write_pictures(Path("pictures"), ["bee"], number=2, size=12)
    assert folder(size=6, colors="gray").train_inputs.shape[1:] == (1, 6, 6)
    assert folder(size=(4, 6)).train_inputs.shape[1:] == (3, 4, 6)
    with pytest.raises(DataError, match=r"bee.00.png has 12×12 pixels, others have 8×8: .*data.size=8"):
        folder()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (8, 4)).save("turned.jpg", exif=exif)
    assert read_picture(Path("turned.jpg"), 3).shape == (3, 8, 4)


@pytest.mark.parametrize(
    ("kind", "ending"), [("<u2", "png"), ("<u2", "tif"), (">u2", "tif"), ("<i4", "tif"), ("<f4", "tif")]
)
def test_gray_levels_of_more_than_8_bits_are_not_cut_off(kind, ending):
    levels = (np.arange(256) * 257).reshape(16, 16)
    Image.fromarray(levels.astype(kind)).save(f"some.{ending}")
    assert read_picture(Path(f"some.{ending}"), 1).flatten().tolist() == list(range(256))
    assert read_picture(Path(f"some.{ending}"), 3)[2].flatten().tolist() == list(range(256))


@pytest.mark.parametrize("levels", [np.float32([[0, 0.5]]), np.int32([[-1, 5]]), np.int32([[0, 70000]])])
def test_numbers_that_are_no_gray_levels_are_refused(levels):
    Image.fromarray(levels).save("some.tif")
    with pytest.raises(DataError, match=r"some.tif holds numbers from .*, which are no whole ones from 0 to 65535"):
        read_picture(Path("some.tif"), 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_shows_white(mode, channels):
    drawing = Image.new("LA", (4, 4), (0, 0))
    drawing.putpixel((1, 2), (0, 255))
    more = {}
    if mode in "PL":
        drawing, more = Image.new(mode, (4, 4), 3), {"transparency": 3}
        drawing.putpixel((1, 2), 0)
        if mode == "P":
            drawing.putpalette([0, 0, 0] * 4)
    else:
        drawing = drawing.convert(mode)
    drawing.save("some.png", **more)
    wanted = torch.full((channels, 4, 4), 255, dtype=torch.uint8)
    wanted[:, 2, 1] = 0
    assert torch.equal(read_picture(Path("some.png"), channels), wanted)


def test_odd_exif_does_not_spoil_a_picture():
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHI4s", 0x011A, 2, 4, b"abc")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + entries + bytes(4)
    Image.new("RGB", (8, 4)).save("some.jpg", exif=exif)
    assert read_picture(Path("some.jpg"), 3).shape == (3, 8, 4)
    Image.new("RGB", (8, 4)).save("some.png", exif=b"Exif\0\0no EXIF at all")
    assert read_picture(Path("some.png"), 3).shape == (3, 4, 8)


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, struct.error, KeyError, ZeroDivisionError])
def test_whatever_a_decoder_raises_the_file_is_named(error, monkeypatch):
    file = write_pictures(Path("pictures"), ["ant"], number=1) / "ant" / "00.png"

    def load(self):
        raise error("odd")

    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(DataError, match=r"00.png is a damaged picture \(.*odd.*\): take it out"):
        read_picture(file, 3)


def test_what_is_no_picture_by_its_name_is_noted_and_links_are_followed():
    write_pictures(Path("elsewhere"), ["ant", "bee"], number=3)
    Path("pictures").mkdir()
    Path("pictures/ant").symlink_to(Path("elsewhere/ant").absolute())
    Path("pictures/bee").symlink_to(Path("elsewhere/bee").absolute())
    Path("elsewhere/ant/again").symlink_to(Path("pictures").absolute())  # a circle
    Path("elsewhere/ant/notes.txt").write_text("of the ants")
    Path("pictures/README").write_text("what this is")
    with pytest.warns(UserWarning) as noted:
        data = folder()
    assert len(data.train_labels) + len(data.test_labels) == 6
    assert {"README", "notes.txt"} == {re.findall(r"such as (\S+)\.", str(each.message))[0] for each in noted}


@pytest.mark.parametrize("most", [30, 50])  # Pillow refuses more than twice of it, and only warns of less
def test_a_small_file_that_becomes_a_huge_picture_is_refused(most, monkeypatch):
    write_pictures(Path("pictures"), ["ant"], number=1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with pytest.raises(DataError, match=r"ant.00.png has more pixels than any picture should"):
        folder()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "There is no pictures, which should be a folder"),
        (lambda: Path("picture").mkdir(), r"There is no pictures, .*Did you mean 'picture'\?"),
        (lambda: Path("pictures").write_text(""), "pictures is a file, and should be a folder"),
        (lambda: Path("pictures").mkdir(), "pictures has no folders in it: put the pictures of each class"),
        (lambda: Path("pictures/ant").mkdir(parents=True), "pictures.ant has no pictures in it"),
        (lambda: write_pictures(Path("pictures"), ["a\nb"]), r"'a\\nb' can be no name"),
        (lambda: _damaged("cut"), r"ant.00.png (cannot be read|is a damaged picture)"),
        (lambda: _damaged("text"), "ant.00.png is no picture that can be read"),
        (lambda: _damaged("pipe"), "ant.00.png cannot be read .*pipe"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_with_the_name_of_the_file(make, message):
    make()
    with pytest.raises(DataError, match=message):
        folder()


def _damaged(how: str) -> None:
    file = write_pictures(Path("pictures"), ["ant"], number=1) / "ant" / "00.png"
    content = file.read_bytes()
    file.unlink()
    if how == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(content[:60] if how == "cut" else b"no picture")


def test_arrays_are_read_alike_from_every_form():
    chance = np.random.default_rng(0)
    inputs, labels = chance.random((20, 3), np.float32), np.arange(20) % 3 + 7
    np.savez("some.npz", inputs=inputs, labels=labels)
    save_file({"inputs": inputs, "labels": labels}, "some.safetensors")
    rows = [",".join(map(repr, map(float, row))) + f",{label}" for row, label in zip(inputs, labels, strict=True)]
    Path("some.csv").write_text("\n".join(["a,b,c,labels", *rows]))
    read = [arrays(f"some.{ending}") for ending in ("npz", "safetensors", "csv")]
    for data in read:
        assert data.class_names == ("7", "8", "9")
        assert torch.equal(data.train_labels, read[0].train_labels)
        torch.testing.assert_close(data.test_inputs, read[0].test_inputs)


def test_a_table_says_classes_by_name_and_tasks_in_the_order_they_come():
    write_table(Path("flowers.csv"), ["tulip", "rose", "10", "9"], ["south", "north"])
    data = arrays("flowers.csv", labels="species", tasks="site", leave_out=("id",))
    assert data.class_names == ("10", "9", "rose", "tulip")
    assert data.task_names == ("south", "north")
    assert data.train_inputs.shape[1] == 2
    assert data.train_labels[data.train_tasks == 0].unique().tolist() == [2, 3]


def test_a_file_of_test_arrays_may_have_its_classes_in_any_order():
    write_table(Path("train.csv"), ["rose", "lily", "iris"])
    write_table(Path("test.csv"), ["iris", "rose"], number=4)
    data = arrays("train.csv", labels="species", leave_out=("id", "site"), test="test.csv")
    assert [data.class_names[label] for label in data.test_labels] == ["iris", "rose", "iris", "rose"]
    write_table(Path("test.csv"), ["irs"], number=1)
    with pytest.raises(DataError, match=r"test.csv, species: 'irs' is not among .* Did you mean 'iris'\?"):
        arrays("train.csv", labels="species", leave_out=("id", "site"), test="test.csv")


def test_columns_of_a_table_of_test_examples_are_found_by_their_names():
    Path("train.csv").write_text("a,labels,b\n1,x,2\n3,y,4\n")
    Path("test.csv").write_text("b,a,labels\n6,5,x\n")
    assert arrays("train.csv", test="test.csv").test_inputs.tolist() == [[5, 6]]
    for header, message in {
        "b,c,labels": "test.csv has no column 'a'. It has b, c",
        "a,c,b,labels": "test.csv has c beside a, b, which are learned: take out",
    }.items():
        Path("test.csv").write_text(f"{header}\n" + ",".join("0" * len(header.split(","))))
        with pytest.raises(DataError, match=message):
            arrays("train.csv", test="test.csv")


def test_labels_that_are_numbers_count_in_their_order_however_they_are_written():
    for labels in (["10.0", "9.0", "0.5"], ["10", "9", "-1"], ["1e1", "9", "0"]):
        Path("some.csv").write_text("a,labels\n" + "".join(f"1,{label}\n" for label in labels))
        assert arrays("some.csv").class_names == tuple(reversed(labels))


def test_one_long_text_takes_no_more_memory_than_itself():
    rows = "".join(f"1,x,{place}\n" for place in range(2000))
    Path("some.csv").write_text(f"a,labels,note\n{rows}1,y,{'z' * 100_000}\n")
    tracemalloc.start()
    arrays("some.csv", leave_out=("note",))
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("some.csv", "a,labels\n1,x\n", {"labels": "label"}, r"no column 'label'. Did you mean 'labels'\? It has a,"),
        ("some.csv", "a,labels\n1,x\nyes,y\n", {}, r"row 3, column 'a' is 'yes', which is no number.*leave_out=\[a\]"),
        ("some.csv", "a,labels\n1,x\n1\n", {}, "row 3 has 1 entries, its first line has 2"),
        ("some.csv", "a,labels\n1,x\n2,\n", {}, "entry 2 is empty; every example needs a label"),
        ("some.csv", "a,labels\n1,x\nnan,x\n", {}, "input 2, counted from 1, has entries that are no finite"),
        (
            "some.csv",
            "a,labels\n1,x\n1e300,x\n",
            {},
            "input 2, .*too large for float32",
        ),
        ("some.csv", "labels\nx\n", {}, "no columns of inputs beside labels"),
        ("some.csv", "a,labels\n", {}, "has no examples"),
        ("some.csv", "", {}, "no column 'labels'. It has none"),
        ("some.csv", b"\xff\xfe", {}, "no text in UTF-8"),
        ("some.npz", {"inputs": np.zeros((2, 3))}, {}, "no array 'labels'"),
        ("some.npz", {"inputs": np.zeros((2, 3)), "labels": np.zeros(3, int)}, {}, r"shape \[3\]; it must be \[2\]"),
        ("some.npz", {"inputs": np.zeros((2, 3)), "labels": np.array([0.5, 1])}, {}, "whole numbers or texts"),
        ("some.npz", {"inputs": np.zeros((2, 3)), "labels": np.array([1e19, 2e19])}, {}, "1e.19 is no whole number"),
        ("some.npz", {"inputs": np.zeros((2, 3)), "labels": np.array([1, np.inf])}, {}, "inf is no whole number"),
        ("some.npz", {"inputs": np.array([["a"]]), "labels": np.zeros(1, int)}, {}, "must be an array of numbers"),
        ("some.npz", {"inputs": np.array([[{}]]), "labels": np.zeros(1, int)}, {}, "something else than arrays"),
        ("some.npz", b"no archive", {}, "is damaged"),
        ("some.safetensors", b"no arrays", {}, "is damaged"),
        ("some.txt", b"", {}, "read from .npz, .safetensors or .csv, not from .txt"),
        ("some.csv", "a,labels\n1,x\n", {"inputs": "a"}, "inputs are all columns"),
        ("some.npz", b"", {"leave_out": ("a",)}, "leave_out is for columns of a .csv"),
    ],
)
def test_what_is_wrong_with_arrays_is_said(name, content, settings, message):
    if isinstance(content, dict):
        np.savez(name, **content)
    else:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(HypermnesiaError, match=message):
        arrays(name, **settings)


def test_sets_in_mnists_format_have_the_names_of_their_classes():
    images = write_idx(Path("kmnist"), "", ("train", "t10k"), [0, 1, 9])
    data = IdxData(kind="idx", path="kmnist", name="kmnist").load(None)
    assert data.class_names == ("o", "ki", "wo")
    assert data.train_inputs[:, 0].tolist() == images.tolist()
    # Letters count from 1, and images are stored column by column.
    images = write_idx(Path("letters"), "emnist-letters-", ("train", "test"), [1, 26])
    data = IdxData(kind="idx", path="letters", name="emnist-letters").load(None)
    assert data.class_names == ("A", "Z")
    assert data.test_inputs[:, 0].tolist() == images.transpose(0, 2, 1).tolist()
    with pytest.raises(DataError, match=r"labels go from 0 to 9, but emnist-letters has 1 to 26"):
        IdxData(kind="idx", path="kmnist", name="emnist-letters").load(None)
    labels = Path("kmnist") / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([3]))
    with pytest.raises(DataError, match="test images have the label 3, of which there are no training images"):
        IdxData(kind="idx", path="kmnist", name="kmnist").load(None)
    labels.unlink()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte or test-labels-idx1-ubyte is not there"):
        IdxData(kind="idx", path="kmnist").load(None)
