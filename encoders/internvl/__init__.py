"""InternVL-C, InternVL-G and InternViT over the public checkpoints, without their remote code.

`load.load_internvl` gives an encoder. The paper: "InternVL: Scaling up Vision Foundation Models and
Aligning for Generic Visual-Linguistic Tasks" (Chen et al., CVPR 2024), arXiv 2312.14238.
"""
