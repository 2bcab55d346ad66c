"""Text of others, made safe to show as Markdown."""

import re


def plain(text: str) -> str:
    """`text` as Markdown that shows it as it is: it may come from a link, a file or a name that somebody else made."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
