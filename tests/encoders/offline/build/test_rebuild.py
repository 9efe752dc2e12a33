from pathlib import Path

import numpy as np
import pytest

from encoders.offline.build.__main__ import WORDNET, main
from encoders.offline.data import load_data
from tests.parts import require_part


@pytest.mark.long
def test_a_rebuilt_file_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not byte for byte: another processor rounds otherwise."""
    require_part(WORDNET.is_dir(), "WordNet 3.0 (apt-get install wordnet-base)")
    path = tmp_path / "rebuilt.safetensors"
    monkeypatch.setattr("sys.argv", ["build", "--output", str(path)])
    main()
    assert "SHA-256" in capsys.readouterr().out
    rebuilt, shipped = load_data(path), load_data()
    names = shipped.space.nodes
    ours = names @ rebuilt.space.nodes.T
    np.testing.assert_allclose(ours, names @ names.T, atol=1e-3)
    np.testing.assert_array_equal(rebuilt.space.membership, shipped.space.membership)
    np.testing.assert_array_equal(rebuilt.lexicon.concept, shipped.lexicon.concept)
