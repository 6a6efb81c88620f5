#!/usr/bin/env python3
"""PolyTrain's model and training step in PyTorch, to measure against (scripts/bench/step.sh).

Trains on given weights and tokens, and prints a JSON object: the version, the library of its
products, the loss and the tokens per second of each step. Written as one would for speed in eager
mode: one product for queries, keys and values, one for gate and up, tables made once, experts in a
loop over sorted rows. Modules and parameters have PolyTrain's names, so that its checkpoints load as
they are.
"""

import argparse
import json
import math
import re
import struct
import time

import torch
import torch.nn.functional as F
from torch import nn

ROW_EPS = 1e-6  # of PolyNorm


def empty(*shape):
    return nn.Parameter(torch.empty(*shape))


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.gain, self.eps = empty(width), eps

    def forward(self, x):
        gain = self.gain.to(x.dtype)
        if hasattr(F, "rms_norm"):
            return F.rms_norm(x, gain.shape, gain, self.eps)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * gain


class Attention(nn.Module):
    def __init__(self, config, fused):
        super().__init__()
        width, self.heads = config["d_model"], config["heads"]
        assert config["kv_heads"] == self.heads and config["qk_norm"] in ("none", "full")
        self.qkv, self.out = empty(3 * width, width), empty(width, width)
        self.has_norm, self.fused = config["qk_norm"] == "full", fused
        if self.has_norm:
            self.q_norm = RmsNorm(width, config["norm_eps"])
            self.k_norm = RmsNorm(width, config["norm_eps"])

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, rotary, mask):
        q, k, v = F.linear(x, self.qkv).chunk(3, -1)
        if self.has_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = rotate(self.split(q), rotary), rotate(self.split(k), rotary), self.split(v)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
            y = scores.add_(mask).softmax(-1) @ v
        return F.linear(y.transpose(1, 2).flatten(2), self.out)


def rotate(x, rotary):
    """x: [B, H, T, D]; element j pairs with j + D/2."""
    cos, sin = rotary
    low, high = x.chunk(2, -1)
    return x * cos.to(x.dtype) + torch.cat([-high, low], -1) * sin.to(x.dtype)


def activate(kind, x, a):
    if kind == "swiglu":
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up
    if kind == "polynorm":
        y = a[0]
        for i in range(1, len(a)):
            power = x**i
            y = y + a[i] * (power * torch.rsqrt(power.pow(2).mean(-1, keepdim=True) + ROW_EPS))
        return y
    return {"gelu": F.gelu, "relu": F.relu}[kind](x)


class FeedForward(nn.Module):
    """One network, or `experts` of the same shape that share their coefficients."""

    def __init__(self, config, experts=0):
        super().__init__()
        part, width = config["feed_forward"], config["d_model"]
        hidden = (config["moe"]["hidden"] or part["hidden"]) if experts else part["hidden"]
        count = (experts,) if experts else ()
        self.kind = part["activation"]
        self.up_name = "gate_up" if self.kind == "swiglu" else "up"
        rows = 2 * hidden if self.kind == "swiglu" else hidden
        self.register_parameter(self.up_name, empty(*count, rows, width))
        self.down = empty(*count, width, hidden)
        if self.kind == "polynorm":
            self.coefficients = empty(part["order"] + 1)

    def weights(self, dtype):
        return getattr(self, self.up_name).to(dtype), self.down.to(dtype)

    def numbers(self, dtype):
        return self.coefficients.to(dtype).unbind() if self.kind == "polynorm" else None

    def forward(self, x):
        hidden = F.linear(x, getattr(self, self.up_name))
        return F.linear(activate(self.kind, hidden, self.numbers(hidden.dtype)), self.down)


class Router(nn.Module):
    def __init__(self, experts, width):
        super().__init__()
        self.weight = empty(experts, width)


class Moe(nn.Module):
    def __init__(self, config, dtype):
        super().__init__()
        moe = config["moe"]
        assert moe["shared_hidden"] == 0 and moe["coefficients"] == "layer" and not moe["renormalise"]
        assert moe["loss_form"] == "textbook" and moe["scope"] == "micro" and moe["bias_rate"] == 0
        self.count, self.top_k, self.dtype = moe["experts"], moe["top_k"], dtype
        self.balance, self.z_loss = moe["balance"], moe["z_loss"]
        self.router = Router(self.count, config["d_model"])
        self.experts = FeedForward(config, self.count)

    def forward(self, x):
        """Every token through its top_k experts, none dropped. Returns y and the weighted losses."""
        h = x.flatten(0, 1)
        with torch.autocast("cpu", enabled=False):
            logits = F.linear(h.float(), self.router.weight)
        p = logits.softmax(-1)
        gates, chosen = p.topk(self.top_k, -1)
        order = chosen.flatten().argsort(stable=True)
        counts = torch.bincount(chosen.flatten(), minlength=self.count)

        token = order.div(self.top_k, rounding_mode="floor")
        rows = h.to(self.dtype).index_select(0, token).split(counts.tolist())
        up, down = (w.unbind() for w in self.experts.weights(self.dtype))
        a = self.experts.numbers(self.dtype)
        made = [F.linear(activate(self.experts.kind, F.linear(rows[e], up[e]), a), down[e])
                for e in range(self.count)]
        weighted = torch.cat(made) * gates.flatten()[order, None].to(self.dtype)
        y = torch.zeros_like(h, dtype=self.dtype).index_add(0, token, weighted)

        share = counts / (h.shape[0] * self.top_k)
        balance = self.count * (share * p.mean(0)).sum()
        losses = self.balance * balance + self.z_loss * logits.logsumexp(-1).pow(2).mean()
        return y.view_as(x), losses


class Block(nn.Module):
    def __init__(self, config, dtype, fused):
        super().__init__()
        width, eps = config["d_model"], config["norm_eps"]
        self.attention_norm, self.attention = RmsNorm(width, eps), Attention(config, fused)
        self.feed_forward_norm = RmsNorm(width, eps)
        self.is_moe = config["moe"]["experts"] > 0
        if self.is_moe:
            self.moe = Moe(config, dtype)
        else:
            self.feed_forward = FeedForward(config)

    def forward(self, x, rotary, mask):
        x = x + self.attention(self.attention_norm(x), rotary, mask)
        h = self.feed_forward_norm(x)
        if not self.is_moe:
            return x + self.feed_forward(h), 0
        y, losses = self.moe(h)
        return x + y, losses


class Named(nn.Module):
    """A matrix under the name that checkpoints have for it."""

    def __init__(self, name, *shape):
        super().__init__()
        self.register_parameter(name, empty(*shape))


class Model(nn.Module):
    def __init__(self, config, dtype, fused):
        super().__init__()
        width, vocab, context = config["d_model"], config["vocab_size"], config["context"]
        assert config["z_loss"] == 0
        self.embedding = Named("table", vocab, width)
        self.layers = nn.ModuleList(Block(config, dtype, fused) for _ in range(config["layers"]))
        self.final_norm = RmsNorm(width, config["norm_eps"])
        self.tied = config["tied"]
        if not self.tied:
            self.head = Named("weight", vocab, width)
        head_width = width // config["heads"]
        frequency = config["rope_theta"] ** (
            -torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angle = torch.arange(context, dtype=torch.float64)[:, None] * frequency.repeat(2)
        mask = torch.full((context, context), float("-inf")).triu(1)
        for name, table in (("cos", angle.cos()), ("sin", angle.sin()), ("mask", mask)):
            self.register_buffer(name, table.to(dtype), persistent=False)

    def forward(self, ids, targets):
        """The mean cross-entropy, and what is minimised."""
        x = F.embedding(ids, self.embedding.table)
        others = 0
        for layer in self.layers:
            x, losses = layer(x, (self.cos, self.sin), self.mask)
            others = others + losses
        head = self.embedding.table if self.tied else self.head.weight
        logits = F.linear(self.final_norm(x), head)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        return loss, loss + others


def read_safetensors(path):
    """f32 tensors only. The router's bias is PolyTrain's alone, and 0 in these runs."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or name.endswith("router.bias"):
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def make_optimizer(model, config):
    """Matrices decay; gains, coefficients and the embedding don't."""
    assert not config["decay_embeddings"] and not config["decay_gains"]
    assert config["schedule"]["kind"] == "constant" and config["schedule"]["warmup_steps"] == 0
    groups = [{"params": [], "weight_decay": config["weight_decay"]},
              {"params": [], "weight_decay": 0.0}]
    for name, parameter in model.named_parameters():
        decays = parameter.dim() > 1 and name != "embedding.table"
        groups[0 if decays else 1]["params"].append(parameter)
    options = {"lr": config["lr"], "betas": (config["beta1"], config["beta2"]), "eps": config["eps"]}
    try:
        return torch.optim.AdamW(groups, fused=True, **options)
    except (RuntimeError, TypeError):  # no such kernel for the CPU in this version
        return torch.optim.AdamW(groups, **options)


def matrix_library():
    """What multiplies f32 matrices; none that is worth measuring against where it is empty."""
    if torch.backends.mkl.is_available():
        return "MKL"
    with open("/proc/self/maps", encoding="utf-8") as file:
        loaded = {line.split()[-1] for line in file if ".so" in line}
    known = {part for path in loaded for part in path.split("/")
             if re.search("openblas|blis|mkl", part)}
    return min(known, default="")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="config.json of a run's folder")
    parser.add_argument("weights", help="its weights.safetensors")
    parser.add_argument("tokens", help="32-bit ids: batch * (context + 1) for each step")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--attention", choices=["explicit", "fused", "auto"], default="auto")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with open(arguments.config, encoding="utf-8") as file:
        config = json.load(file)
    is_bf16 = config["precision"] == "bf16"
    fused = arguments.attention == "fused" or (
        arguments.attention == "auto" and hasattr(F, "scaled_dot_product_attention"))
    batch, context = config["train"]["batch"], config["model"]["context"]
    assert config["train"]["micro_batch"] == batch

    model = Model(config["model"], torch.bfloat16 if is_bf16 else torch.float32, fused)
    model.load_state_dict(read_safetensors(arguments.weights))
    optimizer = make_optimizer(model, config["optimizer"])
    forward = torch.compile(model) if arguments.compile else model
    with open(arguments.tokens, "rb") as file:
        steps = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).long()
    clip = config["optimizer"]["clip"]

    losses, speeds = [], []
    for window in steps.view(-1, batch, context + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_bf16):
            loss, objective = forward(window[:, :-1], window[:, 1:])
        objective.backward()
        if clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
        speeds.append(batch * context / (time.perf_counter() - start))
    print(json.dumps({"version": torch.__version__, "blas": matrix_library(),
                      "fused_attention": fused, "loss": losses, "tokens_per_s": speeds}))


if __name__ == "__main__":
    main()
