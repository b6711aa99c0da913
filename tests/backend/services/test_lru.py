from __future__ import annotations

from backend.services.lru import LruCache


def test_put__what_was_used_longest_ago_goes() -> None:
    cache: LruCache[str, bytes] = LruCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1234", None, b"1234")


def test_put__larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache: LruCache[str, bytes] = LruCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"x" * 11)
    assert cache.get("b") is None
    assert cache.get("a") == b"1234"
