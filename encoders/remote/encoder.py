"""The encoder of another installation, behind the protocol of a local one."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.base import EncoderInfo, Pixels, RGBImage, Vectors, require_texts
from encoders.errors import EncoderMismatch, InvalidInput, ModelUnavailable, TowerNotLoaded
from encoders.registry import LoadOptions
from encoders.remote.preprocess import USES, RemotePreprocess

ROOM = 4096  # bytes of a request besides its inputs


class RemoteEncoder:
    """Asks `/v1/embeddings` of `url`; several calls at a time are welcome.

    Its info, fingerprint included, is that of the encoder there, so that collections made here and
    there are the same. Pictures travel without loss.
    """

    def __init__(self, url: str, options: LoadOptions) -> None:
        """Raises `EncoderUnavailable`, and `ModelUnavailable` where it is no such thing."""
        from encoders.remote.wire import Wire  # its client takes a while to import

        self._wire = Wire(url, options.key)
        about = self._wire.call("GET", "/v1/encoder")
        try:
            self.info = _info(about)
            self._side: int | None = about["side"]
            self._inputs, self._bytes = int(about["max_inputs"]), int(about["max_body_bytes"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailable(
                f"{url} describes its encoder in an unknown way: {error!r}"
            ) from error

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode_texts`."""
        require_texts(texts)
        self._require("text")
        return self._rows([{"text": text} for text in texts], normalize=True)

    @property
    def preprocess(self) -> RemotePreprocess:
        """See `Encoder.preprocess`."""
        self._require("image")
        return RemotePreprocess(self._side or 1)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """See `Encoder.encode_pixels`."""
        self._require("image")
        return self._rows((_picture(one) for one in pixels), normalize=normalize)

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """See `Encoder.encode_images`."""
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)

    def _rows(self, inputs: Iterable[dict[str, str]], *, normalize: bool) -> Vectors:
        parts = [self._asked(group, normalize=normalize) for group in self._groups(inputs)]
        return {
            name: np.concatenate([np.zeros((0, dim), np.float32), *(part[name] for part in parts)])
            for name, dim in self.info.vectors.items()
        }

    def _groups(self, inputs: Iterable[dict[str, str]]) -> Iterator[list[str]]:
        """Inputs as JSON, as many together as one request takes."""
        group: list[str] = []
        size = 0
        for one in map(json.dumps, inputs):
            if len(one) > self._bytes - ROOM:
                raise InvalidInput(f"{self._wire.url} accepts no more than {self._bytes:,} bytes")
            if group and (len(group) == self._inputs or size + len(one) > self._bytes - ROOM):
                yield group
                group, size = [], 0
            group.append(one)
            size += len(one) + 2
        if group:
            yield group

    def _asked(self, group: Sequence[str], *, normalize: bool) -> Vectors:
        """Raises `EncoderMismatch` where there is another encoder by now."""
        names = list(self.info.vectors)
        options = {"vectors": names, "normalize": normalize, "encoding_format": "base64"}
        body = f'{json.dumps(options)[:-1]}, "input": [{", ".join(group)}]}}'
        answer = self._wire.call("POST", "/v1/embeddings", body.encode())
        if answer.get("fingerprint") != self.info.fingerprint:
            raise EncoderMismatch(
                f"{self._wire.url} has another encoder than before: start this process again"
            )
        return {name: _decoded(answer["data"], name) for name in names}

    def _require(self, tower: str) -> None:
        if tower not in self.info.modalities:
            raise TowerNotLoaded(self.info.name, tower)


def _info(about: dict[str, Any]) -> EncoderInfo:
    return EncoderInfo(
        name=str(about["name"]),
        description=str(about["description"]),
        vectors={str(name): int(dim) for name, dim in about["vectors"].items()},
        modalities=frozenset(about["modalities"]),
        fingerprint=dict(about["fingerprint"]),
        match_threshold=about["match_threshold"],
        batch_size=int(about["batch_size"]),
        needs_prompts=bool(about["needs_prompts"]),
    )


def _picture(pixels: Pixels) -> dict[str, str]:
    data = pixels.tobytes()
    return {"image": base64.b64encode(data[1:]).decode(), "use": USES[data[0]]}


def _decoded(data: Sequence[dict[str, Any]], name: str) -> NDArray[np.float32]:
    rows = [np.frombuffer(base64.b64decode(one["vectors"][name]), "<f4") for one in data]
    return np.stack(rows).astype(np.float32)
