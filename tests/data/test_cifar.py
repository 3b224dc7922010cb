"""CIFAR in its binary version: found, checked and read, or refused in a sentence; a note where it is another."""

import gzip
import hashlib
import os
import tarfile
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hypermnesia import data
from hypermnesia.data import cifar
from hypermnesia.data.cifar import CIFAR_10, CIFAR_100, CIFAR_100_COARSE, CifarDataset
from hypermnesia.errors import DataError, Note
from tests.cifar_files import archive, contents, records, write_cifar
from tests.mirrors import Mirror, serve

ALL = (CIFAR_10, CIFAR_100, CIFAR_100_COARSE)
each = pytest.mark.parametrize("published", ALL, ids=lambda published: published.name)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYPERMNESIA_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def packed(published: CifarDataset) -> bytes:
    """The archive of `toy`."""
    return archive({f"{published.folder}/{name}": content for name, content in contents(published, 100).items()})


def toy(published: CifarDataset, *mirrors: str) -> CifarDataset:
    """A dataset as if files of 100 made-up records were what was published."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents(published, 100).items()}
    return replace(
        published,
        training=tuple(replace(file, records=100, sha256=sums[file.name]) for file in published.training),
        test=replace(published.test, records=100, sha256=sums[published.test.name]),
        archive_sha256=hashlib.sha256(packed(published)).hexdigest(),
        mirrors=mirrors or published.mirrors,
    )


@pytest.fixture
def unnoted() -> Iterator[None]:
    """Every note is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        yield


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.write_bytes(how(path.read_bytes()))


class TestFolder:
    @each
    def test_of_fewer_records_is_read_with_a_note(self, tmp_path: Path, published: CifarDataset) -> None:
        write_cifar(tmp_path, published, 100, test=60)
        with pytest.warns(Note, match=rf"not the published.* but {100 * len(published.training)} training and 60 test"):
            images = data.load(published.name, tmp_path)
        assert images.name == published.name
        assert (
            images.num_classes == len(published.class_names) == {"cifar-10": 10, "cifar-100": 100}.get(images.name, 20)
        )
        made = np.concatenate([records(published, 100, seed) for seed in range(1, len(published.training) + 1)])
        np.testing.assert_array_equal(images.train_images.flatten(1).numpy(), made[:, len(published.names) :])
        np.testing.assert_array_equal(images.train_labels.numpy(), made[:, published.label])
        np.testing.assert_array_equal(images.test_labels.numpy(), records(published, 60)[:, published.label])
        assert images.train_images.shape[1:] == (3, 32, 32)

    @each
    @pytest.mark.usefixtures("unnoted")
    def test_of_what_was_published_is_read_without_a_note(self, tmp_path: Path, published: CifarDataset) -> None:
        write_cifar(tmp_path, published, 100)
        assert len(toy(published).load(tmp_path).train_images) == 100 * len(published.training)

    def test_may_be_named_itself_lie_inside_be_called_like_the_dataset_or_stand_in_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published = toy(CIFAR_100_COARSE)
        folder = write_cifar(tmp_path / "a", CIFAR_100, 100)
        places = [folder, folder.parent]
        for name in ("cifar-100", "cifar-100-coarse"):
            write_cifar(tmp_path / name, CIFAR_100, 100).rename(tmp_path / "moved")
            (tmp_path / name).rmdir()
            (tmp_path / name / "inside").mkdir(parents=True)
            (tmp_path / "moved").rename(tmp_path / name / "inside" / name)
            places.append(tmp_path / name / "inside")
        write_cifar(tmp_path / "b" / "cifar-100", CIFAR_100, 100)
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / "cifar-100-binary.tar.gz").write_bytes(packed(CIFAR_100))
        for place in (*places, tmp_path / "b", tmp_path / "c"):
            assert len(published.load(place).test_images) == 100
        monkeypatch.setenv("HYPERMNESIA_DATA", str(tmp_path / "a"))
        assert len(published.load().test_images) == 100

    def test_with_other_content_is_read_with_a_note_of_the_files(self, tmp_path: Path) -> None:
        folder = write_cifar(tmp_path, CIFAR_10, 100)
        change(folder / "data_batch_3.bin", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.warns(Note, match="the content of data_batch_3.bin is another"):
            toy(CIFAR_10).load(tmp_path)

    def test_without_lists_of_names_is_read_and_one_with_others_refused(self, tmp_path: Path) -> None:
        folder = write_cifar(tmp_path, CIFAR_10, 100)
        change(folder / "batches.meta.txt", lambda content: content + b"\r\n\n")
        toy(CIFAR_10).load(tmp_path)
        change(folder / "batches.meta.txt", lambda content: content.replace(b"cat", b"car"))
        with pytest.raises(DataError, match=r"batches.meta.txt: name 4 is 'car', but cifar-10 has 'cat' there"):
            toy(CIFAR_10).load(tmp_path)
        change(folder / "batches.meta.txt", lambda content: content.replace(b"car", b"cat").replace(b"truck", b""))
        with pytest.raises(DataError, match="name 10 is 'none'"):
            toy(CIFAR_10).load(tmp_path)
        (folder / "batches.meta.txt").unlink()
        toy(CIFAR_10).load(tmp_path)


def swap(first: str, second: str) -> Callable[[Path], None]:
    def swapped(folder: Path) -> None:
        (folder / first).rename(folder / "aside")
        (folder / second).rename(folder / first)
        (folder / "aside").rename(folder / second)

    return swapped


def pipe(name: str) -> Callable[[Path], None]:
    def piped(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return piped


def directory(name: str) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return made


def changed(name: str, how: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, how)


def with_byte(place: int, value: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + bytes([value]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("published", "spoil", "message"),
    [
        (
            CIFAR_10,
            changed("data_batch_2.bin", lambda c: c[:-1]),
            r"data_batch_2.bin: 307,299 bytes .*3,073.*cut short",
        ),
        (CIFAR_10, changed("data_batch_2.bin", lambda c: c[:-3073]), r"data_batch_2.bin has 99 records instead of 100"),
        (CIFAR_10, changed("test_batch.bin", lambda c: c[:-3073]), r"test_batch.bin has 99 records .* cut short"),
        (
            CIFAR_10,
            changed("test_batch.bin", lambda c: c + c[-3073:]),
            r"test_batch.bin: has 101 records, more than the",
        ),
        (CIFAR_10, changed("test_batch.bin", lambda c: b""), r"test_batch.bin: 0 bytes"),
        (CIFAR_10, changed("test_batch.bin", lambda c: b"<html>"), r"test_batch.bin: 6 bytes"),
        (CIFAR_10, changed("test_batch.bin", with_byte(3073, 10)), r"test_batch.bin: record 2 has label 10, .*0 to 9"),
        (CIFAR_10, changed("data_batch_4.bin", with_byte(0, 1)), r"49 training images of class 'airplane', .* 50 of"),
        (CIFAR_10, changed("test_batch.bin", with_byte(0, 1)), r"9 test images of class 'airplane', .* 10 of each"),
        (CIFAR_10, lambda folder: (folder / "data_batch_5.bin").unlink(), r"data_batch_5.bin is not there, while"),
        (CIFAR_10, pipe("data_batch_5.bin"), r"data_batch_5.bin: cannot be read \(it is a pipe"),
        (CIFAR_10, directory("test_batch.bin"), r"test_batch.bin: cannot be read \(it is a folder"),
        (CIFAR_10, pipe("batches.meta.txt"), r"batches.meta.txt: cannot be read \(it is a pipe"),
        (CIFAR_10, changed("test_batch.bin", lambda c: bytes(3074)), r"its size is that of records of cifar-100"),
        (CIFAR_100, changed("test.bin", lambda c: c[:-3074]), r"test.bin has 99 records instead of 100"),
        (CIFAR_100, changed("train.bin", lambda c: c[:-3074]), r"train.bin has 99 records instead of 100"),
        (CIFAR_100, changed("train.bin", with_byte(1, 100)), r"record 1 has label 100, .*0 to 99"),
        (CIFAR_100, changed("train.bin", with_byte(0, 20)), r"record 1 has label 20, .*0 to 19"),
        (CIFAR_100, changed("train.bin", with_byte(0, 3)), r"coarse label 3 and fine label 0, which belongs to .* 4"),
        (CIFAR_100, changed("train.bin", lambda c: bytes(3073)), r"its size is that of records of cifar-10\."),
    ],
)
def test_what_is_wrong_with_a_file_has_its_sentence(
    tmp_path: Path, published: CifarDataset, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(write_cifar(tmp_path, published, 100))
    with pytest.raises(DataError, match=message):
        toy(published).load(tmp_path)


@pytest.mark.parametrize(
    ("published", "first", "second"),
    [(CIFAR_10, "data_batch_1.bin", "test_batch.bin"), (CIFAR_100, "train.bin", "test.bin")],
)
def test_swapped_files_are_told_by_their_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: CifarDataset, first: str, second: str
) -> None:
    monkeypatch.setattr(cifar, "_ALL", (toy(CIFAR_10), toy(CIFAR_100)))
    swap(first, second)(write_cifar(tmp_path, published, 100))
    with pytest.raises(DataError, match=rf"{first}: this is {second} of {published.family}"):
        toy(published).load(tmp_path)


def test_files_of_the_other_dataset_are_refused(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, CIFAR_10)
    folder.rename(tmp_path / "cifar-100-binary")
    with pytest.raises(DataError, match=r"cifar-100 is not there. It needs train.bin, test.bin, in this folder or in"):
        CIFAR_100.load(tmp_path)
    for here, there in (("data_batch_1.bin", "train.bin"), ("test_batch.bin", "test.bin")):
        (tmp_path / "cifar-100-binary" / here).rename(tmp_path / "cifar-100-binary" / there)
    with pytest.raises(DataError, match=r"train.bin: 61,460 bytes .*its size is that of records of cifar-10"):
        CIFAR_100.load(tmp_path)


@pytest.mark.parametrize(
    ("published", "there"),
    [
        (CIFAR_10, "cifar-10-batches-py/data_batch_1"),
        (CIFAR_10, "cifar-10-python.tar.gz"),
        (CIFAR_10, "data_batch_1"),
        (CIFAR_100, "cifar-100-python/train"),
        (CIFAR_100_COARSE, "cifar-100-python.tar.gz"),
        (CIFAR_100, "train"),
    ],
)
def test_pickled_files_are_never_read_and_what_to_download_is_told(
    tmp_path: Path, published: CifarDataset, there: str
) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(DataError, match=rf"pickled: .*https://www.cs.toronto.edu/~kriz/{published.archive}"):
        published.load(tmp_path)


def test_a_folder_of_the_name_of_a_pickled_file_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"is not there.*or none"):
        CIFAR_100.load(tmp_path)


def test_nothing_there_says_what_is_needed(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"cifar-10 is not there.*data_batch_1.bin.*or none.*to download https"):
            CIFAR_10.load(place)


def member(kind: bytes, name: str, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


class TestArchive:
    def load(self, tmp_path: Path, content: bytes, published: CifarDataset = CIFAR_10) -> data.ImageDataset:
        (tmp_path / published.archive).write_bytes(content)
        return toy(published).load(tmp_path)

    @each
    @pytest.mark.usefixtures("unnoted")
    def test_as_published_is_read(self, tmp_path: Path, published: CifarDataset) -> None:
        images = self.load(tmp_path, packed(published), published)
        np.testing.assert_array_equal(images.test_labels.numpy(), records(published, 100)[:, published.label])

    def test_packed_again_is_read_whatever_the_order(self, tmp_path: Path) -> None:
        files = {f"./{CIFAR_10.folder}/{name}": content for name, content in reversed(contents(CIFAR_10, 100).items())}
        images = self.load(tmp_path, archive(files))
        assert images.train_images[100:200].flatten(1).numpy().tobytes() == records(CIFAR_10, 100, 2)[:, 1:].tobytes()
        with pytest.warns(Note, match="150 training and 30 test images"):
            small = contents(CIFAR_10, 30)
            self.load(tmp_path, archive({f"{CIFAR_10.folder}/{name}": content for name, content in small.items()}))

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"/etc/passwd": b""}, "holds '/etc/passwd', a path outside of it"),
            ({"cifar-10-batches-bin/../../x": b""}, "a path outside of it"),
            ({"l": member(tarfile.SYMTYPE, "l", "/etc/passwd")}, "holds 'l', which is neither a file nor a folder"),
            ({"l": member(tarfile.LNKTYPE, "cifar-10-batches-bin/data_batch_1.bin", "l")}, "neither a file nor"),
            ({"p": member(tarfile.FIFOTYPE, "p")}, "neither a file nor"),
            ({"./cifar-10-batches-bin/test_batch.bin": bytes(3073)}, "test_batch.bin twice"),
        ],
    )
    def test_with_members_that_no_published_one_has_is_refused(
        self, tmp_path: Path, more: dict[str, bytes], message: str
    ) -> None:
        files = {f"{CIFAR_10.folder}/{name}": content for name, content in contents(CIFAR_10, 100).items()}
        with pytest.raises(DataError, match=message):
            self.load(tmp_path, archive(files | more))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (packed(CIFAR_100), r"does not hold cifar-10-batches-bin/data_batch_1.bin.*not cifar-10-binary.tar.gz"),
            (archive({"cifar-10-batches-py/data_batch_1": b"x"}), "does not hold"),
            (archive({}), "does not hold"),
            (packed(CIFAR_10)[:-100], "cut short"),
            (packed(CIFAR_10)[: len(packed(CIFAR_10)) // 2], "cut short"),
            (b"", "is no whole tar archive"),
            (b"<html>Log in</html>", "is no .tar.gz, or a damaged one"),
            (gzip.compress(b"no tar", mtime=0), "is no whole tar archive"),
            (gzip.compress(gzip.decompress(packed(CIFAR_10))[:100_000], mtime=0), "cut short|no whole tar"),
        ],
        # Not the bytes, of which names of tests would be made.
        ids=["cifar-100", "pickled", "empty", "no end", "half", "nothing", "page", "text", "tar cut short"],
    )
    def test_that_is_another_or_damaged_is_refused(self, tmp_path: Path, content: bytes, message: str) -> None:
        with pytest.raises(DataError, match=message):
            self.load(tmp_path, content)

    def test_of_the_other_dataset_is_told_by_its_checksum(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cifar, "_ALL", (toy(CIFAR_10), toy(CIFAR_100)))
        with pytest.raises(DataError, match=r"this is cifar-100-binary.tar.gz, another dataset"):
            self.load(tmp_path, packed(CIFAR_100))

    @pytest.mark.parametrize("name", ["data_batch_1.bin", "batches.meta.txt", "readme.html"])
    def test_that_becomes_more_than_it_may_is_refused_before_it_does(self, tmp_path: Path, name: str) -> None:
        (tmp_path / CIFAR_10.archive).write_bytes(archive({f"{CIFAR_10.folder}/{name}": bytes(1 << 25)}))
        published = toy(CIFAR_10)
        tracemalloc.start()
        with pytest.raises(DataError, match=r"bytes, more than the|much more than the files wanted"):
            published.load(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
        tracemalloc.stop()


class TestDownload:
    @pytest.fixture
    def mirror(self, tmp_path: Path) -> Iterator[str]:
        folder = tmp_path / "mirror"
        folder.mkdir()
        for published in (CIFAR_10, CIFAR_100):
            (folder / published.archive).write_bytes(packed(published))
        with serve(folder, Mirror) as server:
            yield f"http://127.0.0.1:{server.server_port}/"
            server.shutdown()

    @pytest.mark.usefixtures("unnoted")
    def test_happens_once_for_both_labelings(self, tmp_path: Path, mirror: str) -> None:
        for published in (CIFAR_100, CIFAR_100_COARSE, CIFAR_10, CIFAR_10):
            images = toy(published, mirror).load(cache=tmp_path / "cache")
            np.testing.assert_array_equal(images.test_labels.numpy(), records(published, 100)[:, published.label])
        assert Mirror.requests == [f"/{published.archive}" for published in (CIFAR_100, CIFAR_10)]

    def test_of_an_archive_that_is_not_the_published_one_is_refused(self, tmp_path: Path, mirror: str) -> None:
        (tmp_path / "mirror" / CIFAR_10.archive).write_bytes(packed(CIFAR_10) + bytes(8))
        with pytest.raises(DataError, match=r"is not cifar-10-binary.tar.gz as published"):
            toy(CIFAR_10, mirror).load(cache=tmp_path / "cache")
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_replaces_half_a_download(self, tmp_path: Path, mirror: str) -> None:
        path = tmp_path / "cache" / "cifar-10" / CIFAR_10.archive
        path.parent.mkdir(parents=True)
        path.write_bytes(packed(CIFAR_10)[:5000])
        toy(CIFAR_10, mirror).load(cache=tmp_path / "cache")
        assert path.read_bytes() == packed(CIFAR_10)
