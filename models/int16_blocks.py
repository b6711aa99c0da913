"""Blocks of a vision transformer in 16-bit integers: twice the speed of float32 on processors with AVX-512 VNNI.

Weights and activations are rounded with a scale for every row, in steps so fine that the features differ from those in
float32 by about what float16, in which they are stored, rounds away. See docs/decisions/0013.
"""

from __future__ import annotations

import ctypes
import math
import threading

import torch
from torch import Tensor, nn

from models.int16_library import Block, Matrix

HEAD_DIM = 64
LANES = 16
COLUMNS = 48
MAX_CHUNK = 384
INT32_ROOT, INT16_LIMIT = 46340.0, 32766.0
MAX_CHUNKS = 64


class Workspace:
    """Memory of one forward pass, kept for the next: at most one buffer, of the size that was last needed.

    About (10 D + 12 H) bytes a token and, for each thread, the larger of 96 bytes a token and 1 to 3 MB.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: Tensor | None = None

    def take(self, size: int) -> Tensor:
        """A buffer of at least `size` bytes that nobody else has."""
        with self._lock:
            kept, self._kept = self._kept, None
        return kept if kept is not None and size <= kept.numel() <= 2 * size else torch.empty(size, dtype=torch.uint8)

    def give_back(self, buffer: Tensor) -> None:
        """Keep it for the next pass."""
        with self._lock:
            self._kept = buffer


class Int16Block(nn.Module):
    """In place of a transformer block of DINOv2 or DINOv3: the same call, on the processor, float32 in and out.

    Results depend neither on the number of threads nor on the other pictures of a batch, to the last bit.
    """

    def __init__(self, block: nn.Module, library: ctypes.CDLL, workspace: Workspace) -> None:
        super().__init__()
        self._library = library
        self._workspace = workspace
        self._tensors: list[Tensor] = []  # what the pointers in `_block` point at
        attention, mlp = block.get_submodule("attention"), block.get_submodule("mlp")
        scale1 = block.get_parameter("layer_scale1.lambda1")
        scale2 = block.get_parameter("layer_scale2.lambda1")
        qkv = [attention.get_submodule(name) for name in ("q_proj", "k_proj", "v_proj")]
        up = [mlp.get_submodule(name) for name in _up_names(mlp)]
        down = mlp.get_submodule("fc2" if hasattr(mlp, "fc2") else "down_proj")
        norm1, norm2 = block.get_submodule("norm1"), block.get_submodule("norm2")
        assert isinstance(norm1, nn.LayerNorm)
        assert isinstance(norm2, nn.LayerNorm)
        self._block = Block(
            self._matrix(qkv),
            self._matrix([attention.get_submodule("o_proj")], scale1),
            self._matrix(up),
            self._matrix([down], scale2),
            *(self._keep(vector) for norm in (norm1, norm2) for vector in (norm.weight, norm.bias)),
            epsilon=norm1.eps,
            heads=norm1.normalized_shape[0] // HEAD_DIM,
            gated=len(up) == 2,
        )

    def forward(self, tokens: Tensor, position_embeddings: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D); the angles are those of the last tokens, those before are not turned."""
        result = tokens.float().clone(memory_format=torch.contiguous_format)
        count, threads = result.shape[1], torch.get_num_threads()
        cosine, sine = _angles(position_embeddings, count)
        size = self._library.vit_int16_workspace_bytes(ctypes.byref(self._block), count, threads)
        buffer = self._workspace.take(size)
        for picture in result:
            self._library.vit_int16_block(
                ctypes.byref(self._block),
                picture.data_ptr(),
                cosine.data_ptr(),
                sine.data_ptr(),
                count,
                buffer.data_ptr(),
                threads,
            )
        self._workspace.give_back(buffer)
        return result

    def _matrix(self, linears: list[nn.Module], row_scale: Tensor | None = None) -> Matrix:
        """Linear layers side by side, each output times its `row_scale`, packed as vit_int16.c reads it."""
        weight = torch.cat([linear.get_parameter("weight").detach().double() for linear in linears])
        bias = torch.cat([_bias(linear) for linear in linears])
        if row_scale is not None:
            weight, bias = weight * row_scale.double()[:, None], bias * row_scale.double()
        outputs, inputs = weight.shape
        packed, scale = pack(weight)
        padded = torch.zeros(scale.shape[1])
        padded[:outputs] = bias
        pointers = [self._keep(tensor) for tensor in (packed, scale, padded)]
        return Matrix(*pointers, inputs, chunk_of(inputs), outputs, scale.shape[1])

    def _keep(self, tensor: Tensor) -> int:
        kept = tensor.detach().contiguous().clone()
        self._tensors.append(kept)
        return kept.data_ptr()


def is_supported(block: nn.Module) -> bool:
    """Whether it is a block of the kind and of sizes that the integer code knows."""
    names = {name for name, _ in block.named_modules()}
    needed = {"norm1", "norm2", "attention.q_proj", "attention.o_proj", "layer_scale1", "layer_scale2", "mlp"}
    if not needed <= names or not _up_names(block.get_submodule("mlp")):
        return False
    linears = [module for module in block.modules() if isinstance(module, nn.Linear)]
    sizes = {size for linear in linears for size in (linear.in_features, linear.out_features)}
    dim = block.get_parameter("norm1.weight").numel()
    heads = getattr(block.get_submodule("attention"), "head_dim", None)
    return (
        heads == HEAD_DIM
        and dim % HEAD_DIM == 0
        and all(size % LANES == 0 and size // chunk_of(size) <= MAX_CHUNKS for size in sizes)
        and _is_activation_known(block.get_submodule("mlp"))
    )


def chunk_of(inputs: int) -> int:
    """Inputs that share one scale: the largest divisor that is a multiple of 16 and at most MAX_CHUNK."""
    return max(size for size in range(LANES, MAX_CHUNK + 1, LANES) if inputs % size == 0)


def pack(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int16 in the layout of vit_int16.c, and scales (chunks, padded outputs), of weights (outputs, inputs)."""
    outputs, inputs = weight.shape
    chunk, padded = chunk_of(inputs), math.ceil(outputs / COLUMNS) * COLUMNS
    chunks = nn.functional.pad(weight.double(), (0, 0, 0, padded - outputs)).view(padded, inputs // chunk, chunk)
    # With both factors' norms below the root of 2^31, rounding included, no sum of products can reach it.
    by_norm = chunks.norm(dim=2) / (INT32_ROOT - 1 - 0.5 * math.sqrt(chunk))
    scale = torch.maximum(by_norm, chunks.abs().amax(2) / INT16_LIMIT).clamp_min(1e-30)
    whole = (chunks / scale[:, :, None]).round().to(torch.int16)
    panels = whole.view(padded // COLUMNS, COLUMNS, inputs // chunk, chunk // 2, 2)
    return panels.permute(2, 0, 3, 1, 4).contiguous(), scale.T.float().contiguous()


def _angles(position_embeddings: tuple[Tensor, Tensor] | None, count: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine (T, 32). The second half of a head turns by the angles of the first."""
    half = HEAD_DIM // 2
    cosine, sine = torch.ones(count, half), torch.zeros(count, half)
    if position_embeddings is not None:
        turned = position_embeddings[0].shape[-2]
        cosine[count - turned :] = position_embeddings[0].reshape(turned, HEAD_DIM)[:, :half]
        sine[count - turned :] = position_embeddings[1].reshape(turned, HEAD_DIM)[:, :half]
    return cosine, sine


def _up_names(mlp: nn.Module) -> tuple[str, ...]:
    """Layers that read the input of the MLP; the gate first."""
    known = (("gate_proj", "up_proj", "down_proj"), ("up_proj", "down_proj"), ("fc1", "fc2"))
    for names in known:
        if all(hasattr(mlp, name) for name in names):
            return names[:-1]
    return ()


def _is_activation_known(mlp: nn.Module) -> bool:
    activation = getattr(mlp, "act_fn", None) or getattr(mlp, "activation_fn", None) or getattr(mlp, "activation", None)
    is_exact_gelu = type(activation).__name__ == "GELUActivation" or (
        isinstance(activation, nn.GELU) and activation.approximate == "none"
    )
    is_silu = type(activation).__name__ in ("SiLU", "SiLUActivation")
    return is_silu if len(_up_names(mlp)) == 2 else is_exact_gelu


def _bias(linear: nn.Module) -> Tensor:
    assert isinstance(linear, nn.Linear)
    return torch.zeros(linear.out_features).double() if linear.bias is None else linear.bias.detach().double()
