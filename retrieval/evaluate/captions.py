"""Caption cleaning of the public retrieval protocol."""

import re

MAX_WORDS = 50
PUNCTUATION = re.compile(r"[.!\"()*#:;~]")
SPACES = re.compile(r"\s{2,}")


def clean(caption: str) -> str:
    """Lower case, some punctuation to spaces, runs of spaces to one, cut after 50 words.

    As for the published numbers of Flickr30K and COCO, the Chinese versions included; not XTD's.
    """
    text = SPACES.sub(" ", PUNCTUATION.sub(" ", caption.lower()))
    return " ".join(text.rstrip("\n").strip(" ").split(" ")[:MAX_WORDS])
