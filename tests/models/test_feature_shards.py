from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import shard_index
from models.errors import FeatureMismatchError
from models.feature_shards import ShardStorage
from models.feature_storage import Tier
from models.shard_records import ALIGNMENT, HEADER_BYTES

ROOT = Path(__file__).resolve().parents[2]
SMALL = {Tier.PATCHES: 4000, Tier.POOLED: 1500}


def key(number: int) -> str:
    return f"{number:064x}"


def content(number: int) -> bytes:
    return random.Random(number).randbytes(50 + 37 * (number % 11))


def storage_in(folder: Path) -> ShardStorage:
    return ShardStorage(folder, shard_bytes=SMALL)


def filled(folder: Path, count: int) -> ShardStorage:
    storage = storage_in(folder)
    for number in range(count):
        storage.write(Tier.PATCHES, key(number), content(number))
    return storage


def assert_holds(storage: ShardStorage, numbers: range) -> None:
    for number in numbers:
        assert storage.read(Tier.PATCHES, key(number)).tobytes() == content(number)


def test_write__read_by_itself_and_by_others(tmp_path: Path) -> None:
    reader = storage_in(tmp_path)
    assert not reader.has(Tier.PATCHES, key(0))
    writer = filled(tmp_path, 30)
    assert_holds(writer, range(30))
    assert_holds(reader, range(30))
    assert len(list(tmp_path.glob("patches-*.shard"))) > 1
    assert max(path.stat().st_size for path in tmp_path.glob("*.shard")) <= SMALL[Tier.PATCHES]
    assert not reader.has(Tier.POOLED, key(3))
    assert sum(1 for _ in reader.entries()) == 30


def test_map__aligned_and_read_only(tmp_path: Path) -> None:
    mapped = filled(tmp_path, 3).map(Tier.PATCHES, key(2))
    assert mapped.ctypes.data % ALIGNMENT == 0
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


def test_index__sorted_table_and_recent_entries_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_index, "MERGE_AT", 7)
    writer = filled(tmp_path, 40)
    assert_holds(writer, range(40))
    assert_holds(storage_in(tmp_path), range(40))
    writer.remove(Tier.PATCHES, key(5))
    assert not storage_in(tmp_path).has(Tier.PATCHES, key(5))


def test_write__again_replaces(tmp_path: Path) -> None:
    writer, reader = filled(tmp_path, 3), storage_in(tmp_path)
    assert_holds(reader, range(3))
    writer.write(Tier.PATCHES, key(1), b"anew")
    assert writer.read(Tier.PATCHES, key(1)).tobytes() == b"anew"
    assert storage_in(tmp_path).read(Tier.PATCHES, key(1)).tobytes() == b"anew"


def test_write__two_writers_at_a_time(tmp_path: Path) -> None:
    one, other = storage_in(tmp_path), storage_in(tmp_path)
    for number in range(0, 40, 2):
        one.write(Tier.PATCHES, key(number), content(number))
        other.write(Tier.PATCHES, key(number + 1), content(number + 1))
    other.write(Tier.PATCHES, key(0), content(0))
    for reader in (one, other, storage_in(tmp_path)):
        assert_holds(reader, range(40))
        assert sum(1 for _ in reader.entries()) == 40


def test_write__hash_that_fits_no_header(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 64 characters"):
        storage_in(tmp_path).write(Tier.PATCHES, "a" * 65, b"")


@given(st.integers(0, 10_000_000))
@settings(max_examples=40, deadline=None)
def test_read__shard_cut_off_anywhere_loses_only_what_was_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    writer = ShardStorage(folder)
    ends = []
    for number in range(6):
        writer.write(Tier.PATCHES, key(number), content(number))
        ends.append(next(folder.glob("*.shard")).stat().st_size)
    (shard,) = folder.glob("*.shard")
    kept = cut % ends[-1]
    with shard.open("r+b") as stream:
        stream.truncate(kept)
    whole = sum(end <= kept for end in ends)
    reader = ShardStorage(folder)
    assert_holds(reader, range(whole))
    assert not any(reader.has(Tier.PATCHES, key(number)) for number in range(whole, 6))
    # A rerun makes the rest, in a shard of its own.
    for number in range(whole, 6):
        reader.write(Tier.PATCHES, key(number), content(number))
    assert_holds(ShardStorage(folder), range(6))


@pytest.mark.parametrize("where", [0, 40, HEADER_BYTES + 3])
def test_read__last_record_with_a_wrong_byte_does_not_count(tmp_path: Path, where: int) -> None:
    ShardStorage(tmp_path).write(Tier.PATCHES, key(1), content(1))
    (shard,) = tmp_path.glob("*.shard")
    data = bytearray(shard.read_bytes())
    data[where] ^= 1
    shard.write_bytes(data)
    assert not ShardStorage(tmp_path).has(Tier.PATCHES, key(1))


def test_read__byte_gone_wrong_later_is_told(tmp_path: Path) -> None:
    storage = filled(tmp_path, 2)
    shard = sorted(tmp_path.glob("*.shard"))[0]
    data = bytearray(shard.read_bytes())
    data[HEADER_BYTES + 3] ^= 1
    shard.write_bytes(data)
    damaged = next(number for number in range(2) if not _is_whole(tmp_path, number))
    with pytest.raises(ValueError, match="checksum"):
        ShardStorage(tmp_path).read(Tier.PATCHES, key(damaged))
    del storage


def _is_whole(folder: Path, number: int) -> bool:
    try:
        return ShardStorage(folder).read(Tier.PATCHES, key(number)).tobytes() == content(number)
    except ValueError:
        return False


def test_read_index__damaged_one_is_made_up_for(tmp_path: Path) -> None:
    filled(tmp_path, 40)
    indexes = sorted(tmp_path.glob("*.index.npy"))
    assert indexes
    indexes[0].write_bytes(indexes[0].read_bytes()[:-3])
    assert_holds(storage_in(tmp_path), range(40))


def test_read_many__each_once(tmp_path: Path) -> None:
    storage = filled(tmp_path, 12)
    found = dict(storage.read_many(Tier.PATCHES, [key(number) for number in (11, 2, 99, 5)]))
    assert found[key(99)] is None
    assert {name: data.tobytes() for name, data in found.items() if data is not None} == {
        key(number): content(number) for number in (2, 5, 11)
    }


def test_prune__other_writers_are_left_in_peace(tmp_path: Path) -> None:
    writer = filled(tmp_path, 5)
    with pytest.raises(FeatureMismatchError, match="being written by another process"):
        storage_in(tmp_path).prune(lambda entry: entry.content_hash == key(0), dry=False)
    assert_holds(writer, range(5))


def test_prune__torn_tail_and_removed_records_give_their_place_back(tmp_path: Path) -> None:
    storage = filled(tmp_path, 20)
    storage.remove(Tier.PATCHES, key(3))
    storage.write(Tier.PATCHES, key(4), content(4))
    reader = storage_in(tmp_path)
    assert_holds(reader, range(10, 20))
    before = sum(path.stat().st_size for path in tmp_path.glob("*.shard"))
    pruned = storage.prune(lambda _: True, dry=False)
    after = sum(path.stat().st_size for path in tmp_path.glob("*.shard"))
    assert pruned.freed_bytes == before - after > 0
    assert not storage_in(tmp_path).has(Tier.PATCHES, key(3))
    # A reader that had the old shards open finds the new ones.
    assert_holds(reader, range(10, 20))
    np.testing.assert_array_equal(storage.prune(lambda _: True, dry=False).freed_bytes, 0)


WRITER = """
import sys
from pathlib import Path
from models.feature_shards import ShardStorage
from models.feature_storage import Tier
from tests.models.test_feature_shards import SMALL, content, key
storage = ShardStorage(Path(sys.argv[1]), shard_bytes=SMALL)
number = int(sys.argv[2])
while True:
    storage.write(Tier.PATCHES, key(number), content(number))
    print(number, flush=True)
    number += 1
"""


def test_write__killed_writers_leave_whole_arrays_only(tmp_path: Path) -> None:
    told: set[int] = set()
    for start in (0, 10_000):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(start)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(random.Random(start).randint(15, 40)):
            told.add(int(writer.stdout.readline()))
        writer.kill()
        told |= {int(line) for line in writer.stdout.read().split("\n")[:-1]}
        writer.wait()
        writer.stdout.close()
    storage = storage_in(tmp_path)
    found = {int(entry.content_hash, 16) for entry in storage.entries()}
    assert told <= found, "what was reported is there"
    assert len(found - told) <= 2, "at most the one that was being reported"
    for number in found:
        assert storage.read(Tier.PATCHES, key(number)).tobytes() == content(number)
    storage.prune(lambda _: True, dry=False)
    assert {int(entry.content_hash, 16) for entry in storage_in(tmp_path).entries()} == found
