"""IDX files are read strictly: whole, or refused with the reason."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hypermnesia.data import idx
from hypermnesia.errors import DataError


def encode(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


any_array = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))


@given(any_array)
def test_what_was_written_is_read(array: np.ndarray) -> None:
    np.testing.assert_array_equal(idx.parse(encode(array), "test").numpy(), array)


@given(any_array, st.data())
def test_a_file_cut_anywhere_is_refused(array: np.ndarray, choice: st.DataObject) -> None:
    whole = encode(array)
    cut = choice.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError, match="cut short"):
        idx.parse(whole[:cut], "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode(np.zeros((2, 3), np.uint8)) + b"!", "something was appended"),
        (b"<!DOCTYPE html>", "no IDX file of unsigned bytes"),
        (b"\0\0\x0d\x01\0\0\0\1\0\0\0\0", "no IDX file of unsigned bytes"),
        (b"\0\0\x08\xff" + bytes(2000), "no IDX file of unsigned bytes"),
    ],
)
def test_something_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"labels.gz.*{message}"):
        idx.parse(content, "labels.gz")


def test_gzipped_or_not(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"content")
    (tmp_path / "gzipped").write_bytes(gzip.compress(b"content"))
    assert idx.read_bytes(tmp_path / "plain") == idx.read_bytes(tmp_path / "gzipped") == b"content"


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(bytes(range(256)) * 40)
    path = tmp_path / "images.gz"
    for cut in range(2, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="compressed file is cut short"):
            idx.read_bytes(path)
    path.write_bytes(whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:])
    with pytest.raises(DataError, match="compressed file is damaged"):
        idx.read_bytes(path)
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        idx.read_bytes(tmp_path / "nowhere")
