"""Pages that need no script: what an address leads to that is not the labelling page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from backend.schemas.session import SessionLink
from db.tasks import Task

TASK_TITLES = {"segmentation": "Segmentation", "classification": "Classification", "multilabel": "Multi-label"}
TASK_NOTES = {
    "segmentation": "points and regions in images",
    "classification": "one class for each image",
    "multilabel": "any number of classes for each image",
}
# The colours are those of frontend/src/styles/tokens.css, which these pages cannot count on.
SHELL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · Fewclick</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="icon" href="{home}favicon.svg" type="image/svg+xml">
<style>
:root {{ color-scheme: light dark; --page: light-dark(#f3f4f6, #0e1013); --panel: light-dark(#fff, #16191d);
  --line: light-dark(#e0e3e8, #272c33); --text: light-dark(#15181c, #eceef1); --muted: light-dark(#4d5661, #a9b1bc);
  --accent: light-dark(#3554d1, #8ea6ff); --hover: light-dark(#f0f2f6, #232830); }}
* {{ box-sizing: border-box; }}
body {{ min-height: 100vh; margin: 0; display: grid; place-items: center; padding: 24px; background: var(--page);
  color: var(--text); font: 15px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
main {{ width: min(560px, 100%); padding: 32px; border: 1px solid var(--line); border-radius: 12px;
  background: var(--panel); }}
h1 {{ margin: 0 0 8px; font-size: 20px; line-height: 1.3; text-wrap: balance; }}
p {{ margin: 8px 0; color: var(--muted); }}
main > :last-child {{ margin-bottom: 0; }}
code {{ padding: 1px 5px; border-radius: 5px; background: var(--hover); color: var(--text); font-size: 13px;
  overflow-wrap: anywhere; box-decoration-break: clone; -webkit-box-decoration-break: clone; }}
ul {{ margin: 16px 0; padding: 0; list-style: none; border: 1px solid var(--line); border-radius: 8px; }}
li + li {{ border-top: 1px solid var(--line); }}
li a {{ display: flex; justify-content: space-between; gap: 16px; padding: 10px 14px; color: var(--text);
  font-weight: 500; text-decoration: none; }}
li a:hover {{ background: var(--hover); }}
li span {{ color: var(--muted); font-weight: 400; }}
a {{ color: var(--accent); }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 8px; }}
</style></head>
<body><main>{body}</main></body></html>
"""
Link = tuple[str, str, str]
"""Address, name, note."""


def not_found_page(path: str, links: Sequence[Link]) -> str:
    """Nothing is there, and where something is."""
    body = (
        "<h1>There is no session at this address</h1>"
        f"<p>Nothing is served at <code>{escape(path)}</code>. This server offers:</p>{_list(links)}"
        '<p><a href="/#/start">All sessions</a></p>'
        "<p>A session of another folder is served by <code>fewclick up --session FOLDER</code>; give "
        "<code>--session</code> several times to serve several on one port.</p>"
    )
    return SHELL.format(title="Not here", home="/", body=body)


def other_task_page(asked: Task, task: Task, name: str, others: Sequence[SessionLink], home: str) -> str:
    """The session has another task, and what to do."""
    title, wanted = _title(task), _title(asked)
    links = [(home, f"Go on with {name}", title), *((link.url, link.name, wanted) for link in others)]
    body = (
        f"<h1>This session is for {title.lower()}, not {wanted.lower()}</h1>"
        f"<p><strong>{escape(name)}</strong>: {TASK_NOTES.get(task.name, escape(task.name))}. A session keeps its "
        f"task, so that no label is lost or taken for something else.</p>{_list(links)}"
        f"<p>For {wanted.lower()} ({TASK_NOTES.get(asked.name, escape(asked.name))}) make a session of its own from "
        f"the same images: write <code>task: {escape(asked.name)}</code> into a copy of the YAML file, with another "
        "<code>session_dir</code>, then <code>fewclick up --config FILE</code>.</p>"
        f'<p><a href="{escape(home)}#/start">All sessions</a></p>'
    )
    return SHELL.format(title=f"{title} session", home=escape(home), body=body)


def _title(task: Task) -> str:
    return TASK_TITLES.get(task.name, escape(task.name))


def _list(links: Sequence[Link]) -> str:
    items = (
        f'<li><a href="{escape(url)}">{escape(name)}</a></li>'
        if not note
        else f'<li><a href="{escape(url)}">{escape(name)}<span>{escape(note)}</span></a></li>'
        for url, name, note in links
    )
    return f"<ul>{''.join(items)}</ul>"
