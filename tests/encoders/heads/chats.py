"""Tiny chat checkpoints with tokenizers, for tests of whole conversations."""

import io
import json
import shutil
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

DATA = Path(__file__).parents[2] / "data" / "chat"
SPECIAL = ("<img>", "</img>", "<IMG_CONTEXT>", "<|im_start|>", "<|im_end|>")


def bytes_checkpoint(folder: Path) -> Path:
    """The tiny Qwen2 model with a tokenizer of single bytes."""
    shutil.copytree(DATA / "b_qwen2", folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def pieces_checkpoint(folder: Path) -> Path:
    """The tiny InternLM2 model with a SentencePiece vocabulary, as the public ones have."""
    shutil.copytree(DATA / "a_internlm2", folder)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["what is in this picture? a panda and a tree"] * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=285,
        byte_fallback=True,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    special = {str(285 + n): {"content": token} for n, token in enumerate(SPECIAL)}
    stated = {"tokenizer_class": "InternLM2Tokenizer", "added_tokens_decoder": special}
    stated["auto_map"] = {"AutoTokenizer": ["tokenization_internlm2.InternLM2Tokenizer", None]}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    return folder
