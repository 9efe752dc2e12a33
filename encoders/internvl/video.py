"""Which frames of a video the public text-to-video protocol looks at."""

from math import ceil


def frame_indices(length: int, count: int) -> list[int]:
    """At most `count` indices into `length` frames, ascending: the middles of equal intervals.

    The public script stops where an index lies past the end, or where the intervals run out before
    `count`; here the last frame is taken, or there are fewer. A video's vector is the unit mean of
    its frames' un-normalised vectors.
    """
    interval = ceil(length / count)
    return [min(start + interval // 2, length - 1) for start in range(0, length, interval)]
