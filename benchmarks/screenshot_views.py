"""Every view of the page that screenshots are taken of: how it is reached, in which session, at which size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks import screenshot_acts as acts
from benchmarks import screenshot_troubles as troubles
from benchmarks.screenshot_acts import MANY_POINTS, REGIONS, TORN, UNANSWERED

Size = tuple[int, int]
"""Width and height of the page, pixels."""
DESKTOP: Size = (1440, 900)
LAPTOP: Size = (1280, 720)
SMALL: Size = (1024, 640)
PHONE: Size = (390, 844)


@dataclass(frozen=True)
class View:
    """One picture, in each theme."""

    name: str
    session: str = "tissue"
    act: acts.Act = acts.nothing
    """What is done once the page is there."""
    before: acts.Act = acts.nothing
    """What is done before the page is opened."""
    address: str = f"#/image/{MANY_POINTS}"
    """Below that of the session; from the root where it begins with /."""
    size: Size = DESKTOP
    hints: bool = False
    """Whether the hints for newcomers are shown."""
    waits_for: str = "image-canvas"
    """Test id of what must be there before anything is done; empty: nothing."""
    whole: bool = False
    """Whether all of the page is taken, as far as it scrolls."""


IMAGE = f"#/image/{UNANSWERED}"
SEGMENTATION_VIEWS = (
    View("segmentation_certainty"),
    View("segmentation_confidence", act=acts.confidence),
    View("segmentation_classes", act=acts.style("classes")),
    View("segmentation_doubt", act=acts.style("uncertainty")),
    View("segmentation_outline", act=acts.style("contour")),
    View("segmentation_regions", address=f"#/image/{REGIONS}", act=lambda shown: shown.hover(0.5, 0.97)),
    View("segmentation_zoomed", act=acts.zoomed),
    View("segmentation_overlay_hidden", act=acts.keys("h")),
    View("tool_brush", address=f"#/image/{REGIONS}", act=acts.brush),
    View("tool_eraser", address=f"#/image/{REGIONS}", act=acts.keys("r")),
    View("tool_polygon", address=IMAGE, act=acts.polygon),
    View("tool_box", address=IMAGE, act=acts.box),
    View("tool_select", address=f"#/image/{REGIONS}", act=acts.select),
    View("tool_hand", address=IMAGE, act=acts.keys("p")),
    View("tool_predicted_region", act=acts.correct),
    View("picture_panel", act=acts.keys("a")),
    View("first_visit", "sections", address="#/image/1", hints=True, act=acts.hinted),
    View("jump_box", act=acts.jump),
    View("comment_box", address=f"#/image/{TORN}", act=acts.comment),
    View("jump_box_nothing", act=acts.typed("/", "nowhere")),
    View("export_menu", act=lambda shown: shown.click("export")),
    View("training_running", "sections", address="#/image/1", before=troubles.running),
    View("training_failed", before=troubles.failed_run),
)
WHOLE_IMAGE_VIEWS = (
    View("classification", "textures", address="#/image/44"),
    View("classification_labelled", "textures", address="#/image/5"),
    View("classification_undetermined", "textures", address="#/image/40"),
    View("classification_palette", "textures", address="#/image/44", act=acts.palette),
    View("classification_hint", "textures", address="#/image/44", hints=True),
    View("multilabel", "scenes", address="#/image/12"),
    View("multilabel_answered", "scenes", address="#/image/2"),
    View("all_done", "archive", address="#/image/3"),
)
GALLERY_VIEWS = (
    View("gallery_segmentation", address="#/gallery", waits_for="gallery-item-1"),
    View("gallery_classification", "textures", address="#/gallery?sort=confidence", waits_for="gallery-grid"),
    View("gallery_filter", "textures", address="#/gallery?class=2&as=predicted&min=60", waits_for="gallery-grid"),
    View(
        "gallery_selection", "textures", address="#/gallery", waits_for="gallery-item-46", act=acts.select_tiles(40, 46)
    ),
    View("gallery_multilabel", "scenes", address="#/gallery", waits_for="gallery-item-1"),
    View("gallery_failed_image", "scenes", address="#/gallery?status=failed", waits_for="gallery-item-25"),
    View("gallery_not_listed", "textures", address="#/gallery", before=troubles.nothing_listed, waits_for="gallery"),
    View("gallery_nothing_fits", "textures", address="#/gallery?q=nowhere", waits_for="gallery"),
    View("filter_in_force", "textures", address="#/image/2?status=reviewed&class=2"),
)
DIALOG_VIEWS = (
    View("keys", act=acts.dialog("?")),
    View("keys_nothing_found", act=acts.typed("?", "nowhere")),
    View("keys_conflict", act=acts.key_clash),
    View("quality_segmentation", act=acts.dialog("q")),
    View("quality_classification", "textures", address="#/image/44", act=acts.dialog("q")),
    View("quality_nothing_yet", "sections", address="#/image/1", act=acts.dialog("q")),
    View("checkpoints", "textures", address="#/image/44", act=acts.dialog("c")),
    View("checkpoints_comparison", "textures", address="#/image/44", act=acts.comparison),
    View("checkpoints_inspection", "textures", address="#/image/44", act=acts.inspection),
    View("checkpoints_prune", "textures", address="#/image/44", act=acts.dialog("c", "prune-checkpoints")),
    View("checkpoints_none", "sections", address="#/image/1", act=acts.dialog("c")),
    View("progress", act=acts.dialog("i")),
    View("progress_extraction", before=troubles.extracting, act=acts.dialog("i")),
    View("progress_classification", "textures", address="#/image/44", act=acts.dialog("i")),
    View("classes", act=acts.dialog("l")),
    View("classes_tree", "scenes", address="#/image/12", act=acts.dialog("l")),
    View("classes_colour", "scenes", address="#/image/12", act=acts.class_panel("color", 4)),
    View("classes_merge", "scenes", address="#/image/12", act=acts.class_panel("merge-class", 3)),
    View("classes_remove", "textures", address="#/image/44", act=acts.class_panel("remove-class", 2)),
)
STATE_VIEWS = (
    View("start", address="/#/start", waits_for="session-card", size=(1440, 1200)),
    View("other_task", address="/s/tissue/classification", waits_for=""),
    View("no_such_page", address="/nothing/here", waits_for=""),
    View("cannot_start", before=troubles.no_server, waits_for=""),
    View("loading", address=IMAGE, before=troubles.loading, waits_for=""),
    View("image_unreadable", "scenes", address="#/image/25", waits_for=""),
    View("features_pending", address=IMAGE, before=troubles.pending),
    View(
        "no_features", address=IMAGE, before=troubles.health("extraction", state="failed", message=troubles.NO_WEIGHTS)
    ),
    View("page_outdated", address=IMAGE, act=troubles.other_version),
    View("ml_service_gone", address=IMAGE, before=troubles.health("ml_service", alive=False, heartbeat_age_s=90)),
    View("ml_service_starting", address=IMAGE, before=troubles.health("ml_service", alive=False, starting=True)),
    View("offline", address=IMAGE, act=troubles.offline),
    View("server_cannot_save", address=IMAGE, act=troubles.full_disk),
    View("refused", address=IMAGE, act=troubles.refused),
    View("conflict", address=IMAGE, before=troubles.silent_events, act=troubles.conflict),
    View("error_message", act=troubles.error),
)
README_VIEWS = (
    View("segmentation", "sections", address="#/image/2"),
    View("gallery", "textures", address="#/gallery", waits_for="gallery-item-46", act=acts.select_tiles(41, 46)),
)
SIZES = {"laptop": LAPTOP, "small": SMALL, "phone": PHONE}
AT_EACH_SIZE = (
    View("segmentation"),
    View("regions_brush", address=f"#/image/{REGIONS}", act=acts.brush),
    View("classification", "textures", address="#/image/44"),
    View("multilabel", "scenes", address="#/image/12"),
    View("gallery", "textures", address="#/gallery", waits_for="gallery-grid"),
    View("gallery_selection", "textures", address="#/gallery", waits_for="gallery-item-1", act=acts.select_tiles(2, 4)),
    View("start", address="/#/start", waits_for="session-card"),
    View("keys", act=acts.dialog("?")),
    View("quality", "textures", address="#/image/44", act=acts.dialog("q")),
    View("checkpoints", "textures", address="#/image/44", act=acts.dialog("c")),
    View("progress", act=acts.dialog("i")),
    View("classes_tree", "scenes", address="#/image/12", act=acts.dialog("l")),
    View("picture_panel", act=acts.keys("a")),
    View("offline", address=IMAGE, act=troubles.offline),
)


def every_view() -> list[View]:
    """All views, then those that are taken at other sizes as well."""
    views = [*SEGMENTATION_VIEWS, *WHOLE_IMAGE_VIEWS, *GALLERY_VIEWS, *DIALOG_VIEWS, *STATE_VIEWS]
    for name, size in SIZES.items():
        for view in AT_EACH_SIZE:
            whole = size is PHONE and view.act is acts.nothing and view.waits_for == "image-canvas"
            views.append(replace(view, name=f"{name}_{view.name}", size=size, whole=whole))
    return views
