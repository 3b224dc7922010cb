"""Datasets in IDX files: from a directory, or downloaded once from a mirror that serves the real thing."""

import gzip
import hashlib
import os
import socket
import struct
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hypermnesia import data
from hypermnesia.data import mnist
from hypermnesia.data.mnist import IdxDataset, PublishedFile
from hypermnesia.errors import ConfigurationError, DataError
from tests.mirrors import Mirror, serve

ARRAYS = {
    "train-images": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
    "train-labels": np.array([0, 1, 2, 0, 1, 2], np.uint8),
    "t10k-images": np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2),
    "t10k-labels": np.array([2, 1, 0], np.uint8),
}


def encode(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def published(name: str) -> PublishedFile:
    return PublishedFile(name, ARRAYS[name].shape, sha256(encode(ARRAYS[name])))


def toy(*mirrors: str) -> IdxDataset:
    return IdxDataset("toy", *(published(name) for name in ARRAYS), ("a", "b", "c"), mirrors)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYPERMNESIA_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the toy dataset, gzipped, as a mirror has it."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, array in ARRAYS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(encode(array)))
    return folder


@pytest.fixture
def mirror(files: Path) -> Iterator[str]:
    """The address of a good mirror."""
    with serve(files, Mirror) as server:
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def breaking_mirror(files: Path) -> Iterator[str]:
    """The address of a mirror whose transfers break off."""
    with serve(files, type("Breaking", (Mirror,), {"short": True})) as server:
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def unreachable() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def assert_is_toy(dataset: data.ImageDataset) -> None:
    np.testing.assert_array_equal(dataset.train_images.numpy()[:, 0], ARRAYS["train-images"])
    np.testing.assert_array_equal(dataset.test_labels.numpy(), ARRAYS["t10k-labels"])


class TestLocalFiles:
    def test_are_found_as_such_in_a_folder_of_the_name_and_by_the_environment(
        self, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert_is_toy(toy().load(files))
        files.rename(files.parent / "toy")
        assert_is_toy(toy().load(files.parent))
        monkeypatch.setenv("HYPERMNESIA_DATA", str(files.parent))
        assert_is_toy(toy().load())

    def test_may_be_decompressed(self, files: Path) -> None:
        for path in files.iterdir():
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
        assert_is_toy(toy().load(files))

    def test_are_never_downloaded_into_a_directory_that_was_named(self, tmp_path: Path, mirror: str) -> None:
        Mirror.requests.clear()
        with pytest.raises(DataError, match=r"empty: train-images is not there.*t10k-labels.*or none"):
            toy(mirror).load(tmp_path / "empty")
        assert not Mirror.requests

    def test_cut_short_are_refused(self, files: Path) -> None:
        path = files / "train-images.gz"
        path.write_bytes(path.read_bytes()[:-12])
        with pytest.raises(DataError, match=r"train-images.gz.*cut short"):
            toy().load(files)

    def test_of_other_content_are_refused(self, files: Path) -> None:
        (files / "t10k-images").write_bytes(encode(ARRAYS["t10k-images"] + 1))
        with pytest.raises(DataError, match=r"t10k-images: its content is not.*sha256:"):
            toy().load(files)

    def test_of_other_numbers_are_refused(self, files: Path) -> None:
        (files / "train-labels").write_bytes(encode(ARRAYS["train-labels"][:-1]))
        with pytest.raises(DataError, match=r"train-labels: holds an array of shape \[5\].*\[6\]"):
            toy().load(files)

    def test_that_are_no_files_are_refused(self, files: Path) -> None:
        path = files / "train-images.gz"
        path.unlink()
        os.mkfifo(path)  # reading it would wait for ever
        with pytest.raises(DataError, match=r"train-images.gz: cannot be read \(it is a pipe"):
            toy().load(files)
        path.unlink()
        path.mkdir()
        with pytest.raises(DataError, match=r"train-images.gz: cannot be read \(it is a folder"):
            toy().load(files)

    def test_that_become_larger_than_what_was_published_are_refused_before_they_do(self, files: Path) -> None:
        (files / "train-images.gz").write_bytes(gzip.compress(encode(ARRAYS["train-images"]) + bytes(1 << 24)))
        tracemalloc.start()
        with pytest.raises(DataError, match=r"train-images.gz: has more than 40 bytes of content"):
            toy().load(files)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


class TestDownload:
    def test_happens_once_and_quietly_where_there_is_no_terminal(
        self, tmp_path: Path, mirror: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        Mirror.requests.clear()
        for _ in range(2):
            assert_is_toy(toy(mirror).load(cache=tmp_path / "cache"))
        assert capfd.readouterr() == ("", "")
        assert sorted(Mirror.requests) == sorted(f"/{name}.gz" for name in ARRAYS)

    def test_goes_on_to_the_next_mirror(
        self, tmp_path: Path, mirror: str, breaking_mirror: str, unreachable: str
    ) -> None:
        dataset = toy(unreachable, f"{mirror}absent/", breaking_mirror, mirror)
        assert_is_toy(dataset.load(cache=tmp_path / "cache"))

    def test_that_fails_everywhere_says_why_and_leaves_nothing(
        self, tmp_path: Path, mirror: str, breaking_mirror: str, unreachable: str
    ) -> None:
        with pytest.raises(DataError, match=r"train-images.gz could not be downloaded") as caught:
            toy(unreachable, f"{mirror}absent/", breaking_mirror).load(cache=tmp_path / "cache")
        for part in (f"{unreachable}: cannot be reached", "absent/: answered 404", "transfer broke off"):
            assert part in str(caught.value)
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    @pytest.mark.parametrize(
        ("tampered", "message"),
        [
            (gzip.compress(encode(ARRAYS["train-images"] + 1)), "its content is not that of the published"),
            (gzip.compress(encode(ARRAYS["train-images"]))[:-9], "cut short"),
            (b"<html>Log in to this network</html>", "no IDX file"),
        ],
        # Not the bytes: gzip writes the time into them, and every process must find the same tests.
        ids=["other content", "cut short", "a page"],
    )
    def test_of_a_wrong_file_is_refused_and_leaves_nothing(
        self, tmp_path: Path, files: Path, mirror: str, tampered: bytes, message: str
    ) -> None:
        (files / "train-images.gz").write_bytes(tampered)
        with pytest.raises(DataError, match=f"{mirror}: sent a wrong file.*{message}"):
            toy(mirror).load(cache=tmp_path / "cache")
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_compressed_checksum_where_that_is_the_one_published(
        self, tmp_path: Path, files: Path, mirror: str
    ) -> None:
        digest = hashlib.sha256((files / "train-images.gz").read_bytes()).hexdigest()
        dataset = replace(toy(mirror), train_images=replace(published("train-images"), gzip_sha256=digest))
        assert_is_toy(dataset.load(cache=tmp_path / "cache"))
        (files / "train-images.gz").write_bytes(gzip.compress(encode(ARRAYS["train-images"]), 0))
        with pytest.raises(DataError, match=r"is not train-images.gz as published"):
            dataset.load(cache=tmp_path / "another cache")

    def test_repairs_a_damaged_cache(self, tmp_path: Path, mirror: str) -> None:
        toy(mirror).load(cache=tmp_path / "cache")
        path = tmp_path / "cache" / "toy" / "t10k-labels.gz"
        path.write_bytes(path.read_bytes()[:5])
        assert_is_toy(toy(mirror).load(cache=tmp_path / "cache"))

    def test_does_not_remove_a_folder_in_its_place(self, tmp_path: Path, mirror: str) -> None:
        (tmp_path / "cache" / "toy" / "train-images.gz").mkdir(parents=True)
        with pytest.raises(DataError, match=r"train-images.gz: a folder lies where a download is kept"):
            toy(mirror).load(cache=tmp_path / "cache")

    def test_into_a_place_that_cannot_be_written(self, tmp_path: Path, mirror: str) -> None:
        (tmp_path / "cache").write_text("a file where the folder should be")
        with pytest.raises(DataError, match="cannot keep the download of train-images"):
            toy(mirror).load(cache=tmp_path / "cache")


def test_files_of_another_dataset_are_not_given_the_names_of_this_one(tmp_path: Path, monkeypatch) -> None:
    """Those of MNIST and Fashion-MNIST are known by name; of others, as KMNIST's, it is known that they are not."""
    content = encode(np.zeros((10_000,), np.uint8))
    (tmp_path / "labels").write_bytes(content)
    for dataset in (mnist.MNIST, mnist.FASHION_MNIST):
        with pytest.raises(DataError, match=r"labels: its content is not.*KMNIST.*ImageDataset"):
            dataset.test_labels.read(tmp_path / "labels")
    monkeypatch.setattr(
        mnist, "MNIST", replace(mnist.MNIST, test_labels=replace(mnist.MNIST.test_labels, content=sha256(content)))
    )
    with pytest.raises(DataError, match=r"this is mnist's t10k-labels.*folders of their own"):
        mnist.FASHION_MNIST.test_labels.read(tmp_path / "labels")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"'fashon-mnist'.*digits, mnist.*mean 'fashion-mnist'"):
        data.load("fashon-mnist")


@pytest.mark.parametrize("name", ["mnist", "cifar-10"])
def test_a_place_that_cannot_be_looked_at_is_told(name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: .*cannot be read \(File name too long\)"):
        data.load(name, "x" * 5000)


def test_a_directory_from_which_nothing_is_read_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="digits are part of the installation, read from no directory"):
        data.load("digits", "somewhere")
    with pytest.raises(ConfigurationError, match="directory is where a dataset given by its name is read from"):
        data.as_images(data.load("digits"), "somewhere")
