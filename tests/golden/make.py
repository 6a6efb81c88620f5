#!/usr/bin/env python3
"""Makes gradients.safetensors: loss and every gradient of small dense models by PyTorch, in f32.

Run once, by hand, with Debian's python3-torch (1.13.1): tests/golden/make.py. The C++ test builds
the same models with the same weights (weight() below, in both) and compares. The model is written
here from the papers alone, with PyTorch's own functions where it has them.
"""

import json
import math
import os
import struct

import torch
import torch.nn.functional as F

WIDTH, LAYERS, HEADS, KV_HEADS, CONTEXT, VOCABULARY, BATCH = 16, 2, 4, 2, 11, 23, 2
HIDDEN = {"swiglu": 13, "polyrelu": 19, "polynorm": 19}
HEAD = WIDTH // HEADS
ORDER, NORM_EPS, ROW_EPS, THETA = 3, 1e-5, 1e-6, 10000.0
MASK = (1 << 64) - 1


def split_mix(x):
    """SplitMix64 of a counter (Steele et al., 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def number(name, index):
    """Uniform in [-1, 1): of a name (FNV-1a) and an index."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    return (split_mix((key + index) & MASK) >> 11) / 2.0**52 - 1.0


def weight(name, shape):
    count = math.prod(shape)
    values = [number(name, i) for i in range(count)]
    if name.endswith(".gain"):
        values = [1 + 0.5 * v for v in values]
    elif name.endswith(".coefficients"):
        values = [0.1 * v + (0 if k == 0 else 1 / ORDER) for k, v in enumerate(values)]
    else:
        values = [0.5 * v for v in values]
    return torch.tensor(values, dtype=torch.float32).reshape(shape).requires_grad_()


def rms_norm(x, gain):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + NORM_EPS) * gain


def rotary(x):
    """x: [B, H, T, D]; element j pairs with j + D/2."""
    frequency = THETA ** (-torch.arange(0, HEAD, 2, dtype=torch.float64) / HEAD)
    angle = torch.arange(CONTEXT, dtype=torch.float64)[:, None] * frequency[None, :]
    angle = torch.cat([angle, angle], -1)
    low, high = x.chunk(2, -1)
    rotated = torch.cat([-high, low], -1)
    return x * angle.cos().to(x.dtype) + rotated * angle.sin().to(x.dtype)


def activation(kind, x, a):
    if kind == "swiglu":
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up
    if kind == "polyrelu":
        u = torch.relu(x)
        return a[0] + sum(a[i] * u**i for i in range(1, ORDER + 1))
    powers = [x**i for i in range(1, ORDER + 1)]
    normed = [p * torch.rsqrt(p.pow(2).mean(-1, keepdim=True) + ROW_EPS) for p in powers]
    return a[0] + sum(a[i + 1] * n for i, n in enumerate(normed))


def tokens(seed=""):
    ids, targets = (
        torch.tensor([int((number(name + seed, i) + 1) / 2 * VOCABULARY)
                      for i in range(BATCH * CONTEXT)]) for name in ("ids", "targets"))
    targets[::7] = -1
    return ids, targets


def attention(x, w, at, qk_norm):
    """The branch with its norm; w makes a weight."""
    h = rms_norm(x, w(at + "attention_norm.gain", WIDTH))
    qkv = h @ w(at + "attention.qkv", (HEADS + 2 * KV_HEADS) * HEAD, WIDTH).T
    q, k, v = qkv.split([HEADS * HEAD, KV_HEADS * HEAD, KV_HEADS * HEAD], -1)
    if qk_norm == "full":
        q = rms_norm(q, w(at + "attention.q_norm.gain", HEADS * HEAD))
        k = rms_norm(k, w(at + "attention.k_norm.gain", KV_HEADS * HEAD))
    q, k, v = (t.reshape(BATCH, CONTEXT, -1, HEAD).transpose(1, 2) for t in (q, k, v))
    if qk_norm == "head":
        q = rms_norm(q, w(at + "attention.q_norm.gain", HEAD))
        k = rms_norm(k, w(at + "attention.k_norm.gain", HEAD))
    q, k = rotary(q), rotary(k)
    k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(HEAD)
    future = torch.ones(CONTEXT, CONTEXT).triu(1).bool()
    y = scores.masked_fill(future, float("-inf")).softmax(-1) @ v
    y = y.transpose(1, 2).reshape(BATCH, CONTEXT, WIDTH)
    return y @ w(at + "attention.out", WIDTH, WIDTH).T


def run(kind, qk_norm, tied):
    weights = {}

    def w(name, *shape):
        weights[name] = weight(name, shape)
        return weights[name]

    hidden = HIDDEN[kind]
    ids, targets = tokens()
    table = w("embedding.table", VOCABULARY, WIDTH)
    x = table[ids].reshape(BATCH, CONTEXT, WIDTH)
    for layer in range(LAYERS):
        at = f"layers.{layer}."
        x = x + attention(x, w, at, qk_norm)
        h = rms_norm(x, w(at + "feed_forward_norm.gain", WIDTH))
        if kind == "swiglu":
            up, a = w(at + "feed_forward.gate_up", 2 * hidden, WIDTH), None
        else:
            up = w(at + "feed_forward.up", hidden, WIDTH)
            a = w(at + "feed_forward.coefficients", ORDER + 1)
        x = x + activation(kind, h @ up.T, a) @ w(at + "feed_forward.down", WIDTH, hidden).T
    x = rms_norm(x, w("final_norm.gain", WIDTH))
    head = table if tied else w("head.weight", VOCABULARY, WIDTH)
    logits = (x @ head.T).reshape(-1, VOCABULARY)
    loss = F.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
    loss.backward()
    return loss, weights


def write(name, cases):
    """cases: their names to the tensors of each."""
    header, data = {}, b""
    for case, tensors in cases.items():
        for tensor_name, tensor in tensors.items():
            flat = tensor.flatten().tolist()
            begin = len(data)
            data += struct.pack(f"<{len(flat)}f", *flat)
            header[f"{case}/{tensor_name}"] = {"dtype": "F32", "shape": list(tensor.shape),
                                               "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(os.path.dirname(__file__), name), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def main():
    cases = {}
    for kind in HIDDEN:
        for qk_norm in ("none", "full", "head"):
            for tied in (False, True):
                case = f"{kind}/{qk_norm}/{'tied' if tied else 'untied'}"
                loss, weights = run(kind, qk_norm, tied)
                print(case, loss.item())
                cases[case] = {"loss": loss.detach().reshape(1)}
                cases[case].update({name: value.grad for name, value in weights.items()})
    write("gradients.safetensors", cases)


if __name__ == "__main__":
    main()
