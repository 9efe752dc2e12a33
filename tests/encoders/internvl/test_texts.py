"""Texts in batches of like length."""

from encoders.internvl.model import InternVL
from encoders.internvl.runner import Runner
from encoders.internvl.texts import TextSide
from encoders.internvl.tokenizer import Tokenizer
from tests.encoders.internvl.tiny import CPU, TINY


def test_a_batch_pads_to_its_own_longest_text(model: InternVL) -> None:
    shapes: list[tuple[int, ...]] = []
    words = model.decoder.model.embed_tokens
    assert words is not None
    hook = words.register_forward_hook(lambda _, inputs, __: shapes.append(inputs[0].shape))
    tokenizer = Tokenizer(TINY / "tokenizer.model")
    long, short = "a red panda on a wooden platform " * 2, "cat"
    TextSide(Runner(model, CPU, 2), tokenizer).encode([long, short, long + "!", short + "!"])
    hook.remove()
    assert shapes == [
        (2, len(tokenizer.encode(short + "!"))),
        (2, len(tokenizer.encode(long + "!"))),
    ]
