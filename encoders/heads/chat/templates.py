"""Format conversations as each InternVL-Chat family was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from encoders.errors import InvalidOption

Turn = tuple[str, str]
"""Who speaks, "user" or "assistant", and what they say."""

_INTERNVL = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, "
    "是一个有用无害的人工智能助手。"
)
_WANXIANG = (
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的"
    "多模态大语言模型。"
)


@dataclass(frozen=True)
class Template:
    """How turns are written. `stop` ends the model's answer; `system` is said if none is given."""

    system_start: str
    system: str
    system_end: str
    user: str
    user_end: str
    assistant: str
    assistant_end: str
    stop: str

    def prompt(self, turns: Sequence[Turn], system: str | None = None) -> str:
        """The text up to where the model's answer begins; the last turn is the user's."""
        said = self.system if system is None else system
        written = [f"{self.system_start}{said}{self.system_end}"]
        for role, text in turns:
            if role == "user":
                written.append(f"{self.user}{text}{self.user_end}")
            else:
                written.append(f"{self.assistant}{text}{self.assistant_end}")
        # Where a word follows a space, the tokenizer makes one token of both: the model writes it.
        return "".join([*written, self.assistant.rstrip(" ")])


def _chatml(system: str, end: str) -> Template:
    return Template(
        system_start="<|im_start|>system\n",
        system=system,
        system_end=end,
        user="<|im_start|>user\n",
        user_end=end,
        assistant="<|im_start|>assistant\n",
        assistant_end=end,
        stop="<|im_end|>",
    )


TEMPLATES = {
    "internvl_zh": Template(
        system_start="",
        system="",
        system_end=" ",
        user="<human>: ",
        user_end=" ",
        assistant="<bot>: ",
        assistant_end="</s>",
        stop="</s>",
    ),
    "Hermes-2": _chatml(_INTERNVL, "<|im_end|>"),
    "internlm2-chat": _chatml(_INTERNVL, "<|im_end|>"),
    "phi3-chat": Template(
        system_start="<|system|>\n",
        system=_INTERNVL,
        system_end="<|end|>",
        user="<|user|>\n",
        user_end="<|end|>",
        assistant="<|assistant|>\n",
        assistant_end="<|end|>",
        stop="<|end|>",
    ),
    "internvl2_5": _chatml(_WANXIANG, "<|im_end|>\n"),
}
"""By the name in a checkpoint's `config.json`."""


def require_template(name: str) -> Template:
    """The template called `name`; raises `InvalidOption` naming those there are."""
    if name not in TEMPLATES:
        raise InvalidOption(
            f"no conversation template is called {name!r} (there are {', '.join(TEMPLATES)}): "
            "serve this checkpoint with LMDeploy or vLLM and use the proxy engine"
        )
    return TEMPLATES[name]
