"""Layers of the papers: pure ``nn.Module``s, one idea a file, with no knowledge of tasks."""

from aabench.layers.attention_augmented import AAConv2d
from aabench.layers.attention_core import AttentionCore
from aabench.layers.attention_weighted import AWConv2d
from aabench.layers.axial import AxialAttention
from aabench.layers.bam import BAM
from aabench.layers.cbam import CBAM
from aabench.layers.dense_implicit_attention import DenseImplicitAttention
from aabench.layers.efficient_attention import EfficientAttention
from aabench.layers.gala import GALA
from aabench.layers.gather_excite import GatherExcite
from aabench.layers.linear_attention import LinearAttention
from aabench.layers.linformer import Linformer
from aabench.layers.mechanism import Mechanism
from aabench.layers.nystromformer import Nystromformer
from aabench.layers.performer import Performer
from aabench.layers.position import CoordConv2d, RelativePosition2d, SinePosition2d
from aabench.layers.spatial_group_enhance import SpatialGroupEnhance
from aabench.layers.squeeze_excite import SqueezeExcite
from aabench.layers.window import WindowAttention

__all__ = [
    "BAM",
    "CBAM",
    "GALA",
    "AAConv2d",
    "AWConv2d",
    "AttentionCore",
    "AxialAttention",
    "CoordConv2d",
    "DenseImplicitAttention",
    "EfficientAttention",
    "GatherExcite",
    "LinearAttention",
    "Linformer",
    "Mechanism",
    "Nystromformer",
    "Performer",
    "RelativePosition2d",
    "SinePosition2d",
    "SpatialGroupEnhance",
    "SqueezeExcite",
    "WindowAttention",
]
