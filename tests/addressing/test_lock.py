"""The lock: read back as written, the same bytes for the same plan, refused when edited by hand."""

import datetime as dt
from ipaddress import IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaoling.addressing import Book, LockError, plan_city, prefix, read_lock, write_lock
from gaoling.addressing.book import Retired
from gaoling.city import read_city
from tests.addressing.samples import LAB, TODAY

BOOK = plan_city(read_city(LAB), today=TODAY).book


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    write_lock(tmp_path, BOOK)
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(LockError) as caught:
        read_lock(folder)
    return str(caught.value).replace(f"{folder}/", "")


def edit(folder: Path, name: str, line: int, new: str | None) -> str:
    """Replace a line (numbered from 1), or take it out; return what it was."""
    lines = (folder / name).read_text().splitlines(keepends=True)
    old = lines[line - 1]
    lines[line - 1 : line] = [] if new is None else [f"{new}\n"]
    (folder / name).write_text("".join(lines))
    return old.rstrip("\n")


def test_it_is_read_back_as_written(lock: Path):
    assert dict(read_lock(lock)) == dict(BOOK)


def test_the_same_plan_gives_the_same_bytes(lock: Path, tmp_path: Path):
    other = tmp_path / "other"
    write_lock(other, dict(BOOK))  # even from a plain mapping
    for path in lock.glob("3602*.txt"):
        assert path.read_bytes() == (other / path.name).read_bytes()
    assert write_lock(lock, BOOK) == []


def test_it_has_one_file_a_county(lock: Path):
    assert sorted(p.name for p in lock.glob("*.txt")) == [
        "360202.txt", "360203.txt", "360222.txt", "360281.txt", "city.txt", "cloud-dr.txt",
        "cloud-primary.txt", "cloud.txt", "index.txt", "top.txt",
    ]  # fmt: skip


def test_a_change_touches_the_files_of_its_county_only(lock: Path):
    city = read_city(LAB)
    town = city.site["360202202"].model_copy(update={"code": "360202900", "device": ""})
    grown = city.model_copy(update={"sites": (*city.sites, town)})
    assert write_lock(lock, plan_city(grown, read_lock(lock), TODAY).book) == [
        "360202.txt", "index.txt"
    ]  # fmt: skip


def test_an_edited_prefix_is_refused_with_its_line(lock: Path):
    lines = (lock / "top.txt").read_text().splitlines()
    edit(lock, "top.txt", 2, lines[1].replace("2001:db8:4000::", "2001:db8:5000::"))
    assert refused(lock) == (
        f"top.txt:2: found {lines[1].replace('4000', '5000')!r}, which differs from what was "
        "written (or the line before it is gone); the lock is never edited by hand: put the file "
        "back (git checkout)"
    )


@given(line=st.integers(1, 4), data=st.data())
def test_any_edited_character_is_refused_with_its_line(line, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lock")
    write_lock(folder, BOOK)
    old = (folder / "top.txt").read_text().splitlines()[line - 1]
    place = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.sampled_from("0123456789abcdef:/- ").filter(lambda c: c != old[place]))
    edit(folder, "top.txt", line, old[:place] + new + old[place + 1 :])
    assert refused(folder).startswith(f"top.txt:{line}: found ")


def test_a_line_taken_out_is_refused_where_it_was(lock: Path):
    edit(lock, "top.txt", 2, None)
    assert refused(lock).startswith("top.txt:2: found ")


def test_a_last_line_taken_out_is_refused_at_the_end(lock: Path):
    edit(lock, "top.txt", 4, None)
    assert refused(lock).startswith("top.txt:4: found the end of the file, which differs")


def test_a_line_put_in_is_refused(lock: Path):
    old = edit(lock, "top.txt", 1, "2001:db8:1000::/36 county - 00000000 360299")
    assert old.startswith("2001:db8:2000::/36 county")
    assert refused(lock).startswith("top.txt:1: found '2001:db8:1000::/36 county")


def test_a_file_that_is_gone_is_named(lock: Path):
    (lock / "city.txt").unlink()
    assert refused(lock).startswith("city.txt: found nothing, expected ")


def test_a_file_that_is_no_text_is_named(lock: Path):
    (lock / "city.txt").write_bytes(b"\xff\xfe\x00")
    assert refused(lock).startswith("city.txt: found no UTF-8 text")


def test_a_lock_of_a_newer_version_is_refused(lock: Path):
    edit(lock, "index.txt", 1, "gaoling address lock 2")
    assert refused(lock) == (
        "index.txt:1: found 'gaoling address lock 2', expected 'gaoling address lock 1'"
    )


def test_an_index_edited_by_hand_is_refused_with_its_line(lock: Path):
    edit(lock, "index.txt", 4, "../../etc/passwd")
    assert refused(lock) == ("index.txt:4: found '../../etc/passwd', expected hash, lines and file")


def test_retired_prefixes_and_acts_are_kept(tmp_path: Path):
    book = Book("city 0", prefix.parse("2001:db8::/32"))
    book.acts = ["2026-11-23 renumber all by engineer: why"]
    book.retired("360202").append(
        Retired(prefix.parse("2001:db8:4000::/44"), "site/360202001", dt.date(2026, 1, 2), True)
    )
    write_lock(tmp_path, book)
    found = read_lock(tmp_path)
    assert (found.profile, found.acts) == (book.profile, book.acts)
    assert list(found.all_retired()) == list(book.all_retired())
    assert len(found) == 0


@given(st.integers(0, (1 << 128) - 1), st.integers(0, 128))
def test_prefixes_are_written_and_read_as_the_standard_library_does(address: int, length: int):
    net = IPv6Network((address >> (128 - length) << (128 - length), length))
    packed = prefix.of(net)
    assert prefix.parse(prefix.text(packed)) == packed
    assert prefix.network(packed) == net
    assert IPv6Network(prefix.text(packed)) == net


def test_a_prefix_with_host_bits_is_refused():
    with pytest.raises(ValueError, match="'2001:db8::1/64' is no IPv6 prefix in its canonical"):
        prefix.parse("2001:db8::1/64")
