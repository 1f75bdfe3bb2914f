"""The viewer on the map nodes, in both renderers of the newest frontend: every gesture, once."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lens_page import LensPage, classes_run, methods_run, prompts_run, steps_run
from page_console import VIEWPORT
from PIL import Image


@pytest.fixture
def lens(booted: Any) -> Iterator[LensPage]:
    page = LensPage(booted.page, booted.harness, booted.vue_nodes)
    page.page.console.complaints.clear()
    page.page.mouse.move(5, 5)
    page.page.set_viewport_size({**VIEWPORT, "height": 1000})  # a node with all its widgets, and the viewer below them
    yield page
    page.page.set_viewport_size(VIEWPORT)
    assert page.page.console.complaints == []


@pytest.fixture
def cat(lens: LensPage) -> LensPage:
    lens.start_lens(prompts_run())
    return lens


# ---- words


def test_a_word_under_the_pointer_shows_its_own_map(cat: LensPage) -> None:
    prompt = cat.pixels()
    cat.chip("dog").hover()
    cat.settle()
    dog = cat.pixels()
    assert dog["sum"] != prompt["sum"]
    assert cat.said() == "dog · relevancy 0.40"
    # The third word with a map: its hot patch is number 8 + 9 * 4 of 7 x 7.
    assert dog["at"] == pytest.approx([2.5 / 7, 6.5 / 7], abs=0.05)
    cat.page.mouse.move(5, 5)
    cat.settle()
    assert cat.pixels()["sum"] == prompt["sum"]


def test_a_word_without_a_map_shows_its_prompts_and_says_so(cat: LensPage) -> None:
    cat.chip("grass").hover()
    cat.settle()
    assert "no map of its own" in cat.said()
    word = cat.pixels()
    cat.chip("a red dog on the grass").hover()
    cat.settle()
    assert cat.pixels()["sum"] == word["sum"]


def test_words_are_tinted_by_their_relevancy(cat: LensPage) -> None:
    tints = (
        cat.viewer.locator(".cxl-row")
        .nth(1)
        .locator(".cxl-word")
        .evaluate_all("chips => chips.map(chip => parseInt(chip.style.getPropertyValue('--cxl-tint')))")
    )
    assert tints == sorted(tints)
    assert tints[0] == 0 < tints[-1]


def test_pinned_words_are_drawn_in_colours_of_their_own(cat: LensPage) -> None:
    for word in ("cat", "dog"):
        cat.chip(word).click()
    assert cat.said() == "dog pinned"
    cat.page.mouse.move(5, 5)
    cat.settle()
    colours = [cat.chip(word).evaluate("chip => chip.style.getPropertyValue('--cxl-pin')") for word in ("cat", "dog")]
    assert len(set(colours)) == 2
    seen = cat.page.evaluate(
        """([points]) => points.map(([x, y]) => {
          const canvas = document.querySelector('.cxl-root .cxl-heat');
          const [r, g, b] = canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data;
          return '#' + [r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('');
        })""",
        [[[5.5 / 7, 3.5 / 7], [2.5 / 7, 6.5 / 7]]],
    )
    for found, wanted in zip(seen, colours, strict=True):  # premultiplied on the way: off by a level or two
        parts = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in (found, wanted)]
        assert np.abs(np.subtract(*parts)).max() <= 4
    cat.viewer.locator(".cxl-surface").focus()
    cat.press("Escape")
    assert cat.chip("cat").get_attribute("aria-pressed") == "false"


# ---- a place


def test_pointing_gives_the_value_of_every_prompt_and_word(cat: LensPage) -> None:
    cat.page.mouse.move(*cat.at_picture((2.5 / 7, 6.5 / 7)))
    cat.settle()
    assert cat.chip("dog").locator(".cxl-value").inner_text() == "1.00"
    assert cat.chip("cat").locator(".cxl-value").inner_text() == "0.00"
    assert cat.viewer.locator(".cxl-where").inner_text() == "x 68, y 118"


def test_double_click_ranks_the_words_there(cat: LensPage) -> None:
    cat.chip("dog").click()
    cat.page.mouse.dblclick(*cat.at_picture((2.5 / 7, 6.5 / 7)))
    cat.settle()
    listed = cat.viewer.locator(".cxl-ranking li").all_inner_texts()
    assert [entry.split("\n")[0] for entry in listed] == ["dog", "red"]
    assert re.match(r"At this place: dog (0\.99|1\.00), red 0\.0", cat.said())
    cat.press("Escape")
    assert cat.viewer.locator(".cxl-ranked").is_hidden()


# ---- looks


def test_looks_change_without_a_run(cat: LensPage) -> None:
    queued, sums = len(cat.harness.queued), [cat.pixels()["sum"]]
    for control, value in (("opacity", "0.9"), ("threshold", "0.6")):
        cat.part(control).fill(value)
        cat.settle()
        sums.append(cat.pixels()["sum"])
    for control, value in (("colormap", "viridis"), ("mode", "outline"), ("mode", "masked")):
        cat.part(control).select_option(value)
        cat.settle()
        sums.append(cat.pixels()["sum"])
    assert len(set(sums)) == len(sums)
    assert len(cat.harness.queued) == queued
    opaque = cat.pixels()["opaque"]
    assert 0.8 < opaque < 1  # all that lies outside the mask is dark


def test_side_by_side_has_a_wipe_to_drag(cat: LensPage) -> None:
    cat.part("mode").select_option("wipe")
    cat.settle()
    mouse = cat.page.mouse
    mouse.move(*cat.at_picture((0.5, 0.5)))
    mouse.down()
    mouse.move(*cat.at_picture((0.25, 0.5)), steps=4)
    mouse.up()
    cat.settle()
    clip = cat.viewer.locator(".cxl-heat").evaluate("canvas => canvas.style.clipPath")
    assert float(clip.split("%")[0].split()[-1]) == pytest.approx(25, abs=2)


def test_use_writes_the_threshold_into_the_node_as_one_step(cat: LensPage) -> None:
    cat.part("threshold").fill("0.45")
    cat.part("use").click()
    read = "node.widgets.find((each) => each.name === 'threshold').value"
    assert cat.graph(read) == 0.45
    cat.viewer.locator(".cxl-surface").focus()
    cat.page.keyboard.press("Control+z")
    cat.page.wait_for_function(
        "() => app.canvas.graph.getNodeById(1)?.widgets.find((each) => each.name === 'threshold').value === 0.2"
    )
    cat.page.wait_for_function("() => !!document.querySelector('.cxl-stage')?.offsetParent")
    assert cat.page.locator(".cxl-root:visible").count() == 1
    cat.chip("dog").hover()
    cat.settle()
    assert cat.pixels()["at"] == pytest.approx([2.5 / 7, 6.5 / 7], abs=0.05)


# ---- zoom


def test_wheel_zooms_about_the_pointer_and_drag_pans(cat: LensPage) -> None:
    page, graph_scale = cat.page, "app.canvas.ds.scale"
    page.mouse.move(*cat.at_picture((0.5, 0.5)))
    page.mouse.wheel(0, -300)
    cat.settle()
    zoomed = cat.transform()
    assert "scale(1)" not in zoomed
    assert cat.graph(graph_scale) == 1
    page.mouse.down()
    page.mouse.move(*cat.at_picture((0.6, 0.55)), steps=4)
    page.mouse.up()
    cat.settle()
    assert cat.transform() != zoomed
    assert cat.graph("[...node.pos]") == [330, 40]
    cat.press("0")
    assert "scale(1)" in cat.transform()
    page.mouse.wheel(0, 100)  # nothing left to zoom out: it is the graph's
    page.wait_for_function("() => app.canvas.ds.scale < 1")


def test_touch_points_and_two_fingers_zoom(cat: LensPage) -> None:
    x, y = cat.at_picture((2.5 / 7, 6.5 / 7))
    cat.page.touchscreen.tap(x, y)
    cat.settle()
    assert cat.chip("dog").locator(".cxl-value").inner_text() == "1.00"
    cx, cy = cat.at_picture((0.5, 0.5))
    session = cat.page.context.new_cdp_session(cat.page)
    for kind, gap in (("touchStart", 20), ("touchMove", 35), ("touchMove", 50), ("touchEnd", 0)):
        points = [{"x": cx + side * gap, "y": cy, "id": n} for n, side in enumerate((-1, 1))] if gap else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.detach()
    cat.settle()
    assert "scale(1)" not in cat.transform()


def test_full_view_covers_the_page_with_finer_heat_and_closes(lens: LensPage) -> None:
    lens.start_lens(prompts_run())
    lens.part("full").click()
    lens.settle()
    box = lens.viewer.bounding_box()
    assert box is not None
    assert {"width": box["width"], "height": box["height"]} == lens.page.viewport_size
    lens.press("Escape")
    box = lens.viewer.bounding_box()
    assert box is not None
    assert box["width"] < 500


# ---- saving


def test_saved_heat_is_16_bit_and_the_view_is_the_picture_with_it(cat: LensPage) -> None:
    with cat.page.expect_download() as heat:
        cat.viewer.locator('button[aria-label^="Save the heat"]').click()
    grey = Image.open(io.BytesIO(heat.value.path().read_bytes()))
    values = np.asarray(grey)
    assert grey.mode.startswith("I")
    assert grey.size == (192, 128)
    assert values.max() > 60_000 > values.min() == 0
    assert len(np.unique(values)) > 256
    with cat.page.expect_download() as view:
        cat.viewer.locator('button[aria-label^="Save this view"]').click()
    picture = Image.open(io.BytesIO(view.value.path().read_bytes()))
    assert picture.size == (192, 128)
    assert view.value.suggested_filename == "heat_a-photo-of-a-cat_1.png"


# ---- batch


def test_sixty_four_images(lens: LensPage) -> None:
    run = prompts_run(64)
    assert len(run.pictures) == len(run.sheets) == 64
    lens.start_lens(run)
    assert lens.viewer.locator(".cxl-thumb").count() == 64
    first = lens.pixels()
    lens.part("image 63").click()
    lens.page.wait_for_function("() => document.querySelector('.cxl-picture').complete")
    lens.page.wait_for_timeout(100)
    lens.settle(6)
    assert lens.said() == "Image 64 of 64"
    assert lens.pixels()["sum"] != first["sum"]
    for _ in range(6):
        lens.press("[")
    lens.page.wait_for_timeout(200)
    assert lens.said() == "Image 58 of 64"
    assert lens.pixels()["opaque"] > 0


# ---- keyboard


def test_everything_is_reached_by_keyboard_and_said(cat: LensPage) -> None:
    cat.viewer.locator(".cxl-surface").focus()
    cat.press("ArrowRight", "Shift+ArrowDown")
    assert cat.viewer.locator(".cxl-where").inner_text() == "x 99, y 76"
    assert cat.said().startswith("a photo of a cat 0.")
    cat.press("Enter")
    assert cat.said().startswith("At this place: cat")
    cat.press("+")
    assert "scale(1.25)" in cat.transform()
    cat.chip("a red dog on the grass").focus()
    cat.press("ArrowRight", "ArrowRight", "ArrowRight")
    assert cat.said() == "dog · relevancy 0.40"
    cat.press("Enter")
    assert cat.chip("dog").get_attribute("aria-pressed") == "true"
    cat.press("Delete")
    assert cat.node_count() == 1
    names = cat.viewer.locator("button, select, input").evaluate_all(
        "all => all.map(each => each.getAttribute('aria-label') || each.textContent)"
    )
    assert all(name.strip() for name in names)
    assert cat.viewer.locator(".cxl-status").get_attribute("aria-live") == "polite"


# ---- the other nodes


def test_methods_share_zoom_and_pointer(lens: LensPage) -> None:
    lens.start_lens(methods_run(), "CompareMethods")
    assert lens.viewer.locator(".cxl-pane").count() == 2
    lens.page.mouse.move(*lens.at_picture((0.5, 0.5), pane=1))
    lens.page.mouse.wheel(0, -200)
    lens.settle()
    assert lens.transform(0) == lens.transform(1) != ""
    assert lens.viewer.locator(".cxl-cross:visible").count() == 2
    labels = lens.viewer.locator(".cxl-pane-label").all_inner_texts()
    assert [label.split(" · ")[0] for label in labels] == ["relevancy", "surgery"]
    assert all(len(label.split(" · ")) == 3 for label in labels)  # name, time, heat at the pointer


def test_classes_of_each_image_with_their_maps(lens: LensPage) -> None:
    lens.start_lens(classes_run(), "PromptEnsembleClassifier", pos=[330, -220])
    names = lens.viewer.locator(".cxl-name")
    assert names.all_inner_texts() == ["cat", "dog", "guitar"]
    winner = lens.pixels()
    lens.chip("dog").hover()
    lens.settle()
    assert lens.pixels()["sum"] != winner["sum"]
    lens.part("image 1").click()
    lens.page.wait_for_timeout(100)
    lens.settle(4)
    assert names.all_inner_texts() == ["guitar", "dog", "cat"]


def test_steps_of_a_guided_run(lens: LensPage) -> None:
    lens.start_lens(steps_run(), "GuidanceReport")
    first = lens.viewer.locator(".cxl-picture").get_attribute("src")
    lens.part("steps").fill("4")
    lens.settle(4)
    assert lens.said() == "Step 5, guided call 5 of 5"
    assert lens.viewer.locator(".cxl-picture").get_attribute("src") != first
    assert lens.viewer.locator(".cxl-box-label").inner_text() == "dog 0.80"
    assert lens.chip("red").locator(".cxl-value").inner_text() == "0.80"
    assert "total" in lens.viewer.locator(".cxl-losses").inner_text()


# ---- the graph around it


STEPS = "() => app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"


def test_nothing_is_saved_but_the_name_of_a_file(cat: LensPage) -> None:
    saved = cat.graph("node.serialize()")
    assert saved["properties"]["clip_lens"].endswith(".json")
    assert len(saved["widgets_values"]) == cat.graph("node.widgets.filter((each) => each.serialize !== false).length")
    assert "clip_lens" not in cat.queue()
    let_go = "() => window.dispatchEvent(new MouseEvent('mouseup'))"  # the graph takes its steps then
    cat.page.evaluate(let_go)
    cat.page.wait_for_timeout(100)
    steps = cat.page.evaluate(STEPS)
    cat.ran(prompts_run(2))
    cat.page.evaluate(let_go)
    cat.page.wait_for_timeout(100)
    assert (
        cat.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length") == steps
    )


def test_a_workflow_of_0_1_0_opens_as_it_was(lens: LensPage) -> None:
    old = ["a cat", "surgery", 2, "logit", "tile", 0.33, "magma", 0.7, "one per prompt", True, True]
    lens.start_lens(None, widgets_values=old)
    assert lens.graph("node.serialize().widgets_values")[: len(old)] == old
    assert lens.graph("node.serialize().widgets_values")[len(old) :] == ["auto"]
    assert "Run the workflow" in lens.said()


def test_a_reopened_workflow_shows_the_last_run_or_says_that_it_is_gone(lens: LensPage) -> None:
    name = lens.publish(prompts_run())["clip_lens"][0]["filename"]
    lens.start_lens(None, properties={"clip_lens": name})
    lens.page.wait_for_function("() => !!document.querySelector('.cxl-stage')?.offsetParent")
    lens.page.console.complaints.clear()
    lens.start_lens(None, properties={"clip_lens": "swept-away.json"})
    lens.page.wait_for_function("() => document.querySelector('.cxl-status').textContent.includes('no longer')")
    lens.page.console.complaints.clear()  # the browser's own line about the missing file


WIDER = "width => document.querySelector('.cxl-surface').getBoundingClientRect().width > width + 100"


def test_it_fills_the_node_and_its_own_picture_takes_the_static_ones_place(cat: LensPage) -> None:
    output = cat.publish(prompts_run())
    cat.harness.executed("1", {**output, "images": [{"filename": "wide.png", "subfolder": "", "type": "temp"}]})
    cat.page.wait_for_timeout(300)
    assert cat.page.locator("img[src*='wide.png']:visible").count() == 0
    assert not cat.graph("(node.widgets ?? []).some((each) => each.name?.startsWith('$$'))")
    before = cat.viewer.locator(".cxl-surface").bounding_box()
    cat.graph("node.setSize([620, 980])")
    cat.page.wait_for_function(
        "width => document.querySelector('.cxl-surface').getBoundingClientRect().width > width + 100",
        arg=before["width"],
    )
    after = cat.viewer.locator(".cxl-surface").bounding_box()
    assert after is not None
    assert after["height"] > before["height"] + 50


INTO_SUBGRAPH = """() => {
  app.canvas.graph.convertToSubgraph(new Set([app.canvas.graph.getNodeById(1)]));
  const outer = app.graph.nodes.find((each) => each.subgraph);
  app.canvas.openSubgraph(outer.subgraph, outer);
  return [outer.id, outer.subgraph.nodes[0].id];
}"""


def test_inside_a_subgraph(lens: LensPage) -> None:
    lens.start_lens(None)
    path = lens.page.evaluate(INTO_SUBGRAPH)
    lens.page.wait_for_function("() => !!document.querySelector('.cxl-root')?.offsetParent")
    lens.ran(prompts_run(), ":".join(map(str, path)))
    lens.chip("dog").hover()
    lens.settle()
    assert lens.said() == "dog · relevancy 0.40"


MARKUP = '<img src=x onerror="window.__hacked = true">'


def test_a_label_with_markup_is_text(lens: LensPage) -> None:
    lens.start_lens(prompts_run(1, (MARKUP,), ((MARKUP, "cat"),), ((0, 1),)))
    lens.viewer.locator(".cxl-word").first.click()
    lens.page.mouse.dblclick(*lens.at_picture((0.5, 0.5)))
    lens.settle(4)
    assert MARKUP in lens.viewer.locator(".cxl-name").all_inner_texts()
    assert MARKUP in lens.viewer.locator(".cxl-ranking").inner_text()
    assert lens.page.evaluate(
        "() => window.__hacked === undefined && document.querySelectorAll('.cxl-root img[src=x]').length === 0"
    )
