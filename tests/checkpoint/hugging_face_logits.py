#!/usr/bin/env python3
"""Logits of a Hugging Face folder, written from the papers in plain PyTorch, in f32 (docs/hugging_face.md).

Usage: hugging_face_logits.py DIR TOKENS OUT
DIR has config.json and safetensors files; TOKENS is a JSON list of ids, one sequence; OUT gets the
logits of all its positions, f32, [tokens, vocabulary]. Shares no code with PolyTrain.
"""

import json
import math
import os
import struct
import sys

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": lambda x: 0.5 * x * (1 + torch.tanh(
        math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": torch.relu,
}
TYPES = {"F32": torch.float32, "BF16": torch.bfloat16}


def read_tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data[begin:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).float()
    return tensors


def read_folder(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return read_tensors(os.path.join(folder, "model.safetensors"))
    tensors = {}
    with open(index) as file:
        names = set(json.load(file)["weight_map"].values())
    for name in names:
        tensors.update(read_tensors(os.path.join(folder, name)))
    return tensors


class Model:
    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        self.tensors = read_folder(folder)
        self.used = set()
        self.own = self.config.get("polytrain", {})
        self.has_experts = "num_experts" in self.config
        self.gated = self.own.get("gated", True)
        self.qk_norm = self.own.get("qk_norm", "full" if self.has_experts else "none")

    def w(self, name):
        self.used.add(name)
        return self.tensors[name]

    def norm(self, x, gain):
        rms = torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"])
        return x / rms * gain

    def turn(self, x):
        """x: [heads, tokens, width]; element j turns with j + width / 2."""
        width, tokens = x.shape[2], x.shape[1]
        low, high = x[..., :width // 2], x[..., width // 2:]
        powers = torch.arange(0, width, 2, dtype=torch.float64) / width
        angle = torch.outer(torch.arange(tokens, dtype=torch.float64),
                            self.config["rope_theta"] ** -powers)
        cos, sin = angle.cos().float(), angle.sin().float()
        return torch.cat([low * cos - high * sin, high * cos + low * sin], -1)

    def attention(self, x, at):
        heads, kv_heads = (self.config[f"num_{kind}_heads"] for kind in ("attention", "key_value"))
        width = self.config["hidden_size"] // heads
        q, k, v = (x @ self.w(f"{at}{part}_proj.weight").T for part in "qkv")
        if self.qk_norm == "full":
            q, k = self.norm(q, self.w(at + "q_norm.weight")), self.norm(k, self.w(at + "k_norm.weight"))
        q, k, v = (t.reshape(len(x), -1, width).transpose(0, 1) for t in (q, k, v))
        if self.qk_norm == "head":
            q, k = self.norm(q, self.w(at + "q_norm.weight")), self.norm(k, self.w(at + "k_norm.weight"))
        q, k = self.turn(q), self.turn(k)
        y = []
        for head in range(heads):
            group = head // (heads // kv_heads)
            scores = q[head] @ k[group].T / math.sqrt(width)
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -math.inf)
            y.append(scores.softmax(-1) @ v[group])
        return torch.cat(y, -1) @ self.w(at + "o_proj.weight").T

    def act(self, x, at):
        name = self.config["hidden_act"]
        if name in ACTIVATIONS:
            return ACTIVATIONS[name](x)
        a = self.w(at + "act_fn.coefficients")
        if name == "polyrelu":
            terms = [torch.relu(x) ** i for i in range(1, len(a))]
        elif name == "polynorm":
            powers = [x ** i for i in range(1, len(a))]
            terms = [p / torch.sqrt(p.pow(2).mean(-1, keepdim=True) + 1e-6) for p in powers]
        return a[0] + sum(a[i + 1] * term for i, term in enumerate(terms))

    def network(self, x, at, act_at):
        up = x @ self.w(at + "up_proj.weight").T
        if self.gated:
            hidden = self.act(x @ self.w(at + "gate_proj.weight").T, act_at) * up
        else:
            hidden = self.act(up, act_at)
        return hidden @ self.w(at + "down_proj.weight").T

    def mixture(self, x, at):
        p = (x @ self.w(at + "gate.weight").T).softmax(-1)
        best, chosen = p.topk(self.config["num_experts_per_tok"], -1)
        if self.config["norm_topk_prob"]:
            best = best / best.sum(-1, keepdim=True)
        y = torch.zeros_like(x)
        for expert in range(self.config["num_experts"]):
            all_rows = self.network(x, f"{at}experts.{expert}.", at + "experts.")
            y += all_rows * (best * (chosen == expert)).sum(-1, keepdim=True)
        return y

    def logits(self, ids):
        table = self.w("model.embed_tokens.weight")
        x = table[torch.tensor(ids)]
        for layer in range(self.config["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            x = x + self.attention(self.norm(x, self.w(at + "input_layernorm.weight")),
                                   at + "self_attn.")
            h = self.norm(x, self.w(at + "post_attention_layernorm.weight"))
            mlp = at + "mlp."
            x = x + (self.mixture(h, mlp) if self.has_experts else self.network(h, mlp, mlp))
        x = self.norm(x, self.w("model.norm.weight"))
        head = table if self.config["tie_word_embeddings"] else self.w("lm_head.weight")
        assert self.used == set(self.tensors), set(self.tensors) - self.used
        return x @ head.T


def main():
    folder, tokens, out = sys.argv[1:]
    with open(tokens) as file:
        logits = Model(folder).logits(json.load(file))
    flat = logits.flatten().tolist()
    with open(out, "wb") as file:
        file.write(struct.pack(f"<{len(flat)}f", *flat))


if __name__ == "__main__":
    main()
