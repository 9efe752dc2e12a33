"""Tiny checkpoints with random weights, in the files and layout of the public ones."""

import json
from collections.abc import Callable
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BaseImageProcessor,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

WORDS = ("red", "green", "blue", "a", "photo", "of", "cat", "dog", "rouge", "katze", "犬", "海")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz▁")
SIZE = 32  # image side in pixels
BODY = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
TEXT = {**BODY, "vocab_size": 64, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
VISION = {**BODY, "image_size": SIZE, "patch_size": 8}


def siglip(folder: Path) -> None:
    """A fixed-resolution SigLIP (1 or 2: the same architecture), 64 tokens always."""
    text = {**TEXT, "max_position_embeddings": 64}
    config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
    _save(
        folder,
        transformers.SiglipModel,
        config,
        transformers.SiglipImageProcessorPil(size=_square(), resample=2),
    )
    _gemma_like_tokenizer().save_pretrained(folder)


def siglip1(folder: Path) -> None:
    """The first SigLIP's files: a bare sentencepiece model and no mask."""
    siglip(folder)
    (folder / "tokenizer.json").unlink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS)] * 50),
        model_prefix=str(folder / "spiece"),
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    names = {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "eos_token": "</s>"}
    settings = {**names, "model_max_length": 64, "model_input_names": ["input_ids"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def naflex(folder: Path) -> None:
    """SigLIP 2 with native aspect ratio: at most 16 patches of 8 x 8 pixels."""
    text = {**TEXT, "max_position_embeddings": 64}
    vision = {**BODY, "patch_size": 8, "num_patches": 16}
    config = transformers.Siglip2Config(text_config=text, vision_config=vision)
    images = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    _save(folder, transformers.Siglip2Model, config, images)
    _gemma_like_tokenizer().save_pretrained(folder)


def clip(folder: Path) -> None:
    """OpenAI's CLIP: the text's vector is read at its last token."""
    tokens = [
        "<|startoftext|>",
        "<|endoftext|>",
        *LETTERS,
        *(letter + "</w>" for letter in LETTERS),
    ]
    text = {**TEXT, "max_position_embeddings": 20, "eos_token_id": 1}
    config = transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=8)
    _save(folder, transformers.CLIPModel, config, _clip_images())
    vocab = {token: i for i, token in enumerate(tokens)}
    transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=20).save_pretrained(folder)


def chinese_clip(folder: Path) -> None:
    """Chinese-CLIP: a BERT text tower whose tokenizer is a bare vocab.txt, as on the hub."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    text = {**BODY, "vocab_size": len(tokens), "max_position_embeddings": 24}
    config = transformers.ChineseCLIPConfig(
        text_config=text, vision_config=VISION, projection_dim=8
    )
    images = transformers.ChineseCLIPImageProcessorPil(size=_square(), crop_size=_square())
    _save(folder, transformers.ChineseCLIPModel, config, images)
    (folder / "vocab.txt").write_text("\n".join(tokens), "utf-8")


def altclip(folder: Path) -> None:
    """AltCLIP: XLM-RoBERTa, whose positions start after the padding index."""
    text = {**TEXT, "max_position_embeddings": 26, "project_dim": 8}
    config = transformers.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=8)
    _save(folder, transformers.AltCLIPModel, config, _clip_images())
    _xlm_tokenizer().save_pretrained(folder)


def metaclip2(folder: Path) -> None:
    """MetaCLIP 2: CLIP's towers over XLM's tokenizer."""
    text = {**TEXT, "max_position_embeddings": 20}
    config = transformers.MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=8)
    _save(folder, transformers.MetaClip2Model, config, _clip_images())
    _xlm_tokenizer(model_max_length=20).save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "siglip": siglip,
    "siglip1": siglip1,
    "naflex": naflex,
    "clip": clip,
    "chinese_clip": chinese_clip,
    "altclip": altclip,
    "metaclip2": metaclip2,
}


def edit_json(path: Path, **changes: object) -> None:
    """Overwrite keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change a checkpoint's tensors in place."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    path.unlink()  # it is still mapped
    save_file(tensors, path, {"format": "pt"})


def _save(
    folder: Path,
    model_class: Callable[..., PreTrainedModel],
    config: PreTrainedConfig,
    images: BaseImageProcessor,
) -> None:
    torch.manual_seed(0)
    model = model_class(config)
    for parameter in model.parameters():  # fresh towers are nearly constant functions
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    images.save_pretrained(folder)


def _square() -> dict[str, int]:
    return {"height": SIZE, "width": SIZE}


def _clip_images() -> BaseImageProcessor:
    return transformers.CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=_square())


def _gemma_like_tokenizer() -> PreTrainedTokenizerBase:
    """Padded on the right and not lower-casing, as the public SigLIP 2 files are."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *WORDS, *LETTERS]
    backend = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        padding_side="right",
        model_max_length=64,
    )


def _xlm_tokenizer(**options: object) -> PreTrainedTokenizerBase:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS[:-1], *WORDS[-2:]]
    vocab = [(piece, -float(i)) for i, piece in enumerate(pieces)]
    return transformers.XLMRobertaTokenizer(vocab=vocab, **options)
