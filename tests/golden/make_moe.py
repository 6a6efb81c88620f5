#!/usr/bin/env python3
"""Makes moe_gradients.safetensors: losses and gradients of small mixtures of experts by PyTorch.

As make.py, but in f64, so that only PolyTrain's rounding is seen. Experts are applied in the plainest
way: every expert to every token, with a weight of 0 where it was not chosen. The objective is

    CE + balance sum_l B_l + z sum_l Z_l                          (textbook)
    CE + balance/L sum_l B_l + z/(L k) sum_l Z_l                  (olmoe)

with CE the mean over the scored tokens, B = E sum_e f_e P_e, f_e = c_e/(T k) without a gradient, P_e
the mean of p_e and Z the mean of lse^2 over all T tokens. Gradients are written times the scored
tokens, as PolyTrain keeps them until its optimizer divides.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from make import (BATCH, CONTEXT, HIDDEN, LAYERS, ORDER, VOCABULARY, WIDTH, activation, attention,
                  rms_norm, tokens, weight, write)

EXPERTS, SHARED_HIDDEN, BALANCE, Z = 8, 7, 0.7, 0.05
TOKENS = BATCH * CONTEXT
LEAST_MARGIN = 1e-3  # of a token's last chosen probability over the next: f32 can't choose otherwise


@dataclass
class Case:
    seed: int  # of the tokens: one with which no choice is close
    kind: str
    top_k: int
    renormalise: bool
    form: str
    shared: bool = False
    per_expert: bool = False
    qk_norm: str = "none"

    def name(self):
        options = [str(self.seed), self.kind, f"k{self.top_k}", "renormalised" if self.renormalise else "plain",
                   self.form, "shared" if self.shared else "routed",
                   "expert" if self.per_expert else "layer", self.qk_norm]
        return "/".join(options)


CASES = [
    Case(0, "polynorm", 2, False, "textbook"),
    Case(0, "polynorm", 3, True, "olmoe", shared=True, per_expert=True),
    Case(0, "polynorm", 3, False, "olmoe", per_expert=True, qk_norm="full"),
    Case(2, "swiglu", 2, True, "textbook", qk_norm="head"),
    Case(0, "swiglu", 3, False, "olmoe"),
    Case(0, "swiglu", 3, True, "textbook", shared=True),
]


def network(case, x, up, down, a):
    return activation(case.kind, x @ up.T, a) @ down.T


def matrices(case, w, at, hidden, *count):
    """up, down and coefficients, of `count` experts or of one network."""
    if case.kind == "swiglu":
        return (w(at + "gate_up", *count, 2 * hidden, WIDTH),
                w(at + "down", *count, WIDTH, hidden), None)
    own = count if case.per_expert else ()
    return (w(at + "up", *count, hidden, WIDTH), w(at + "down", *count, WIDTH, hidden),
            w(at + "coefficients", *own, ORDER + 1))


def mixture(case, h, w, at):
    """h: [T, C]. Returns y, B and Z."""
    logits = h @ w(at + "router.weight", EXPERTS, WIDTH).T
    p = logits.softmax(-1)
    best = p.detach().sort(-1, descending=True).values
    margin = (best[:, case.top_k - 1] - best[:, case.top_k]).min().item()
    assert margin > LEAST_MARGIN, f"{case.name()} {at}: a token's choice is as close as {margin}"
    chosen = torch.zeros_like(p).scatter(-1, p.topk(case.top_k, -1).indices, 1.0)
    g = p * chosen
    if case.renormalise:
        g = g / g.sum(-1, keepdim=True)
    up, down, a = matrices(case, w, at + "experts.", HIDDEN[case.kind], EXPERTS)
    y = 0
    for e in range(EXPERTS):
        own = a[e] if case.per_expert else a
        y = y + g[:, e:e + 1] * network(case, h, up[e], down[e], own)
    if case.shared:
        y = y + network(case, h, *matrices(case, w, at + "shared.", SHARED_HIDDEN))
    f = chosen.sum(0) / (TOKENS * case.top_k)
    balance = EXPERTS * (f * p.mean(0)).sum()
    return y, balance, logits.logsumexp(-1).pow(2).mean()


def run(case):
    weights = {}

    def w(name, *shape):
        weights[name] = weight(name, shape).detach().double().requires_grad_()
        return weights[name]

    ids, targets = tokens(str(case.seed))
    x = w("embedding.table", VOCABULARY, WIDTH)[ids].reshape(BATCH, CONTEXT, WIDTH)
    balance, z = 0, 0
    for layer in range(LAYERS):
        at = f"layers.{layer}."
        x = x + attention(x, w, at, case.qk_norm)
        h = rms_norm(x, w(at + "feed_forward_norm.gain", WIDTH))
        y, layer_balance, layer_z = mixture(case, h.reshape(TOKENS, WIDTH), w, at + "moe.")
        x = x + y.reshape(x.shape)
        balance, z = balance + layer_balance, z + layer_z
    x = rms_norm(x, w("final_norm.gain", WIDTH))
    logits = (x @ w("head.weight", VOCABULARY, WIDTH).T).reshape(-1, VOCABULARY)
    loss = F.cross_entropy(logits, targets, ignore_index=-1)
    balance, z = BALANCE * balance, Z * z
    if case.form == "olmoe":
        balance, z = balance / LAYERS, z / (LAYERS * case.top_k)
    scored = (targets >= 0).sum()
    (scored * (loss + balance + z)).backward()
    tensors = {name: value.grad for name, value in weights.items()}
    for name, value in (("loss", loss), ("balance_loss", balance), ("router_z_loss", z)):
        tensors[name] = value.detach().reshape(1)
    return tensors


def main():
    cases = {}
    for case in CASES:
        tensors = cases[case.name()] = run(case)
        print(case.name(), tensors["loss"].item())
    write("moe_gradients.safetensors", cases)


if __name__ == "__main__":
    main()
