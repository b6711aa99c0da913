from benchmarks.client import parse_events


def test_parse_events__names_data_comments_and_several_data_lines() -> None:
    lines = [
        ": ping",
        "",
        "id: 4",
        "event: prediction",
        'data: {"image_id": 3,',
        'data: "annotation_revision": 2}',
        "",
        'data: {"a": 1}',
        "",
    ]
    assert list(parse_events(iter(lines))) == [
        ("prediction", {"image_id": 3, "annotation_revision": 2}),
        ("message", {"a": 1}),
    ]
