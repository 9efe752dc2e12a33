"""Chat about pictures: the public InternVL-Chat checkpoints, run without their code."""
