"""The token stream of `data.synthetic`, as the program makes it, for a model in another framework.

The same as src/core/philox.hpp, src/data/synthetic.cpp and src/data/sampler.cpp; that it is the same
shows in the loss of a first step, which scripts/bench/step.py compares.
"""

MASK = (1 << 64) - 1
TOKENS = 1 << 50  # of the whole stream
ROUNDS = 8        # of the permutation


def mix_bits(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def philox_key(seed, purpose):
    purpose_hash = 0xCBF29CE484222325
    for byte in purpose.encode():
        purpose_hash = ((purpose_hash ^ byte) * 0x100000001B3) & MASK
    mixed = mix_bits(mix_bits((seed + 0x9E3779B97F4A7C15) & MASK) ^ purpose_hash)
    return mixed & 0xFFFFFFFF, mixed >> 32


def philox(key, low, high=0):
    """Philox4x32-10: four 32-bit words."""
    k0, k1 = key
    c0, c1, c2, c3 = low & 0xFFFFFFFF, low >> 32, high & 0xFFFFFFFF, high >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF
        c2, c3 = (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


class SampleOrder:
    """Where in the stream the sample of each number is: a permutation of its windows."""

    def __init__(self, seed, context):
        self.windows = (TOKENS - 1) // context
        self.half_bits = ((self.windows - 1).bit_length() + 1) // 2
        key = philox_key(seed, "data/order")
        words = [philox(key, 0, round_) for round_ in range(ROUNDS)]
        self.keys = [(w[1] << 32) | w[0] for w in words]

    def __call__(self, position):
        mask = (1 << self.half_bits) - 1
        while True:
            left, right = position >> self.half_bits, position & mask
            for key in self.keys:
                left, right = right, left ^ (mix_bits((right + key) & MASK) & mask)
            position = (left << self.half_bits) | right
            if position < self.windows:
                return position


def samples(seed, vocab_size, context, count):
    """The first `count` training samples, each of context + 1 ids: inputs and, one on, targets."""
    order, key = SampleOrder(seed, context), philox_key(seed, "data/synthetic")

    def token(index):
        words = philox(key, index)
        u = ((words[0] << 21) ^ (words[1] >> 11)) * 2.0**-53
        return int(vocab_size * (u * u * u))

    for number in range(count):
        begin = order(number) * context
        yield [token(begin + i) for i in range(context + 1)]
